"""Values of other nodes, whatever they are: as a number, and as the text of an error message."""

import contextlib
import numbers
from decimal import Decimal

import numpy as np

from ..errors import InputError, SonicError

MAX_CHARS, MAX_BITS = 60, 128
MAX_NUMBER_CHARS = 64  # of a text that is read as a number


@contextlib.contextmanager
def readable(name: str, value):
    """Turns an error that the value itself raises into an InputError that names the input `name`: an object of another
    pack may answer any question with an error of its own."""
    try:
        yield
    except (SonicError, MemoryError):
        raise
    except Exception:
        raise InputError(f"Connect another node to {name}: its {type(value).__name__} cannot be read.") from None


def converted(kind: type, value) -> int | float | None:
    """The value as int or float; None for what is no number, for a truth value, and for a fraction where int is asked
    for."""
    try:
        if isinstance(value, (bool, np.bool_)):
            return None
        if isinstance(value, str):
            return kind(value) if len(value) <= MAX_NUMBER_CHARS else None
        if not isinstance(value, (numbers.Real, Decimal)):
            return None
        if kind is float or isinstance(value, numbers.Integral):
            return kind(value)
        return int(value) if float(value).is_integer() else None
    except Exception:  # too large for a float, or an object of another pack
        return None


def described(value) -> str:
    """A clause that says what was given, of bounded length."""
    if value is None:
        return "its link brings no value"
    try:
        return f"it is {shown(value)}"
    except Exception:  # an object of another pack
        return f"it is of the type {type(value).__name__}"


def shown(value) -> str:
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value)).lower()
    if isinstance(value, str):
        return repr(str.__str__(value)) if len(value) <= MAX_CHARS else f"a text of {len(value)} characters"
    if isinstance(value, numbers.Integral):
        size = int(value).bit_length()
        return str(int(value)) if size <= MAX_BITS else f"a number of {size} bits"
    if isinstance(value, numbers.Real):
        return str(float(value))
    return f"of the type {type(value).__name__}"
