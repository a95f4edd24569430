"""Imports of this package while a node runs."""

import importlib
import sys
from types import ModuleType

from ..errors import InstallError
from ..extension.loading import PACK


def lazy_import(name: str) -> ModuleType:
    """Imports a module of this package while a node runs. The nodes register even when the compiled extension does not
    load, and then report what to do."""
    try:
        return importlib.import_module(f"..{name}", __package__)
    except ImportError as error:
        raise InstallError(
            f"""Run `"{sys.executable}" -m pip install -r "{PACK / "requirements.txt"}"`, then restart ComfyUI: """
            f"a part of the Sonic nodes does not load ({error})."
        ) from None
