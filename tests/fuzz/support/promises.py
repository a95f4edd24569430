"""What every reader of weight files promises about the entries that it returns."""

import itertools
import math

import torch

from sonic_nodes.weights.entries import MAX_DIMS, MAX_TENSORS, DamagedFile, Entry


def check_damage(error: DamagedFile) -> None:
    assert 0 < len(error.damage) < 3000  # two names of 80 characters, escaped


def check_entries(entries: dict[str, Entry], size: int) -> None:
    """Raises AssertionError unless each tensor lies inside the file of `size` bytes and needs no more than its data."""
    assert len(entries) <= 2 * MAX_TENSORS
    for name, entry in entries.items():
        assert isinstance(name, str) and isinstance(entry, Entry)
        assert len(entry.shape) <= MAX_DIMS and all(type(n) is int and 0 <= n < 2**48 for n in entry.shape)
        if not isinstance(entry.dtype, torch.dtype) or 0 in entry.shape:
            continue
        strides = entry.strides
        if strides is None:
            strides = [math.prod(entry.shape[i + 1 :]) for i in range(len(entry.shape))]
        last = sum((n - 1) * step for n, step in zip(entry.shape, strides, strict=True))
        assert entry.offset >= 8 and entry.offset + (last + 1) * entry.dtype.itemsize <= size
        assert entry.bytes <= size


def check_apart(entries: dict[str, Entry]) -> None:
    """Raises AssertionError when two tensors share bytes."""
    placed = sorted((e.offset, e.offset + e.bytes) for e in entries.values() if e.bytes)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(placed))
