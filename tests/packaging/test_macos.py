"""The wheel for macOS, which Linux cannot run: what macOS's own tool for wheels, delocate, says of it, and what is
corrected in the linker's file.

delocate asks otool, of Apple's; LLVM's answers the same questions on Linux."""

import hashlib
import os
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import lief
import pytest

from tools.cross import mach

BINARY = "sonic_nodes/_sonic.abi3.so"
OTOOL = """#!/bin/sh
# LLVM's otool has no -m, which says that a name with brackets is no member of an archive.
for word; do shift; [ "$word" = -m ] || set -- "$@" "$word"; done
exec {otool} "$@"
"""


def llvm_otool() -> str:
    """The newest of this machine: "llvm-otool" or Debian's "llvm-otool-14"."""
    names = ["llvm-otool", *(f"llvm-otool-{version}" for version in range(40, 12, -1))]
    found = [path for path in map(shutil.which, names) if path]
    if not found:
        pytest.skip("install llvm (apt-get install llvm) for this test: delocate asks its otool")
    return found[0]


@pytest.fixture(scope="module")
def dependencies(tmp_path_factory):
    """dependencies(wheel): the libraries that delocate finds in it, those of the system too."""
    tools = tmp_path_factory.mktemp("tools")
    (tools / "otool").write_text(OTOOL.format(otool=llvm_otool()))
    (tools / "otool").chmod(0o755)
    found = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.defpath}"}

    def run(path: Path) -> set[str]:
        command = [sys.executable, "-m", "delocate.cmd.delocate_listdeps", "--all", str(path)]
        done = subprocess.run(command, env=found, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return set(done.stdout.split())

    return run


def test_delocate_finds_nothing_to_copy(wheel_named, dependencies):
    assert dependencies(wheel_named("macos-arm64")) == {"/usr/lib/libSystem.B.dylib"}


def test_delocate_finds_a_library_that_is_not_the_systems(wheel_named, dependencies, tmp_path):
    """The test above can fail."""
    wheel = wheel_named("macos-arm64")
    with zipfile.ZipFile(wheel) as archive:
        file = lief.parse(archive.extract(BINARY, tmp_path))
    file.add_library("/usr/lib/libextra.dylib")
    file.write(str(tmp_path / BINARY))
    with zipfile.ZipFile(tmp_path / wheel.name, "w") as archive:
        archive.write(tmp_path / BINARY, BINARY)
    assert "/usr/lib/libextra.dylib" in dependencies(tmp_path / wheel.name)


PAGE = 4096


def file_of_linker(flags=mach.BINDS_TO_WEAK, pages=2) -> bytes:
    """A header, the two commands that matter, and a signature after these pages."""
    covered = pages * PAGE - 100
    info = struct.pack("<12I", mach.DYLD_INFO, 48, *(1, 2, 3, 4), 3000, 976, *(5, 6, 7, 8))
    signature = struct.pack("<4I", mach.SIGNATURE, 16, covered, 1000)
    header = mach.HEADER.pack(mach.MAGIC, 0x100000C, 0, 6, 2, len(info + signature), flags, 0)
    content = (header + info + signature).ljust(covered, b"\x5a")
    digests = b"".join(hashlib.sha256(content[start : start + PAGE]).digest() for start in range(0, covered, PAGE))
    at = mach.DIRECTORY.size + 8
    numbers = (
        mach.CODE_DIRECTORY,
        at + len(digests),
        0x20400,
        2,
        at,
        at - 8,
        0,
        pages,
        covered,
        32,
        mach.SHA256,
        0,
        12,
    )
    directory = mach.DIRECTORY.pack(*numbers) + b"_sonic\0\0" + digests
    return content + struct.pack(">5I", mach.SUPER_BLOB, 20 + len(directory), 1, 0, 20) + directory


def test_weak_symbols_are_taken_out_and_the_signature_stays_true():
    before = file_of_linker()
    after = mach.corrected(before)
    assert after == mach.corrected(after) and len(after) == len(before)
    assert mach.HEADER.unpack_from(after)[6] == 0 and mach.HEADER.unpack_from(before)[6] == mach.BINDS_TO_WEAK
    info = dict(mach.commands(after))[mach.DYLD_INFO]
    assert struct.unpack_from("<12I", after, info)[2:] == (1, 2, 3, 4, 0, 0, 5, 6, 7, 8)
    place, wanted = mach.hashes(after)
    first = hashlib.sha256(after[:PAGE]).digest()
    assert after[place : place + len(wanted)] == wanted and wanted[:32] == first != before[place : place + 32]
    assert wanted[32:] == before[place + 32 : place + 64]  # the page that did not change


def test_a_file_without_weak_symbols_stays():
    assert mach.corrected(file_of_linker(flags=0)) == file_of_linker(flags=0)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (file_of_linker(flags=mach.WEAK_DEFINES), "weak symbols are among its exports"),
        (file_of_linker().replace(b"Z" * 200, b"z" * 200, 1), "its signature is not that of its bytes"),
        (file_of_linker().replace(struct.pack("<I", mach.SIGNATURE), b"\x2a\0\0\0", 1), "it has no signature"),
        (b"\x7fELF" + bytes(100), "it is no Mach-O file"),
    ],
)
def test_a_file_of_another_linker_is_refused(tmp_path, data, reason):
    (tmp_path / "x.so").write_bytes(data)
    with pytest.raises(SystemExit, match=f"^Look at tools/cross/mach.py, .*{reason}"):
        mach.correct(tmp_path / "x.so")
    assert (tmp_path / "x.so").read_bytes() == data
