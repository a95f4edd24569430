"""What `sonic doctor` says of graphics cards: two of them, made of torch.cuda's answers and of a driver that stands in.
tests/gpu/test_devices.py asks the simulated ones."""

import pytest
import torch

from sonic_nodes import kernels
from sonic_nodes.commands import doctor, graphics_cards
from sonic_nodes.extension.native import _sonic
from tests.kernels import fake_cuda

NAMES = ("NVIDIA GeForce RTX 4090", "NVIDIA GeForce GTX 1080 Ti")
CAPABILITIES = ((8, 9), (6, 1))
MEMORY = ((20_000_000_000, 25_400_000_000), (8_000_000_000, 11_700_000_000))


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    try:
        return fake_cuda.build(tmp_path_factory.mktemp("fake_cuda"))
    except SystemExit as error:
        pytest.skip(str(error))


@pytest.fixture
def two_cards(driver, monkeypatch, tmp_path):
    """A card that our kernels are for, and an older one."""
    driver.fake_fail(b"")
    answers = {
        "is_available": lambda: True,
        "get_device_name": lambda device: NAMES[torch.device(device).index],
        "get_device_capability": lambda device: CAPABILITIES[torch.device(device).index],
        "mem_get_info": lambda device: MEMORY[torch.device(device).index],
        "memory_reserved": lambda device: 0,
        "memory_allocated": lambda device: 0,
    }
    for name, answer in answers.items():
        monkeypatch.setattr(torch.cuda, name, answer)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available: torch.device("cuda"))
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.setenv("SONIC_CACHE", str(tmp_path))
    monkeypatch.setattr(kernels, "find_compiler", lambda: driver)
    monkeypatch.setattr(kernels, "find_driver", lambda: driver)
    monkeypatch.setattr(kernels, "differing", lambda device, dtype: [])
    monkeypatch.setattr(graphics_cards, "find_nvml", lambda: driver)
    kernels.unload()
    yield driver
    driver.fake_fail(b"")
    kernels.unload()


def found(name: str) -> dict:
    return doctor.finding(name, False, {entry: check for entry, _, check in doctor.CHECKS}[name])


def test_every_card_is_named(two_cards):
    cuda = found("cuda")
    assert cuda["ok"] and cuda["detail"].splitlines() == [
        "driver 570.86.10, CUDA 12.8",
        "cuda:0: NVIDIA GeForce RTX 4090, compute capability 8.9, 20.0 of 25.4 GB free",
        "cuda:1: NVIDIA GeForce GTX 1080 Ti, compute capability 6.1, 8.0 of 11.7 GB free",
    ]
    assert cuda["driver"] == "570.86.10, CUDA 12.8"
    assert [
        (c["device"], c["name"], c["free_bytes"], c["total_bytes"], c["compute_capability"]) for c in cuda["cards"]
    ] == [(f"cuda:{i}", NAMES[i], *MEMORY[i], "{}.{}".format(*CAPABILITIES[i])) for i in range(2)]


def test_the_chosen_kernels_of_each_card(two_cards):
    used, names = found("kernels for the card"), list(_sonic.kernels_launches())
    assert len(names) == 5 and not used["ok"]
    assert used["detail"].splitlines() == [
        f"cuda:0: compiled and loaded: {', '.join(names)}",
        "cuda:1: not in use: there are none for cards before the RTX 20 series (compute capability 6.1); PyTorch "
        "computes the same",
    ]
    assert used["kernels"] == {"cuda:0": names, "cuda:1": []}
    assert _sonic.kernels_are_loaded(1, 0, 1) and not _sonic.kernels_are_loaded(1, 1, 1)


@pytest.mark.parametrize(
    ("function", "version"),
    [("nvmlInit_v2", "CUDA 12.8"), ("nvmlSystemGetDriverVersion", "CUDA 12.8"), ("cuDriverGetVersion", "570.86.10")],
)
def test_what_the_driver_does_not_say_is_left_out(two_cards, function, version):
    two_cards.fake_fail(function.encode())
    assert found("cuda")["detail"].splitlines()[0] == f"driver {version}"


def test_without_the_drivers_libraries(two_cards, monkeypatch):
    def absent():
        raise OSError("no such library")

    monkeypatch.setattr(graphics_cards, "find_nvml", absent)
    monkeypatch.setattr(kernels, "find_driver", absent)
    cuda = found("cuda")
    assert cuda["driver"] == "" and cuda["detail"].splitlines()[0].startswith("cuda:0: NVIDIA")
    assert found("kernels for the card")["detail"].startswith("cuda:0: not in use: no such library; PyTorch computes")


def test_a_card_that_does_not_answer_is_named(two_cards, monkeypatch):
    def memory(device):
        if torch.device(device).index == 1:
            raise RuntimeError("CUDA error: unspecified launch failure.\nmore")
        return MEMORY[0]

    monkeypatch.setattr(torch.cuda, "mem_get_info", memory)
    cuda = found("cuda")
    assert not cuda["ok"] and cuda["detail"].splitlines()[1:] == [
        "cuda:0: NVIDIA GeForce RTX 4090, compute capability 8.9, 20.0 of 25.4 GB free",
        "cuda:1: NVIDIA GeForce GTX 1080 Ti, does not answer: CUDA error: unspecified launch failure",
    ]
    assert cuda["cards"][1]["free_bytes"] is None


def test_without_a_card():
    if torch.accelerator.is_available():
        pytest.skip("there is a card")
    cuda = found("cuda")
    assert not cuda["ok"] and cuda["detail"].startswith("none: ") and "cards" not in cuda
    assert found("kernels for the card")["kernels"] == {"cpu": []}
