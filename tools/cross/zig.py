"""Zig, a C and C++ compiler (clang) that has the headers and libraries of Windows and macOS: PyPI's ziglang."""

import os
import shutil
import sys
import zipfile
from pathlib import Path

from . import cache

VERSION = "0.17.1"
WHEEL = cache.Pinned(
    "ziglang",
    VERSION,
    f"ziglang-{VERSION}-py3-none-manylinux_2_12_x86_64.manylinux2010_x86_64.musllinux_1_1_x86_64.whl",
    "ea6cc5d87b033cf0aedfbc8f9549a908cae6c50ac31f1698188fa48a74524b54",
    101,
)
# Parts of Zig's own folder that every binary contains, and the names of their licences in the wheel.
LICENSES = {
    "LICENSE": "Zig-LICENSE.txt",
    "lib/libcxx/LICENSE.TXT": "libcxx-LICENSE.txt",
    "lib/libcxxabi/LICENSE.TXT": "libcxxabi-LICENSE.txt",
    "lib/libunwind/LICENSE.TXT": "libunwind-LICENSE.txt",
}
WINDOWS_LICENSES = {"lib/libc/mingw/COPYING": "mingw-w64-COPYING.txt"}
PROGRAMS = ("ar", "ranlib", "rc", "dlltool")


def folder(log: Path) -> Path:
    """Zig's folder: `zig`, and bin/ with the programs that CMake wants as files of their own."""
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        sys.exit("Build for other systems on Linux on x86-64: the pinned Zig is the one for it.")

    def unpack(place: Path) -> None:
        with zipfile.ZipFile(cache.downloaded(WHEEL, log, "--only-binary=:all:")) as archive:
            archive.extractall(place)
        shutil.move(place / "ziglang", place / "zig")
        (place / "zig" / "zig").chmod(0o755)
        (place / "bin").mkdir()
        for name in PROGRAMS:
            script = place / "bin" / name
            script.write_text(f'#!/bin/sh\nexec "$(dirname "$0")/../zig/zig" {name} "$@"\n')
            script.chmod(0o755)

    return cache.made_once(f"zig-{VERSION}", unpack)


def licenses(log: Path, triple: str) -> dict[Path, str]:
    """Files, by the name that they have in the wheel, of what the compiler links into a binary."""
    chosen = {**LICENSES, **(WINDOWS_LICENSES if "windows" in triple else {})}
    return {folder(log) / "zig" / path: name for path, name in chosen.items()}


def compiler(log: Path, triple: str, language: str) -> list[str]:
    """The command of the compiler for "cc" or "c++"; `triple` is Zig's, such as x86_64-windows-gnu."""
    command = [str(folder(log) / "zig" / "zig"), language, "-target", triple]
    if language == "c++" and "macos" in triple:
        # Clang's float.h is read twice, for INFINITY by math.h and for FLT_MAX and the like, but libc++'s, which
        # includes it, once: this part of it has the rest.
        command += ["-include", "__float_float.h"]
    return command


def environment() -> dict[str, str]:
    """Zig keeps what it compiles, its C runtime among it, in our cache instead of in one of its own."""
    place = str(cache.root() / f"zig-{VERSION}-compiled")
    return {"ZIG_GLOBAL_CACHE_DIR": place, "ZIG_LOCAL_CACHE_DIR": place}


def full_environment() -> dict[str, str]:
    return {**os.environ, **environment()}
