"""Parses the header of a .safetensors file: 8 bytes of length, then JSON (github.com/huggingface/safetensors,
"Format").

The header is validated before any tensor is read: its size, names, dtypes and shapes, and that no tensor lies outside
the file or overlaps another. What json.loads makes of it is bounded first, by counting the bytes that begin a value: an
empty list takes 3 bytes of text and 64 of memory.
"""

import itertools
import json
import struct

import torch

from .entries import MAX_TENSORS, DamagedFile, Entry, TimeLimit, whole_numbers

MAX_HEADER_BYTES = 2_000_000  # the largest of the model's files has 0.3 MB
MAX_VALUES = 12 * MAX_TENSORS  # braces, brackets and quotes, of each kind: a tensor's entry has 10 quotes
MAX_DIGITS = 20

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def read_table(stream, size: int, limit: TimeLimit) -> dict[str, Entry]:
    """The tensors of a file of `size` bytes, from its open stream. Raises DamagedFile, TimeLimitExceeded."""
    (length,) = struct.unpack("<Q", stream.read(8))
    if length > MAX_HEADER_BYTES:
        raise DamagedFile(f"its header would have {length} bytes, above the limit of {MAX_HEADER_BYTES}")
    if length + 8 > size:
        raise DamagedFile(f"its header would have {length} bytes, the whole file has {size}")
    table = parse(stream.read(length))
    start, entries = 8 + length, {}
    for name, value in table.items():
        limit.check()
        if name != "__metadata__":
            entries[name] = entry(name, value, start, size)
    check_overlap(entries)
    return entries


def parse(text: bytes) -> dict:
    for kind in (b"{", b"[", b'"'):
        if text.count(kind) > MAX_VALUES:
            raise DamagedFile(f"its header has more than {MAX_VALUES} of the character {kind.decode()}")
    try:
        table = json.loads(
            text.decode("utf-8"), object_pairs_hook=unique, parse_int=integer, parse_constant=refuse_constant
        )
    except (ValueError, RecursionError) as error:
        raise DamagedFile(f"its header is not JSON ({error})") from error
    if not isinstance(table, dict) or len(table) > MAX_TENSORS:
        raise DamagedFile("its header is not a list of tensors")
    return table


def integer(digits: str) -> int:
    """int() takes quadratic time for long numbers in Python before 3.10.7."""
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number has {len(digits)} digits")
    return int(digits)


def refuse_constant(name: str):
    raise ValueError(f"{name} is not a number of JSON")


def unique(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate name")
    return found


def entry(name: str, value, start: int, size: int) -> Entry:
    if not isinstance(value, dict) or not isinstance(value.get("dtype"), str):
        raise DamagedFile(f"its header has no valid entry for {name[:80]!r}")
    shape = whole_numbers(value.get("shape"), f"the shape of {name[:80]!r}")
    begin, end = (*whole_numbers(value.get("data_offsets"), f"the offsets of {name[:80]!r}"), -1, -1)[:2]
    if begin > end or start + end > size:
        raise DamagedFile(f"{name[:80]!r} has bytes {begin} to {end} of {size - start}, outside the file")
    found = Entry(DTYPES.get(value["dtype"], value["dtype"][:20]), shape, start + begin)
    if isinstance(found.dtype, torch.dtype) and found.bytes != end - begin:
        raise DamagedFile(f"{name[:80]!r} has {end - begin} bytes, its shape {list(shape)} needs {found.bytes}")
    return found


def check_overlap(entries: dict[str, Entry]):
    placed = sorted(((e.offset, e.offset + e.bytes, name) for name, e in entries.items() if e.bytes))
    for (_, end, before), (begin, _, name) in itertools.pairwise(placed):
        if begin < end:
            raise DamagedFile(f"{before[:80]!r} and {name[:80]!r} overlap")
