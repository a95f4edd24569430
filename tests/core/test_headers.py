"""Every header of csrc/ compiles alone, and all of them together in either order: no two define the same name."""

import re
import sys

import pytest

from .compiler import CSRC, compile_text

CPLUSPLUS = {"torch/internal.h"}  # the others are C

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the flags of setup.py are tried with gcc")


def headers() -> list[str]:
    return sorted(path.relative_to(CSRC).as_posix() for path in CSRC.rglob("*.h"))


def check(names: list[str], suffix: str):
    text = "".join(f'#include "{name}"\n' for name in names) + "typedef int not_empty;\n"
    report = compile_text(text, suffix, "-fsyntax-only")
    assert not report, report


@pytest.mark.parametrize("name", headers())
def test_a_header_includes_what_it_needs(name):
    check([name], ".cpp" if name in CPLUSPLUS else ".c")


@pytest.mark.parametrize("backwards", [False, True], ids=["sorted", "reversed"])
def test_all_headers_together(backwards):
    check(sorted(set(headers()) - CPLUSPLUS, reverse=backwards), ".c")


@pytest.mark.parametrize("backwards", [False, True], ids=["sorted", "reversed"])
def test_headers_of_torch_in_cpp(backwards):
    """The C++ files of csrc/torch include C headers: those must be C++, too."""
    check(sorted((name for name in headers() if name.startswith(("torch/", "core/"))), reverse=backwards), ".cpp")


def test_includes_point_down():
    """core < every other folder < bindings; csrc/torch uses csrc/core alone."""
    for path in (path for suffix in (".h", ".c", ".cpp") for path in CSRC.rglob("*" + suffix)):
        folder = path.relative_to(CSRC).parts[0]
        included = set(re.findall(r'^#include "(\w+)/', path.read_text("utf-8"), re.MULTILINE)) - {folder}
        assert folder not in ("core", "sonic.h") or not included, path
        assert folder != "torch" or included <= {"core"}, path
        assert "bindings" not in included, path
