"""Every allocation of an operator's call fails in turn (failing_calls.cpp): it returns, says so, and leaks nothing."""

import ctypes
import os
import re
import sys
from pathlib import Path

import pytest
import torch

from ..core.compiler import command, run, settings
from .test_example import OBJECTS


@pytest.fixture(scope="module")
def failing_calls(tmp_path_factory):
    """The program: failing_calls.cpp with the objects of csrc/torch and csrc/core."""
    if sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallinfo2"):
        pytest.skip("this test replaces functions with the linker of Linux, and counts with glibc 2.33's mallinfo2")
    objects = [path for folder in ("torch", "core") for path in sorted((OBJECTS / folder).glob("*.o"))]
    if not objects or "LD_PRELOAD" in os.environ:
        pytest.skip("type make build for this test, which links what that compiled, and run it without a sanitizer")
    source, libraries = Path(__file__).with_name("failing_calls.cpp"), Path(torch.__file__).parent / "lib"
    wrapped = "torch_new_list_reserve_size torch_list_push_back aoti_torch_new_tensor_handle aoti_torch_empty_strided "
    wrapped += "torch_new_string_handle calloc dlsym"
    program = tmp_path_factory.mktemp("failing_calls") / "failing_calls"
    include = [flag for path in settings()["SYSTEM_INCLUDES"] for flag in ("-isystem", path)]
    link = [f"-L{libraries}", f"-Wl,-rpath,{libraries}", "-ltorch_cpu", "-lc10", "-lm", "-ldl"]
    link += [f"-Wl,--wrap={name}" for name in wrapped.split()]
    done = run([*command(".cpp"), *include, "-O0", source, *objects, *link, "-o", program])
    assert done.returncode == 0, done.stderr
    return program


@pytest.mark.parametrize("torch_version", ["2.10", "2.13"])
def test_each_allocation_may_fail(failing_calls, torch_version):
    """2.10: without torch_new_stable_ivalue."""
    done = run([failing_calls, torch_version])
    assert done.returncode == 0, done.stdout + done.stderr
    counts = [int(count) for count in re.findall(r"^op=\w+: (\d+) allocations$", done.stdout, re.MULTILINE)]
    assert len(counts) == 6 and min(counts) > 8, done.stdout
