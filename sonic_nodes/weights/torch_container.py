"""Parses the two containers of torch.save: a zip of records (since PyTorch 1.6), and the older stream of pickles.

The result is {name: Entry}. pickle_table.py reads the pickles without executing them.
"""

import math
import struct
import zipfile

import torch

from .entries import MAX_TENSORS, DamagedFile, Entry, TimeLimit, TimeLimitExceeded, whole_numbers
from .pickle_table import MAX_PICKLE_BYTES, Opcodes, PickledTensor, Storage, read_pickle

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
MAX_DIRECTORY_BYTES = 1_000_000  # the UNet's has 0.1 MB


class BoundedReads:
    """A stream whose single reads are bounded: zipfile reads as many bytes at once as the file's own fields say."""

    def __init__(self, stream, most: int):
        self.stream, self.most = stream, most
        self.seek, self.tell, self.seekable = stream.seek, stream.tell, stream.seekable

    def read(self, count: int = -1) -> bytes:
        data = self.stream.read(self.most + 1 if count < 0 else min(count, self.most + 1))
        if len(data) > self.most:
            raise DamagedFile(f"its zip directory or a record in it has more than {self.most} bytes")
        return data


def read_zip(stream, size: int, limit: TimeLimit) -> dict[str, Entry]:
    """The tensors of a zip of `size` bytes. Raises DamagedFile, TimeLimitExceeded."""
    bounded = BoundedReads(stream, MAX_DIRECTORY_BYTES)
    try:
        with zipfile.ZipFile(bounded) as archive:
            limit.check()
            bounded.most = MAX_PICKLE_BYTES
            records = {info.filename: info for info in archive.infolist()}
            prefix = folder_of(records)
            contents, _ = read_pickle(small_record(archive, records[prefix + "data.pkl"]), 0, Opcodes(limit))
            if prefix + "byteorder" in records and small_record(archive, records[prefix + "byteorder"]) != b"little":
                raise DamagedFile("it was saved on a big-endian machine")
    except (DamagedFile, TimeLimitExceeded, MemoryError):
        raise
    except Exception as error:  # zipfile raises many kinds of exceptions on invalid files
        raise DamagedFile(f"its zip directory is invalid ({type(error).__name__}: {str(error)[:100]})") from error
    return entries(
        contents, lambda storage: zip_record(stream, size, records.get(f"{prefix}data/{storage.key}"), storage), limit
    )


def folder_of(records: dict[str, zipfile.ZipInfo]) -> str:
    """The folder of all records, with its trailing slash."""
    if any("/code/" in name or name.endswith("constants.pkl") for name in records):
        raise DamagedFile("it is a TorchScript program, not a list of tensors; programs are not executed")
    tables = [name for name in records if name.endswith("data.pkl") and name.count("/") <= 1]
    if len(tables) != 1 or len(records) > MAX_TENSORS:
        raise DamagedFile("it is a zip without PyTorch's data.pkl")
    return tables[0].removesuffix("data.pkl")


def small_record(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    if info.compress_type != zipfile.ZIP_STORED or info.file_size > MAX_PICKLE_BYTES:
        raise DamagedFile(
            f"{info.filename[:80]!r} has {info.file_size} bytes or is compressed: PyTorch does not write that"
        )
    return archive.read(info)


def zip_record(stream, size: int, info: zipfile.ZipInfo | None, storage: Storage) -> int:
    """The offset of a storage's data, behind the record's local header (APPNOTE.TXT, 4.3.7)."""
    needed = storage.count * storage.dtype.itemsize
    if info is None:
        raise DamagedFile(f"the record {storage.key[:40]!r} is missing")
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 or info.file_size < needed:
        raise DamagedFile(f"the record {storage.key[:40]!r} has {info.file_size} bytes, {needed} are needed")
    header = b""
    if 0 <= info.header_offset < size:
        stream.seek(info.header_offset)
        header = stream.read(30)
    if len(header) < 30 or header[:4] != b"PK\x03\x04":
        raise DamagedFile(f"the record {storage.key[:40]!r} is not at the offset in the zip directory")
    name_bytes, extra_bytes = struct.unpack("<HH", header[26:30])
    start = info.header_offset + 30 + name_bytes + extra_bytes
    if start + needed > size:
        raise DamagedFile(f"the record {storage.key[:40]!r} ends beyond the end of the file")
    return start


def read_legacy(stream, size: int, limit: TimeLimit) -> dict[str, Entry]:
    """The tensors of a stream: magic, protocol, machine, contents and keys as pickles, then a count and data for each
    key."""
    data, opcodes = stream.read(MAX_PICKLE_BYTES), Opcodes(limit)
    at, parts = 0, []
    for _ in range(5):
        value, at = read_pickle(data, at, opcodes)
        parts.append(value)
    magic, protocol, machine, contents, keys = parts
    if (
        magic != LEGACY_MAGIC
        or protocol != LEGACY_PROTOCOL
        or not isinstance(machine, dict)
        or not isinstance(keys, list)
    ):
        raise DamagedFile("it is a pickle, but not one that PyTorch writes")
    if machine.get("little_endian") is not True:
        raise DamagedFile("it was saved on a big-endian machine")
    places = legacy_places(stream, size, at, keys, storages(contents))
    return entries(contents, lambda storage: places[storage.key], limit)


def legacy_places(stream, size: int, at: int, keys: list, known: dict[str, Storage]) -> dict[str, int]:
    places = {}
    for key in keys:
        if not isinstance(key, str) or key not in known:
            raise DamagedFile("it lists data of an unknown tensor")
        stream.seek(at)
        written = stream.read(8)
        count = struct.unpack("<q", written)[0] if len(written) == 8 else -1
        end = at + 8 + known[key].count * known[key].dtype.itemsize
        if count != known[key].count or end > size:
            raise DamagedFile(f"the data {key[:40]!r} is truncated or misplaced")
        places[key], at = at + 8, end
    missing = set(known) - set(places)
    if missing:
        raise DamagedFile(f"the data {sorted(missing)[0][:40]!r} is missing")
    return places


def tensors(contents) -> dict[str, PickledTensor]:
    if not isinstance(contents, dict):
        raise DamagedFile("it does not hold a dictionary of tensors")
    return {
        name: value for name, value in contents.items() if isinstance(name, str) and isinstance(value, PickledTensor)
    }


def storages(contents) -> dict[str, Storage]:
    """By key. The place of one is computed from its type and length, so all tensors on it must state the same."""
    found: dict[str, Storage] = {}
    for tensor in tensors(contents).values():
        if found.setdefault(tensor.storage.key, tensor.storage) != tensor.storage:
            raise DamagedFile(f"the data {tensor.storage.key[:40]!r} has two types or lengths")
    return found


def entries(contents, place, limit: TimeLimit) -> dict[str, Entry]:
    """`place` gives the offset of a storage in the file."""
    starts, found = {}, {}
    for key, storage in storages(contents).items():
        limit.check()
        starts[key] = place(storage)
    for name, tensor in tensors(contents).items():
        limit.check()
        found[name] = entry(name, tensor, starts[tensor.storage.key])
    return found


def entry(name: str, tensor: PickledTensor, start: int) -> Entry:
    shape = whole_numbers(tensor.shape, f"the shape of {name[:80]!r}")
    strides = whole_numbers(tensor.strides, f"the strides of {name[:80]!r}")
    (offset,) = whole_numbers([tensor.offset], f"the offset of {name[:80]!r}")
    if len(shape) != len(strides):
        raise DamagedFile(f"{name[:80]!r} has {len(shape)} dimensions and {len(strides)} strides")
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if 0 not in shape and last >= tensor.storage.count:
        raise DamagedFile(f"{name[:80]!r} reaches beyond its data")
    if math.prod(shape) > tensor.storage.count:
        raise DamagedFile(f"{name[:80]!r} repeats its data: reading it would take {math.prod(shape)} elements")
    dtype: torch.dtype = tensor.storage.dtype
    return Entry(dtype, shape, start + offset * dtype.itemsize, strides)
