"""The object files of csrc/: no exception and no block of memory of our C++ library reaches libtorch."""

import re
import shutil
import subprocess
from pathlib import Path

import lief
import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*command):
    if not shutil.which(command[0]):
        pytest.skip(f"install binutils and g++ for this test: {command[0]} is absent")
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


# What throws, allocates or frees in C++, in the names of GCC and Clang and in those of Microsoft.
CPLUSPLUS_HEAP = r"_Zn[wa]|_Zd[la]|_*\?\?[23_][XUV]@?|_*\?\?_[UV]@"
THROWN = r"__cxa_(throw|rethrow|allocate_exception)|_ZSt\d+__throw_|_*CxxThrowException"
MACH_O = b"\xcf\xfa\xed\xfe"  # of 64 bits, little-endian
CATCHING = {
    "vision": "OpenCV throws",
    "gelu": "libtorch's C++ function throws",
    "glibc_compat": "stands for functions of libstdc++ that throw, which OpenCV calls",
    "hidden_new": "stands for the operators of libc++ that throw, which OpenCV calls",
}


def objects():
    """The object files of csrc/ that this machine has built, for whatever system, except those with a sanitizer."""
    found = [path for path in (ROOT / "build").glob("*/objects/csrc/**/*.o") if not {"asan", "ubsan"} & set(path.parts)]
    if not found:
        pytest.skip("type make build for this test: it reads the object files")
    return found


def undefined(path):
    """Names as C has them: without the underscore of macOS, whose files GNU's nm does not read."""
    if path.read_bytes()[:4] == MACH_O:
        symbols = lief.parse(str(path)).symbols
        return {s.name.removeprefix("_") for s in symbols if s.type == lief.MachO.Symbol.TYPE.UNDEFINED}
    return {line.split()[-1] for line in run("nm", "-u", path).splitlines() if line.strip()}


def test_no_object_of_ours_throws_and_torch_s_share_no_heap():
    """No exception and no block of memory of our C++ library reaches libtorch, whose library may be another one."""
    for path in objects():
        names = undefined(path)
        if "torch" in path.parts:
            assert not {name for name in names if re.match(CPLUSPLUS_HEAP, name)}, path
        if path.stem not in CATCHING:
            assert not {name for name in names if re.match(f"{THROWN}|__cxa_end_catch", name)}, path


def test_what_throws_is_found(tmp_path):
    """The patterns above, tried on objects that do what they forbid."""
    texts = {
        THROWN: ["#include <vector>\nint f(std::vector<int> &v) { return v.at(3); }", "void f() { throw 1; }"],
        CPLUSPLUS_HEAP: ["int *f() { return new int; }", "void f(int *x) { delete[] x; }"],
    }
    for pattern, sources in texts.items():
        for source in sources:
            (tmp_path / "x.cpp").write_text(source)
            run("g++", "-c", tmp_path / "x.cpp", "-o", tmp_path / "x.o")
            assert any(re.match(pattern, name) for name in undefined(tmp_path / "x.o")), source
