"""The entry of one tensor in a weight file, and the limits on what a file may claim. Nothing here allocates."""

import math
import time
from dataclasses import dataclass

import torch

from ..errors import InputError

MAX_DIMS = 8
MAX_TENSORS = 10_000  # the model's files have 1,500 at most; bench/weight_headers.py measures what the limits allow


@dataclass(frozen=True)
class Entry:
    """One tensor in a file."""

    dtype: torch.dtype | str  # a str for types that torch lacks: such a tensor cannot be loaded, others of its file can
    shape: tuple[int, ...]
    offset: int  # of the first byte, in the file
    strides: tuple[int, ...] | None = None  # in elements; None: C order

    @property
    def count(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.count * self.dtype.itemsize if isinstance(self.dtype, torch.dtype) else 0


class DamagedFile(InputError):
    """The file's content is invalid. `damage` describes it as a clause about "it"; reader.py adds file and remedy."""

    def __init__(self, damage: str):
        super().__init__(damage)
        self.damage = damage


class TimeLimitExceeded(Exception):
    """There is no more time for the file now."""


class TimeLimit:
    """Time for one file; loops over its content call check().

    seconds      from now on; then check() raises TimeLimitExceeded, and the file can be read later
    cpu_seconds  of this thread, whatever other programs and the disk do; then the file itself is to blame: DamagedFile
    """

    def __init__(self, seconds: float = math.inf, cpu_seconds: float = math.inf):
        self.end, self.cpu_end = time.monotonic() + seconds, time.thread_time() + cpu_seconds

    def check(self) -> None:
        if time.monotonic() > self.end:
            raise TimeLimitExceeded
        if time.thread_time() > self.cpu_end:
            raise DamagedFile("reading its header takes too long")


def whole_numbers(values, what: str) -> tuple[int, ...]:
    """`values` as a tuple of sizes, strides or offsets. Raises DamagedFile."""
    if not isinstance(values, (list, tuple)) or len(values) > MAX_DIMS:
        raise DamagedFile(f"{what} is not a list of at most {MAX_DIMS} integers")
    if not all(type(v) is int and 0 <= v < 2**48 for v in values):
        raise DamagedFile(f"{what} has invalid values")
    return tuple(values)
