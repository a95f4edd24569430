"""Checks the extension's file before it is loaded: mapping a truncated file would crash the process, and the loader's
error for another machine's file is hard to understand."""

import re
import struct
import sys
from pathlib import Path
from typing import NamedTuple

from . import targets

HEAD_BYTES = 1 << 15  # the header and the tables after it
HEADER_BYTES = 64  # of ELF, and of MS-DOS before PE's
# e_machine (ELF-64 Object File Format), Machine (PE Format), cputype (mach/machine.h)
ELF_MACHINES = {3: "x86", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv64"}
PE_MACHINES = {0x14C: "x86", 0x1C4: "arm", 0x8664: "x86_64", 0xAA64: "aarch64"}
MACH_MACHINES = {7: "x86", 12: "arm", 0x01000007: "x86_64", 0x0100000C: "aarch64"}
MACH_SEGMENT_64 = 0x19


class Kind(NamedTuple):
    """What a file's first bytes say: its system or None, its processor or "" if unknown, and its least size."""

    system: str | None
    machine: str = ""
    least_bytes: int = 0


def flaw(path: Path) -> str | None:
    """What is wrong with the file, to follow "it is": "cut short: ..."; None if it may be loaded."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the file itself"
    kind = kind_of(head)
    if kind.system is None:
        return f"not a shared library ({size:,} bytes)"
    if kind.system != system():
        return f"made for {kind.system}, and this is {system()}"
    if size < kind.least_bytes:
        return f"cut short: it has {size:,} of {kind.least_bytes:,} bytes"
    if kind.machine and kind.machine != targets.processor():
        return f"made for {kind.machine} processors, and this Python is for {targets.processor()}"
    return None


def kind_of(head: bytes) -> Kind:
    """Of a file with these first bytes, at most HEAD_BYTES of them. A table that is not in them counts as cut off."""
    readers = {b"\x7fELF": elf, b"\xcf\xfa\xed\xfe": mach, b"\xca\xfe\xba\xbe": fat_mach}
    reader = pe if head[:2] == b"MZ" else readers.get(head[:4])
    return reader(head) if reader else Kind(None)


def elf(head: bytes) -> Kind:
    """ELF-64 Object File Format: the file holds the section table and every segment."""
    machine = ELF_MACHINES.get(struct.unpack_from("<H", head.ljust(20, b"\0"), 18)[0], "")
    if len(head) < HEADER_BYTES:
        return Kind("Linux", machine, HEADER_BYTES)
    segments, sections = struct.unpack_from("<QQ", head, 32)
    segment_size, segment_count, section_size, section_count = struct.unpack_from("<HHHH", head, 54)
    table = segments + segment_size * segment_count
    ends = [HEADER_BYTES, table, sections + section_size * section_count]
    for at in range(segments, table, max(segment_size, 1)):
        if at + 40 <= len(head):
            offset, _, _, size = struct.unpack_from("<QQQQ", head, at + 8)
            ends.append(offset + size)
    return Kind("Linux", machine, max(ends))


def pe(head: bytes) -> Kind:
    """PE Format: the file holds the section table and every section's data."""
    if len(head) < HEADER_BYTES:
        return Kind("Windows", "", HEADER_BYTES)
    start = struct.unpack_from("<I", head, 0x3C)[0]
    if len(head) < start + 24:
        return Kind("Windows", "", start + 24)
    if head[start : start + 4] != b"PE\0\0":
        return Kind(None)
    machine, sections = struct.unpack_from("<HH", head, start + 4)
    first = start + 24 + struct.unpack_from("<H", head, start + 20)[0]
    ends = [first + 40 * sections]
    for at in range(first, min(ends[0], len(head) - 39), 40):
        size, offset = struct.unpack_from("<II", head, at + 16)
        ends.append(offset + size)
    return Kind("Windows", PE_MACHINES.get(machine, ""), max(ends))


def mach(head: bytes) -> Kind:
    """Mach-O of 64 bits (mach-o/loader.h): the file holds the load commands and every segment."""
    if len(head) < 32:
        return Kind("macOS", "", 32)
    machine, _, _, count, size = struct.unpack_from("<IIIII", head, 4)
    ends, at = [32 + size], 32
    for _ in range(count):
        if at + 56 > len(head):
            break
        command, length = struct.unpack_from("<II", head, at)
        if command == MACH_SEGMENT_64:
            ends.append(sum(struct.unpack_from("<QQ", head, at + 40)))
        at += max(length, 8)
    return Kind("macOS", MACH_MACHINES.get(machine, ""), max(ends))


def fat_mach(head: bytes) -> Kind:
    """Several Mach-O files in one (mach-o/fat.h); the loader chooses by processor."""
    count = struct.unpack_from(">I", head.ljust(8, b"\0"), 4)[0]
    table = 8 + 20 * count
    ends = [sum(struct.unpack_from(">II", head, at + 8)) for at in range(8, min(table, len(head) - 19), 20)]
    return Kind("macOS", "", max([table, *ends]))


def system() -> str:
    return targets.SYSTEMS.get(sys.platform, sys.platform)


def needed_libc(text: str) -> str | None:
    """ "GLIBC_2.38" of a loader's error about a missing symbol version, else None."""
    found = re.search(r"version [`'\"]((?:GLIBC|GLIBCXX|CXXABI|GCC)_[\w.]+)['\"] not found", text)
    return found.group(1) if found else None
