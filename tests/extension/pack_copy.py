"""A copy of the package under another name, whose extension is missing, damaged or in another place."""

import importlib
import importlib.util
import sys
from pathlib import Path

import pytest

from sonic_nodes.extension import loading
from sonic_nodes.extension.native import _sonic

PACKAGE = Path(loading.__file__).absolute().parents[1]
WINDOWS = sys.platform == "win32"
FILE = "_sonic.pyd" if WINDOWS else "_sonic.abi3.so"


def imported(folder):
    """native.py of the copy, imported."""
    spec = importlib.util.spec_from_file_location(
        "sonic_copy", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    sys.modules["sonic_copy"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["sonic_copy"])
    return importlib.import_module("sonic_copy.extension.native")


def message(folder):
    with pytest.raises(Exception) as raised:
        imported(folder)
    assert type(raised.value).__name__ == "InstallError", raised.value
    text = str(raised.value)
    print(text)
    first, *rest = text.splitlines()
    assert first.endswith(", then start again: a part of the Sonic nodes does not load. Likely causes:")
    assert rest[0].startswith("  1. ") and rest[0].startswith(f"  1. {first.partition(', then start again')[0]}: ")
    return text


def real():
    return Path(_sonic.__file__).read_bytes()


def gone_library() -> bytes:
    """On Windows: the extension, which needs a DLL that is nowhere."""
    name = b"torch_cpu.dll\0"
    assert name in real()
    return real().replace(name, b"torch_gon.dll\0")
