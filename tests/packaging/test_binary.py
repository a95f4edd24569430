"""The extension's file: its exports and imports, and that it needs nothing newer than the oldest supported Python and
PyTorch."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from abi3info import DATAS, FUNCTIONS
from abi3info.models import PyVersion, Symbol

from sonic_nodes.extension.native import _sonic

OLDEST_PYTHON = PyVersion(3, 10)
OLDEST_TORCH = Path(__file__).resolve().parents[2] / "tools" / "cross" / "symbols" / "torch_2.10.txt"


def run(*command):
    if not shutil.which(command[0]):
        pytest.skip(f"install binutils for this test: {command[0]} is absent")
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def symbols(which, binary):
    """Names in the dynamic symbol table, without their versions."""
    names = [line.split()[-1].split("@")[0] for line in run("nm", "-D", which, binary).splitlines()]
    return {name for name in names if "asan" not in name}


def test_only_the_init_function_is_exported(binary):
    assert symbols("--defined-only", binary) == {"PyInit__sonic"}


def test_python_is_used_through_the_limited_api_of_3_10(binary):
    names = {name for name in symbols("--undefined-only", binary) if re.match("_?Py", name)}
    known = {name: FUNCTIONS.get(Symbol(name)) or DATAS.get(Symbol(name)) for name in names}
    assert "PyModuleDef_Init" in names
    assert not {
        name: entry and str(entry.added)
        for name, entry in known.items()
        if entry is None or entry.added > OLDEST_PYTHON
    }


def test_abi3audit_finds_nothing(binary):
    command = [sys.executable, "-m", "abi3audit", "--strict", "--report", "--assume-minimum-abi3", "3.10", str(binary)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)["specs"][str(binary)]["object"]["result"]
    assert result["is_abi3"] and result["is_abi3_baseline_compatible"] and result["baseline"] == "3.10"


def test_torch_is_used_through_c_functions(binary):
    names = symbols("--undefined-only", binary)
    assert {"torch_call_dispatcher", "torch_get_num_threads"} <= names
    mangled = {name for name in names if name.startswith("_Z") and re.search(r"3c10|2at|5torch|5caffe|8pybind11", name)}
    assert not mangled, "these bind the binary to one version of PyTorch"
    absent = {name for name in names if re.match("aoti_torch_|torch_", name)} - set(
        OLDEST_TORCH.read_text("utf-8").split()
    )
    assert not absent, "PyTorch 2.10 has no such function: look it up at run time"


def test_needs_no_library_that_a_machine_may_lack(binary):
    dynamic = run("readelf", "-d", binary)
    needed = set(re.findall(r"\(NEEDED\).*\[(.+?)[-.]", dynamic))
    allowed = {"libtorch_cpu", "libc10", "libstdc++", "libgcc_s", "libm", "libc", "libpthread", "ld", "ld-linux"}
    if binary == Path(_sonic.__file__):  # a local build, perhaps with a sanitizer
        allowed |= {"libopencv_core", "libopencv_imgproc", "libopencv_video", "libjpeg", "libasan", "libubsan"}
    assert needed <= allowed
    assert not re.search("RPATH|RUNPATH", dynamic), "a search path of the building machine is in the binary"
