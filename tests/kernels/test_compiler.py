"""What NVRTC makes of the kernels for every card they are for: no spills, few registers, little shared memory."""

import ctypes
import re
import sysconfig
from pathlib import Path

import pytest

from sonic_nodes.extension.native import _sonic

CARDS = ("sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120")
MAX_REGISTERS, MAX_SHARED_BYTES = 64, 48 << 10  # 4 blocks of 256 threads a multiprocessor; what needs no request
KERNELS = {"group_norm_sums", "group_norm_apply", "geglu", "layer_norm", "add_scaled"}


@pytest.fixture(scope="module")
def nvrtc():
    folder = Path(sysconfig.get_paths()["platlib"], "nvidia")
    found = sorted(folder.glob("*/lib/libnvrtc.so.*"))
    if not found:
        pytest.skip("install nvidia-cuda-nvrtc (x86-64 Linux: requirements-dev.txt has it): it compiles the kernels")
    return ctypes.CDLL(str(found[-1]))


def usage(log: str) -> dict[str, tuple[int, int, int]]:
    """{kernel: (registers, bytes of shared memory, bytes spilled)} of ptxas' report."""
    kernels = {}
    for part in log.split("Compiling entry function '")[1:]:
        spilled = sum(map(int, re.findall(r"(\d+) bytes spill", part)))
        shared = re.search(r"(\d+) bytes smem", part)
        registers = int(re.search(r"Used (\d+) registers", part)[1])
        kernels[part.split("'")[0]] = (registers, int(shared[1]) if shared else 0, spilled)
    return kernels


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("value", [0, 1, 2], ids=["float32", "float16", "bfloat16"])
def test_kernels_fit_each_card(nvrtc, card, value):
    image, log = _sonic.kernels_compile(nvrtc._handle, card, value)
    assert image[:4] == b"\x7fELF"
    found = usage(log)
    assert set(found) == KERNELS
    for name, (registers, shared, spilled) in found.items():
        assert registers <= MAX_REGISTERS and shared <= MAX_SHARED_BYTES and spilled == 0, (name, found[name])
    assert "warning" not in log.lower()


def test_an_unknown_card_is_refused_with_the_log(nvrtc):
    with pytest.raises(RuntimeError, match="(?s)refused the kernels for sm_1 .*gpu-architecture"):
        _sonic.kernels_compile(nvrtc._handle, "sm_1", 0)


def test_a_report_with_spills_is_read():
    log = (
        "ptxas info    : Compiling entry function 'geglu' for 'sm_86'\n"
        "    0 bytes stack frame, 8 bytes spill stores, 16 bytes spill loads\n"
        "ptxas info    : Used 255 registers, used 1 barriers, 2048 bytes smem\n"
    )
    assert usage(log) == {"geglu": (255, 2048, 24)}
