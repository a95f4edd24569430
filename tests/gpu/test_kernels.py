"""Kernels of our own on the simulated GPU: the driver (tests/kernels/fake_cuda.c) finds the values behind addresses
that the host cannot read."""

import ctypes

import pytest
import torch

from bench import roofline
from sonic_nodes import kernels
from sonic_nodes.extension.native import call
from sonic_nodes.models.unet import UNet
from tests.kernels import fake_cuda
from tests.kernels.test_parity import check_table
from tests.models.golden import relative, weights
from tests.models.test_unet import HEAD_DIM, conditions, golden, step  # noqa: F401


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    return fake_cuda.build(tmp_path_factory.mktemp("fake_cuda"))


@pytest.fixture
def card(gpu, driver, tmp_path, monkeypatch):
    """Loads the kernels of float32 for the second device."""
    driver.fake_host_address(ctypes.cast(gpu.library.simulated_host_address, ctypes.c_void_p))
    monkeypatch.setitem(kernels.DEVICE_TYPES, "simulated", kernels.DEVICE_TYPES["privateuseone"])
    kernels.load(torch.device("simulated:1"), torch.float32, "sm_86", driver, driver, tmp_path)
    driver.fake_clear_log()
    yield driver
    kernels.unload()


def there(tensors):
    return [t.to("simulated:1") for t in tensors]


def test_the_unet_on_the_second_device(gpu, card, golden):  # noqa: F811
    shaped = conditions(golden)
    w = {
        name: t if name.endswith("mix_factor") else t.to("simulated:1")
        for name, t in (weights("unet_tiny_weights_a") | weights("unet_tiny_weights_b")).items()
    }
    net = UNet(w, HEAD_DIM)
    net.prepare(conditions(golden, image=there(shaped.image)))
    gpu.reset()
    out = step(net, golden, golden["sample"].to("simulated:1"))[0].cpu()
    assert relative(out, golden["out"]) < 2e-5
    assert {name for name, _ in fake_cuda.launches(card)} == {
        "group_norm_sums",
        "group_norm_apply",
        "geglu",
        "layer_norm",
        "add_scaled",
    }
    assert gpu.peak(0) == 0, "nothing is on the first device"


def test_the_parity_table_holds_with_kernels(gpu, card, golden_dir):
    """All 51 rows, whole clips included, on the second device."""
    check_table(golden_dir, "simulated:1")
    assert gpu.peak(0) == 0, "nothing is on the first device"


def test_a_device_without_kernels_uses_pytorchs_operators(gpu, card):
    both = torch.randn(4, 8).to("simulated:0")
    call("fused_geglu", [both], "both")
    assert fake_cuda.launches(card) == []
    call("fused_geglu", there([both]), "both")
    assert [name for name, _ in fake_cuda.launches(card)] == ["geglu"]


def test_an_operand_on_another_device_uses_pytorchs_operators(gpu, card):
    """Which then refuse it: a kernel would read the wrong memory."""
    x, y = there([torch.randn(4, 8), torch.randn(4, 8)])
    with pytest.raises(RuntimeError):
        call("fused_add_scaled", [x, y, torch.randn(8, device="cpu").to("simulated:0")], "x\ny\nbias", [1.0])
    assert fake_cuda.launches(card) == []


def test_a_step_at_512_takes_fewer_kernels_and_bytes(gpu):
    """The limits of bench/roofline.py, of the published network."""
    total = roofline.Total()
    for part in roofline.totals(*roofline.count(512, True)).values():
        total.kernels += part.kernels
        total.bytes += part.bytes
    assert 2500 < total.kernels <= roofline.MAX_KERNELS
    assert 250e9 < total.bytes <= roofline.MAX_BYTES
