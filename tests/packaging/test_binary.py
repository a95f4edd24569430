"""The extension as a file: what it shows, what it needs, and that it asks nothing newer than the oldest Python and PyTorch it serves."""
import re
import shutil
import subprocess

import pytest
from abi3info import DATAS, FUNCTIONS
from abi3info.models import PyVersion, Symbol

from sonic_nodes.native import _sonic

OLDEST_PYTHON = PyVersion(3, 10)


def run(*command):
    if not shutil.which(command[0]):
        pytest.skip(f"install binutils for this test: {command[0]} is absent")
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def symbols(which):
    """Names in the dynamic symbol table, without the version behind @."""
    names = [line.split()[-1].split("@")[0] for line in run("nm", "-D", which, _sonic.__file__).splitlines()]
    return {name for name in names if "asan" not in name}


def test_only_the_init_function_is_shown():
    assert symbols("--defined-only") == {"PyInit__sonic"}


def test_python_is_used_through_the_limited_api_of_3_10():
    names = {name for name in symbols("--undefined-only") if re.match("_?Py", name)}
    known = {name: FUNCTIONS.get(Symbol(name)) or DATAS.get(Symbol(name)) for name in names}
    assert "PyModuleDef_Init" in names
    assert not {name: entry and str(entry.added) for name, entry in known.items() if entry is None or entry.added > OLDEST_PYTHON}


def test_torch_is_used_through_c_functions():
    names = symbols("--undefined-only")
    assert {"torch_call_dispatcher", "torch_parallel_for"} <= names
    mangled = {name for name in names if name.startswith("_Z") and re.search(r"3c10|2at|5torch|5caffe|8pybind11", name)}
    assert not mangled, "these bind the binary to one version of PyTorch"


def test_needs_no_library_that_a_machine_may_lack():
    dynamic = run("readelf", "-d", _sonic.__file__)
    needed = set(re.findall(r"\(NEEDED\).*\[(.+?)[-.]", dynamic))
    allowed = {"libtorch_cpu", "libtorch", "libc10", "libopencv_core", "libopencv_imgproc", "libopencv_video", "libjpeg",
               "libstdc++", "libgcc_s", "libm", "libc", "libdl", "libpthread", "ld", "ld-linux", "libasan", "libubsan"}
    assert needed <= allowed
    assert not re.search("RPATH|RUNPATH", dynamic), "a search path of the building machine is in the binary"
