"""Bytes that the process holds from malloc: tensors, C structures, everything but Python's own small objects."""

import ctypes
import gc
import sys

import pytest

FIELDS = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")


class Mallinfo2(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in FIELDS]


def live_bytes() -> int:
    """Exact, where glibc is at least 2.33; elsewhere the test is skipped."""
    try:
        mallinfo2 = ctypes.CDLL(None).mallinfo2
    except (AttributeError, TypeError, OSError):
        pytest.skip(f"this test counts what malloc hands out with glibc's mallinfo2, which {sys.platform} here has not")
    mallinfo2.restype = Mallinfo2
    gc.collect()
    info = mallinfo2()
    return info.uordblks + info.hblkhd
