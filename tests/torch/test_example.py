"""The example at the top of csrc/torch/tensor.h: compiled with our warnings, linked to our objects, and run."""

import re
import sys
from pathlib import Path

import pytest
import torch

from ..core.compiler import CSRC, ROOT, command, compile_text, run

OBJECTS = ROOT / "build" / "native" / "objects" / "csrc"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the flags of setup.py are tried with gcc")


def example() -> str:
    """The indented lines of the header comment."""
    if not CSRC.is_dir():
        pytest.skip("run this in a checkout: it reads csrc/")
    comment = (CSRC / "torch" / "tensor.h").read_text("utf-8").split("*/")[0]
    return "\n".join(
        re.sub(r"^ \*( {5})?", "", line) for line in comment.splitlines() if re.match(r" \*( {5}|$)", line)
    )


def test_it_compiles():
    source = example()
    assert "int main(void)" in source
    report = compile_text(source, ".c", "-fsyntax-only")
    assert not report, report


def test_it_runs(tmp_path):
    """Linked to csrc/torch and csrc/core alone: they need no other folder."""
    objects = [path for folder in ("torch", "core") for path in sorted((OBJECTS / folder).glob("*.o"))]
    if not objects:
        pytest.skip("type make build for this test: it links what that compiled")
    source, program = tmp_path / "example.c", tmp_path / "example"
    source.write_text(example(), "utf-8")
    libraries = Path(torch.__file__).parent / "lib"
    link = [f"-L{libraries}", f"-Wl,-rpath,{libraries}", "-ltorch_cpu", "-lc10", "-lstdc++", "-lm", "-ldl"]
    linked = run([*command(".c"), source, *objects, *link, "-o", program])
    assert linked.returncode == 0, linked.stderr
    done = run([program])
    assert (done.returncode, done.stdout) == (0, "4 -3\n"), done.stderr
