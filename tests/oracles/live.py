"""Bytes that the process holds: all that malloc handed out, or tensors alone."""

import ctypes
import gc
import sys

import pytest
import torch

FIELDS = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")


class Mallinfo2(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in FIELDS]


def live_bytes() -> int:
    """From malloc: tensors, C structures, everything but Python's own small objects. Exact, where glibc is at least
    2.33; elsewhere the test is skipped."""
    try:
        mallinfo2 = ctypes.CDLL(None).mallinfo2
    except (AttributeError, TypeError, OSError):
        pytest.skip(f"this test counts what malloc hands out with glibc's mallinfo2, which {sys.platform} here has not")
    mallinfo2.restype = Mallinfo2
    gc.collect()
    info = mallinfo2()
    return info.uordblks + info.hblkhd


def live_tensor_bytes() -> int:
    """Of all tensors that Python can reach, each memory once."""
    gc.collect()
    found = {}
    for item in gc.get_objects():
        if type(item) is torch.Tensor:
            storage = item.untyped_storage()
            found[storage.data_ptr()] = storage.nbytes()
    return sum(found.values())
