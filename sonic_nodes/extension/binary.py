"""Checks the extension's file before it is loaded: mapping a truncated file would crash the process, and the loader's
error for another machine's file is hard to understand."""

import platform
import re
import struct
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

FOLDER = Path(__file__).absolute().parents[1]
MACHINES = {3: "i386", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv64"}  # e_machine, ELF-64 Object File Format
SAME = {"amd64": "x86_64", "arm64": "aarch64"}
HEADER_BYTES = 64
HEAD_BYTES = 4096  # the header and the segment table after it


def find(folder: Path = FOLDER) -> Path | None:
    """The file that Python would load; else one for another system; else None."""
    native = [folder / f"_sonic{suffix}" for suffix in EXTENSION_SUFFIXES]
    others = sorted(path for path in folder.glob("_sonic.*") if path.suffix in (".so", ".pyd", ".dylib"))
    return next((path for path in [*native, *others] if path.is_file()), None)


def flaw(path: Path) -> str | None:
    """What is wrong with the file, to follow "it is": "cut short: ..."; None if it may be loaded."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the file itself"
    kind, machine = kind_of(head)
    if kind is None:
        return f"not a shared library ({size:,} bytes)"
    if kind != system():
        return f"made for {kind}, and this is {system()}"
    if machine and machine != processor():
        return f"made for {machine} processors, and this one is {processor()}"
    if kind == "Linux" and size < (whole := elf_bytes(head)):
        return f"cut short: it has {size:,} of {whole:,} bytes"
    return None


def kind_of(head: bytes) -> tuple[str | None, str]:
    """(the system of a file with these first bytes, its processor or "" if unknown)."""
    if head[:4] == b"\x7fELF":
        return "Linux", MACHINES.get(struct.unpack_from("<H", head.ljust(20, b"\0"), 18)[0], "")
    if head[:2] == b"MZ":
        return "Windows", ""
    if head[:4] in (b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe"):
        return "macOS", ""
    return None, ""


def elf_bytes(head: bytes) -> int:
    """The least size of the file (ELF-64 Object File Format): it holds the section table and every segment."""
    if len(head) < HEADER_BYTES:
        return HEADER_BYTES
    segments, sections = struct.unpack_from("<QQ", head, 32)
    segment_size, segment_count, section_size, section_count = struct.unpack_from("<HHHH", head, 54)
    ends = [HEADER_BYTES, segments + segment_size * segment_count, sections + section_size * section_count]
    for at in range(segments, segments + segment_size * segment_count, max(segment_size, 1)):
        if at + 40 <= len(head):
            offset, _, _, size = struct.unpack_from("<QQQQ", head, at + 8)
            ends.append(offset + size)
    return max(ends)


def system() -> str:
    return {"linux": "Linux", "darwin": "macOS", "win32": "Windows"}.get(sys.platform, sys.platform)


def processor() -> str:
    name = platform.machine().lower()
    return SAME.get(name, name)


def needed_libc(text: str) -> str | None:
    """ "GLIBC_2.38" of a loader's error about a missing symbol version, else None."""
    found = re.search(r"version [`'\"]((?:GLIBC|GLIBCXX|CXXABI|GCC)_[\w.]+)['\"] not found", text)
    return found.group(1) if found else None
