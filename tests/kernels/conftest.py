"""A driver and a compiler of a card that stand in (fake_cuda.c): kernels run in C, on the CPU's tensors."""

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from sonic_nodes import kernels

HERE = Path(__file__).resolve().parent
CSRC = HERE.parent.parent / "csrc"


@pytest.fixture(scope="session")
def fake_library(tmp_path_factory):
    compiler = shutil.which("gcc") or shutil.which("clang") or shutil.which("cc")
    if not compiler or not CSRC.is_dir():
        pytest.skip("install a C compiler, and run this in a checkout: it compiles csrc/kernels")
    folder = tmp_path_factory.mktemp("fake_cuda")
    flags = [compiler, "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", f"-I{CSRC}"]
    objects = []
    for value in range(3):
        objects.append(str(folder / f"host_kernels_{value}.o"))
        source = str(HERE / "host_kernels.c")
        subprocess.run([*flags, f"-DSONIC_VALUE={value}", "-c", "-o", objects[-1], source], check=True)
    library = folder / "libfake_cuda.so"
    subprocess.run([*flags, "-shared", "-o", library, HERE / "fake_cuda.c", *objects, "-lm"], check=True)
    return ctypes.CDLL(str(library))


@pytest.fixture
def fake_cuda(fake_library):
    """The library, without planted failures; no kernel is loaded before and after the test."""
    kernels.unload()
    fake_library.fake_fail(b"")
    yield fake_library
    kernels.unload()
    fake_library.fake_fail(b"")
    assert fake_library.fake_contexts() == 0
    assert fake_library.fake_modules() == 0


@pytest.fixture
def card(fake_cuda, tmp_path):
    """Loads the kernels of all types for the CPU's tensors."""
    for dtype in kernels.VALUES:
        kernels.load(torch.device("cpu"), dtype, "sm_86", fake_cuda, fake_cuda, tmp_path)
    return fake_cuda
