"""Loads the C extension. `from .native import _sonic` is the only way the rest of the package reaches it."""
import torch  # noqa: F401  (brings libtorch into the process; the extension links to what is already loaded)

from . import _sonic

__all__ = ["_sonic"]
