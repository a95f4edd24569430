"""Finding, compiling, keeping and loading the kernels, and every way in which that fails."""

import ctypes
import os
import re
import stat
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from sonic_nodes import kernels
from sonic_nodes.extension.native import _sonic

CPU, HALF = torch.device("cpu"), torch.float16


def is_loaded(dtype=HALF) -> bool:
    return _sonic.kernels_are_loaded(0, 0, kernels.VALUES[dtype])


@pytest.fixture
def compiles(monkeypatch):
    """The architectures that were compiled for."""
    seen = []
    monkeypatch.setattr(
        kernels,
        "_sonic",
        SimpleNamespace(
            **{name: getattr(_sonic, name) for name in dir(_sonic) if name.startswith("kernels_")}
            | {"kernels_compile": lambda *args: seen.append(args[1]) or _sonic.kernels_compile(*args)}
        ),
    )
    return seen


def load(fake_cuda, folder, card="sm_86", dtype=HALF):
    kernels.load(CPU, dtype, card, fake_cuda, fake_cuda, folder)


def test_an_image_is_compiled_once(fake_cuda, tmp_path, compiles):
    folder = tmp_path / "a folder" / "视频"
    load(fake_cuda, folder)
    load(fake_cuda, folder)
    kernels.unload()
    assert not is_loaded()
    load(fake_cuda, folder)
    assert is_loaded() and compiles == ["sm_86"]
    assert len(os.listdir(folder)) == 1, "no temporary folder is left"


def test_each_card_and_type_has_its_own_image(fake_cuda, tmp_path, compiles):
    for card in ("sm_75", "sm_86"):
        for dtype in (HALF, torch.float32):
            load(fake_cuda, tmp_path, card, dtype)
    assert len(os.listdir(tmp_path)) == 4 == len(compiles)
    assert is_loaded(HALF) and is_loaded(torch.float32) and not is_loaded(torch.bfloat16)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: data + b"more",
        lambda data: b"\0" * len(data),
    ],
    ids=["empty", "cut", "one bit", "longer", "zeros"],
)
def test_a_damaged_image_is_compiled_again(fake_cuda, tmp_path, compiles, damage):
    load(fake_cuda, tmp_path)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    load(fake_cuda, tmp_path)
    assert is_loaded() and len(compiles) == 2
    assert file.read_bytes() == whole


def test_an_image_that_the_driver_refuses_is_compiled_again(fake_cuda, tmp_path, compiles):
    load(fake_cuda, tmp_path)
    (file,) = tmp_path.iterdir()
    kernels.write_image(file, b"of another driver")
    load(fake_cuda, tmp_path)
    assert is_loaded() and len(compiles) == 2


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root writes to read-only folders")
def test_a_read_only_cache_costs_time_only(fake_cuda, tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    load(fake_cuda, tmp_path)
    assert is_loaded()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc, where no one can make a folder, is Linux'")
def test_a_cache_that_root_cannot_write_costs_time_only(fake_cuda, compiles):
    folder = Path("/proc/sonic kernels")
    load(fake_cuda, folder)
    assert is_loaded() and not folder.exists() and compiles == ["sm_86"]


def test_a_cache_that_is_a_file_costs_time_only(fake_cuda, tmp_path):
    folder = tmp_path / "cache"
    folder.write_text("a file")
    load(fake_cuda, folder)
    assert is_loaded() and folder.read_text() == "a file"


@pytest.mark.parametrize(
    "function, words",
    [
        ("cuInit", "Update the graphics driver, or restart the computer: starting the driver failed"),
        ("cuDeviceGet", "using the card failed"),
        ("cuDevicePrimaryCtxRetain", "using the card failed"),
        ("cuCtxPushCurrent_v2", "using the card failed"),
        ("cuModuleLoadData", "loading the kernels failed"),
        ("cuModuleGetFunction", "failed with CUDA error"),
        ("nvrtcCreateProgram", "Update PyTorch: its compiler does not start"),
        ("nvrtcCompileProgram", "Update PyTorch: its compiler refused the kernels for sm_86 .*\n.*planted failure"),
    ],
)
def test_each_failure_has_a_sentence_and_leaves_nothing(fake_cuda, tmp_path, function, words):
    fake_cuda.fake_fail(function.encode())
    with pytest.raises(RuntimeError, match=words):
        load(fake_cuda, tmp_path)
    assert not is_loaded()
    assert not list(tmp_path.iterdir())
    fake_cuda.fake_fail(b"")
    load(fake_cuda, tmp_path)
    assert is_loaded()


def test_an_old_driver_is_named(fake_cuda, tmp_path):
    with pytest.raises(RuntimeError, match="^Update the graphics driver: it lacks cuInit"):
        kernels.load(CPU, HALF, "sm_86", fake_cuda, ctypes.CDLL(None), tmp_path)


def test_an_old_compiler_is_named(fake_cuda, tmp_path):
    with pytest.raises(RuntimeError, match="^Update PyTorch.*lacks nvrtcVersion"):
        kernels.load(CPU, HALF, "sm_86", ctypes.CDLL(None), fake_cuda, tmp_path)


@pytest.mark.parametrize("place", [(0, -1, 0), (0, 16, 0), (-1, 0, 0), (0, 0, 3), (0, 0, -1)])
def test_devices_and_types_are_bounded(card, place):
    with pytest.raises(ValueError, match="^Load kernels after the driver"):
        _sonic.kernels_load(*place, b"fake image 0\0")
    assert not _sonic.kernels_are_loaded(*place)


class Card:
    """torch.cuda as far as `prepare` asks it."""

    def __init__(self, monkeypatch, capability=(8, 6), hip=None):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
        monkeypatch.setattr(torch.version, "hip", hip)


def test_prepare_loads_and_says_nothing(fake_cuda, tmp_path, monkeypatch):
    Card(monkeypatch)
    monkeypatch.setenv("SONIC_CACHE", str(tmp_path))
    monkeypatch.setattr(kernels, "find_compiler", lambda: fake_cuda)
    monkeypatch.setattr(kernels, "find_driver", lambda: fake_cuda)
    monkeypatch.setattr(kernels, "differing", lambda device, dtype: [])
    assert kernels.prepare("cuda", HALF) == ""
    assert _sonic.kernels_are_loaded(1, 0, 1) and not is_loaded()
    monkeypatch.setattr(kernels, "find_compiler", lambda: pytest.fail("it was loaded already"))
    assert kernels.prepare("cuda:0", HALF) == ""


@pytest.mark.parametrize(
    "name, dtype, capability, hip, environment, words",
    [
        ("cpu", HALF, (8, 6), None, "1", "NVIDIA cards only"),
        ("cuda", HALF, (7, 0), None, "1", "cards before the RTX 20 series .*7.0"),
        ("cuda", torch.float64, (8, 6), None, "1", "none for torch.float64"),
        ("cuda", HALF, (8, 6), "6.0", "1", "NVIDIA cards only"),
        ("cuda", HALF, (8, 6), None, "0", "SONIC_KERNELS=0 switches them off"),
    ],
)
def test_prepare_says_why_not(fake_cuda, monkeypatch, name, dtype, capability, hip, environment, words):
    Card(monkeypatch, capability, hip)
    monkeypatch.setenv("SONIC_KERNELS", environment)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "find_compiler", lambda: pytest.fail("nothing is looked for"))
        assert re.search(words, kernels.prepare(name, dtype))


@pytest.mark.parametrize("dtype", list(kernels.VALUES))
def test_kernels_are_compared_on_the_card(card, dtype):
    assert kernels.differing(CPU, dtype) == []
    assert max(kernels.errors(CPU, dtype).values()) > 0, "they ran: PyTorch's operators round otherwise"


def test_a_card_that_computes_something_else_is_found(card):
    card.fake_only_logs(1)  # launches succeed and write nothing
    try:
        assert "add_scaled" in kernels.differing(CPU, HALF)
    finally:
        card.fake_only_logs(0)


def test_prepare_names_a_card_that_computes_something_else(fake_cuda, tmp_path, monkeypatch):
    Card(monkeypatch)
    monkeypatch.setenv("SONIC_CACHE", str(tmp_path))
    monkeypatch.setattr(kernels, "find_compiler", lambda: fake_cuda)
    monkeypatch.setattr(kernels, "find_driver", lambda: fake_cuda)
    monkeypatch.setattr(kernels, "differing", lambda device, dtype: ["geglu"])
    assert kernels.prepare("cuda", HALF) == "on this card geglu gave other numbers than PyTorch's operators"
    assert not _sonic.kernels_are_loaded(1, 0, 1), "PyTorch's operators compute"


@pytest.mark.parametrize("missing", ["find_compiler", "find_driver"])
def test_prepare_names_what_is_missing(fake_cuda, tmp_path, monkeypatch, missing):
    Card(monkeypatch)
    monkeypatch.setenv("SONIC_CACHE", str(tmp_path))
    for name in {"find_compiler", "find_driver"} - {missing}:
        monkeypatch.setattr(kernels, name, lambda: fake_cuda)
    monkeypatch.setattr(torch.version, "cuda", "99.0")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: (_ for _ in ()).throw(OSError("no such library")))
    assert kernels.prepare("cuda", HALF).startswith("Install ")
