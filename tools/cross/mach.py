"""Corrects what Zig's linker writes into a library for macOS.

It has the loader look for each weak symbol in all libraries of the process, also for hidden ones of which the library
has its own: parts of libc++ would then be the system's, which libtorch loads, and parts our own. Apple's
linker leaves hidden symbols alone. Here the list is taken out of the file, and the hash of the changed page in the
file's signature, which Apple's processors demand, is made anew. Layouts: mach-o/loader.h, and cs_blobs.h of xnu.
"""

import hashlib
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

MAGIC = 0xFEEDFACF  # of 64 bits, little-endian
HEADER = struct.Struct("<8I")  # magic, processor, its kind, file type, number of commands, their bytes, flags, 0
WEAK_DEFINES, BINDS_TO_WEAK = 0x8000, 0x10000  # flags
DYLD_INFO, SIGNATURE = 0x80000022, 0x1D  # commands
WEAK_BIND = 24  # in DYLD_INFO: offset and size of the list of weak symbols
SUPER_BLOB, CODE_DIRECTORY = 0xFADE0CC0, 0xFADE0C02
# magic, length, version, flags, offset of the hashes, of the name, special hashes, hashes, bytes that they cover, size
# and kind of a hash, platform, logarithm of a page's size
DIRECTORY = struct.Struct(">9I4B")
SHA256 = 2


class NotAsExpected(Exception):
    """The file is none of Zig's linker, or of a newer one."""


def commands(data: bytes) -> Iterator[tuple[int, int]]:
    """(command, its offset) of each load command."""
    at = HEADER.size
    for _ in range(HEADER.unpack_from(data)[4]):
        command, size = struct.unpack_from("<2I", data, at)
        yield command, at
        at += size


def code_directory(data: bytes) -> int:
    """The offset of the signature's list of hashes."""
    at = next((offset for command, offset in commands(data) if command == SIGNATURE), None)
    if at is None:
        raise NotAsExpected("it has no signature")
    (place,) = struct.unpack_from("<I", data, at + 8)
    magic, _, count = struct.unpack_from(">3I", data, place)
    for i in range(count if magic == SUPER_BLOB else 0):
        _, offset = struct.unpack_from(">2I", data, place + 12 + 8 * i)
        if struct.unpack_from(">I", data, place + offset)[0] == CODE_DIRECTORY:
            return place + offset
    raise NotAsExpected("its signature has no hashes")


def hashes(data: bytes) -> tuple[int, bytes]:
    """The offset of the hashes in the file, and what they have to be: SHA-256 of each page."""
    at = code_directory(data)
    _, _, _, _, offset, _, _, count, covered, size, kind, _, page = DIRECTORY.unpack_from(data, at)
    if (size, kind) != (hashlib.sha256().digest_size, SHA256):
        raise NotAsExpected("its signature has other hashes than SHA-256")
    starts = range(0, covered, 1 << page)
    if len(starts) != count:
        raise NotAsExpected("its signature has another number of pages")
    made = (hashlib.sha256(data[start : min(start + (1 << page), covered)]).digest() for start in starts)
    return at + offset, b"".join(made)


def corrected(data: bytes) -> bytes:
    """The file without weak symbols; the same bytes if it has none."""
    if HEADER.unpack_from(data)[0] != MAGIC:
        raise NotAsExpected("it is no Mach-O file of 64 bits")
    flags = HEADER.unpack_from(data)[6]
    if flags & WEAK_DEFINES:
        raise NotAsExpected("weak symbols are among its exports (csrc/core/hidden_new.c hides those of libc++)")
    place, wanted = hashes(data)
    if data[place : place + len(wanted)] != wanted:
        raise NotAsExpected("its signature is not that of its bytes")
    if not flags & BINDS_TO_WEAK:
        return data
    changed = bytearray(data)
    struct.pack_into("<I", changed, 24, flags & ~BINDS_TO_WEAK)
    for command, at in commands(data):
        if command == DYLD_INFO:
            struct.pack_into("<2I", changed, at + WEAK_BIND, 0, 0)
    place, wanted = hashes(bytes(changed))
    changed[place : place + len(wanted)] = wanted
    return bytes(changed)


def correct(path: Path) -> None:
    """Rewrites the library. Exits with a sentence where it is not what Zig 0.17 links."""
    try:
        path.write_bytes(corrected(path.read_bytes()))
    except (NotAsExpected, struct.error) as error:
        sys.exit(f"Look at tools/cross/mach.py, which knows the files of another linker: in {path} {error}.")
