"""The names of systems: of this Python, of the binary, and of files that are made for others."""

import os
import platform
import shutil
import struct
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from sonic_nodes.extension import binary, targets
from sonic_nodes.extension.native import _sonic

HEADER = Path(__file__).resolve().parents[2] / "csrc" / "core" / "target.h"


def test_this_python_loads_files_of_its_own_target():
    assert _sonic.build_info()["target"] == targets.this()


@pytest.mark.parametrize(
    ("name", "is_called", "machine", "bits", "libc", "expected"),
    [
        ("linux", "linux-x86_64", "x86_64", 64, "glibc 2.28", "linux-x86_64"),
        ("linux", "linux-aarch64", "aarch64", 64, "glibc 2.36", "linux-aarch64"),
        ("linux", "linux-x86_64", "x86_64", 64, None, "linux-musl-x86_64"),
        ("linux", "linux-aarch64", "aarch64", 64, None, "linux-musl-aarch64"),
        ("linux", "linux-x86_64", "x86_64", 32, "glibc 2.31", "linux-x86"),
        ("linux", "linux-i686", "i686", 32, "glibc 2.31", "linux-x86"),
        ("linux", "linux-aarch64", "aarch64", 32, "glibc 2.31", "linux-arm"),
        ("linux", "linux-riscv64", "riscv64", 64, "glibc 2.39", "linux-riscv64"),
        ("win32", "win-amd64", "AMD64", 64, None, "windows-x86_64"),
        ("win32", "win-amd64", "ARM64", 64, None, "windows-x86_64"),  # emulated: WMI names the real processor
        ("win32", "win-arm64", "ARM64", 64, None, "windows-arm64"),
        ("win32", "win32", "AMD64", 32, None, "windows-x86"),
        ("darwin", "macosx-11.0-arm64", "arm64", 64, None, "macos-arm64"),
        ("darwin", "macosx-10.9-universal2", "x86_64", 64, None, "macos-x86_64"),  # Intel, or under Rosetta
        ("freebsd14", "freebsd-14.1-amd64", "amd64", 64, None, "freebsd14-x86_64"),
    ],
)
def test_this(monkeypatch, name, is_called, machine, bits, libc, expected):
    def confstr(key):
        if libc is None:
            raise ValueError("unrecognized configuration name")
        return libc

    monkeypatch.setattr(sys, "platform", name)
    monkeypatch.setattr(sysconfig, "get_platform", lambda: is_called)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(struct, "calcsize", lambda _: bits // 8)
    monkeypatch.setattr(os, "confstr", confstr, raising=False)
    assert targets.this() == expected
    assert (targets.find(expected) is None) != (expected in {target.name for target in targets.TARGETS})


def test_each_name_has_a_title_and_each_other_a_remedy():
    names = [target.name for target in targets.TARGETS]
    assert len(set(names)) == len(names) and not set(names) & set(targets.OTHERS)
    for name, (title, remedy) in targets.OTHERS.items():
        assert title and remedy.startswith("Use a ") or remedy.startswith("Use the ")
        assert targets.no_build(name).startswith(f"there is no build for {title} ({name}), but for Linux on x86-64, ")
    assert targets.no_build("haiku-x86_64").startswith("there is no build for haiku-x86_64 (haiku-x86_64)")


MACROS = {
    "windows": ["_WIN32"],
    "linux": ["__linux__", "__GLIBC__=2"],
    "linux-musl": ["__linux__"],
    "macos": ["__APPLE__"],
    "x86_64": ["__x86_64__"],
    "aarch64": ["__aarch64__"],
    "arm64": ["__aarch64__"],
}


@pytest.mark.skipif(not HEADER.is_file(), reason="the sources are not here")
@pytest.mark.parametrize(
    "name", [*(target.name for target in targets.TARGETS), *(name for name in targets.OTHERS if "64" in name), "other"]
)
def test_the_binary_has_the_same_names(name, tmp_path):
    """The header under each compiler's predefined macros."""
    if not shutil.which("gcc"):
        pytest.skip("install gcc for this test: it preprocesses a header")
    system, _, machine = name.rpartition("-")
    defined = [f"-D{macro}" for macro in [*MACROS.get(system, []), *MACROS.get(machine, [])]]
    (tmp_path / "limits.h").touch()  # this system's would define __GLIBC__
    command = ["gcc", "-undef", *defined, f"-I{tmp_path}", "-E", "-P", "-x", "c", "-"]
    text = f'#include "{HEADER}"\nSONIC_TARGET'
    done = subprocess.run(command, input=text, check=True, capture_output=True, text=True)
    assert done.stdout.split()[-1] == f'"{name}"'


def pe(machine=0x8664, section=(0x400, 0x1200)):
    """A PE file's head with one section of (offset, size)."""
    head = bytearray(0x200)
    head[:2], head[0x3C:0x40] = b"MZ", struct.pack("<I", 0x80)
    head[0x80:0x98] = b"PE\0\0" + struct.pack("<HHIIIHH", machine, 1, 0, 0, 0, 240, 0x2022)
    struct.pack_into("<II", head, 0x98 + 240 + 16, section[1], section[0])
    return bytes(head), sum(section)


def mach(machine=0x0100000C, segment=(0x4000, 0x2345)):
    """A Mach-O file's head with a segment of (offset, size), after a command of another kind."""
    commands = struct.pack("<II8x", 0x1B, 16) + struct.pack("<II16sQQQQ16x", 0x19, 72, b"__TEXT", 0, 0, *segment)
    return struct.pack("<IIIIIIII", 0xFEEDFACF, machine, 0, 6, 2, len(commands), 0, 0) + commands, sum(segment)


def fat(arches=((0x01000007, 0x4000, 0x100), (0x0100000C, 0x8000, 0x777))):
    entries = b"".join(struct.pack(">IIIII", machine, 0, offset, size, 14) for machine, offset, size in arches)
    return struct.pack(">II", 0xCAFEBABE, len(arches)) + entries, max(offset + size for _, offset, size in arches)


@pytest.mark.parametrize(
    ("made", "platform_", "processor", "system", "machine"),
    [
        (pe(), "win32", "x86_64", "Windows", "x86_64"),
        (pe(0xAA64, (0x600, 0x77)), "win32", "aarch64", "Windows", "aarch64"),
        (mach(), "darwin", "aarch64", "macOS", "aarch64"),
        (mach(0x01000007, (0, 0x999)), "darwin", "x86_64", "macOS", "x86_64"),
        (fat(), "darwin", "aarch64", "macOS", ""),
    ],
    ids=["pe", "pe arm64", "mach", "mach x86_64", "fat"],
)
def test_files_of_other_systems_are_checked_too(monkeypatch, tmp_path, made, platform_, processor, system, machine):
    """Whole, cut short at each length, and on another processor."""
    head, size = made
    path = tmp_path / "_sonic.file"
    monkeypatch.setattr(sys, "platform", platform_)
    monkeypatch.setattr(targets, "processor", lambda: processor)
    path.write_bytes(head.ljust(size, b"\0"))
    assert binary.kind_of(head) == (system, machine, size) and binary.flaw(path) is None
    for length in (size - 1, len(head), len(head) // 2, 70, 40, 24, 6):
        path.write_bytes(head.ljust(size, b"\0")[:length])
        assert binary.flaw(path).startswith(f"cut short: it has {length:,} of "), length
    monkeypatch.setattr(targets, "processor", lambda: "mips")
    path.write_bytes(head.ljust(size, b"\0"))
    assert not machine or binary.flaw(path) == f"made for {machine} processors, and this Python is for mips"


def test_real_windows_files_are_read():
    """Those that setuptools has for its scripts, for three processors."""
    import setuptools

    folder = Path(setuptools.__file__).parent
    files = {"cli-64.exe": "x86_64", "cli-arm64.exe": "aarch64", "cli-32.exe": "x86"}
    for name, machine in files.items():
        content = (folder / name).read_bytes()
        kind = binary.kind_of(content[: binary.HEAD_BYTES])
        assert kind[:2] == ("Windows", machine) and len(content) - 16384 < kind.least_bytes <= len(content)
