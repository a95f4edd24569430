"""What a weight file says about one tensor, and the bounds that it has to keep. Nothing here allocates."""

import math
from dataclasses import dataclass

import torch

from ..errors import InputError

MAX_DIMS = 8
MAX_TENSORS = 100_000


@dataclass(frozen=True)
class Entry:
    """One tensor in a file."""

    dtype: torch.dtype | str  # a str where torch has no such type: the tensor cannot be used, but its file can
    shape: tuple[int, ...]
    offset: int  # of the first byte, from the start of the file
    strides: tuple[int, ...] | None = None  # in elements; None: C order

    @property
    def count(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.count * self.dtype.itemsize if isinstance(self.dtype, torch.dtype) else 0


class DamagedFile(InputError):
    """The bytes are not what they claim to be. `damage` says how, without a remedy; reader.py adds file and remedy."""

    def __init__(self, damage: str):
        super().__init__(damage)
        self.damage = damage


def whole_numbers(values, what: str) -> tuple[int, ...]:
    """`values` as a tuple of sizes or strides, or DamagedFile."""
    if not isinstance(values, (list, tuple)) or len(values) > MAX_DIMS:
        raise DamagedFile(f"{what} is no list of at most {MAX_DIMS} whole numbers")
    if not all(type(v) is int and 0 <= v < 2**48 for v in values):
        raise DamagedFile(f"{what} has values that are no sizes")
    return tuple(values)
