"""Loads the C extension. `from .native import _sonic, call` is the only way the rest of the package reaches it."""
import hashlib
import os

import torch  # brings libtorch into the process; the extension links to what is already loaded

from . import _sonic
from .errors import ResourceError

__all__ = ["_sonic", "call"]


def _namespace() -> str:
    """A dispatcher namespace of this very file: two copies of the package in one process must not meet there."""
    path = os.path.realpath(_sonic.__file__)
    stat = os.stat(path)
    return "sonic_" + hashlib.sha256(f"{path}\n{stat.st_mtime_ns}\n{stat.st_size}".encode()).hexdigest()[:16]


_SPACE = _namespace()
_sonic.register_operators(_SPACE)
_OPERATORS = getattr(torch.ops, _SPACE)


def call(name: str, tensors, names="", numbers=()):
    """Run the operator `name` of csrc/torch/operators.h on `tensors`; returns its list of tensors.

    `names` is a string with one tensor name a line. Raises RuntimeError with the C text, ResourceError when memory ran out, and what a
    watch (watch.py) raised.
    """
    try:
        with torch.inference_mode():
            return getattr(_OPERATORS, name)(list(tensors), names, [float(n) for n in numbers])
    except MemoryError as error:
        raise ResourceError(str(error).split("\n")[0]) from error
    except RuntimeError:
        raised = _sonic.watch_raised()
        if raised is None:
            raise
        try:
            raise raised from raised.__cause__
        finally:
            del raised  # it holds this frame
