"""Devices that cannot be used, types that a card lacks, operators that PyTorch lacks for it, and TF32."""

import pytest
import torch

from sonic_nodes.commands import doctor
from sonic_nodes.engines import devices
from sonic_nodes.engines.sonic import SonicEngine, SonicSettings
from sonic_nodes.errors import UsageError
from sonic_nodes.memory import device as memory_device
from sonic_nodes.memory.plan import Budget
from sonic_nodes.models.call import run_network
from sonic_nodes.weights.models import Models
from tests.gpu.test_simulated_gpu import DEVICE, rife_operands
from tests.oracles.engine_runs import clip_data, pictures


def test_a_device_that_is_not_there(gpu):
    with pytest.raises(UsageError, match="^Choose the device cpu or simulated:0 or simulated:1: 'simulated:7' cannot"):
        devices.device_of("simulated:7")
    with pytest.raises(UsageError, match="^Choose the device cpu or simulated:0 or simulated:1: 'cuda:7' cannot be"):
        devices.device_of("cuda:7")
    with pytest.raises(UsageError, match="^Choose the device .*'quantum' cannot be used"):
        devices.device_of("quantum")


def test_no_device_is_visible(gpu):
    """As with CUDA_VISIBLE_DEVICES empty."""
    with gpu.devices(0):
        assert devices.device_of("auto") == torch.device("cpu")
        with pytest.raises(UsageError, match="^Choose the device cpu: 'simulated:0' cannot be used"):
            devices.device_of("simulated:0")


def test_auto_takes_the_card_if_it_has_the_operators(gpu):
    devices.lacking_operators.cache_clear()
    assert devices.device_of("auto").type == "simulated"
    devices.lacking_operators.cache_clear()
    with gpu.without("aten::grid_sampler_2d"):
        assert devices.device_of("auto") == torch.device("cpu")
    devices.lacking_operators.cache_clear()
    gpu.reset()


@pytest.mark.parametrize(
    "lacking, named",
    [("convolution", "conv1d"), ("aten::grid_sampler_2d", "grid_sample"), ("native_group_norm", "group_n")],
)
def test_a_card_without_an_operator_is_refused(gpu, small_models, lacking, named):
    devices.lacking_operators.cache_clear()
    engine = SonicEngine(Models.in_folder(small_models), device=DEVICE, precision="fp32")
    sentence = f"^Choose the device cpu, or another graphics card: {DEVICE} cannot run the networks, it lacks {named}"
    with gpu.without(lacking), pytest.raises(UsageError, match=sentence):
        engine.infer(clip_data(0.2), 1, SonicSettings(steps=1))
    devices.lacking_operators.cache_clear()
    assert devices.lacking_operators(torch.device(DEVICE), torch.float16) == ()
    assert gpu.peak(0) == 0


def test_a_card_without_bfloat16(gpu, small_models):
    models = Models.in_folder(small_models)
    with gpu.types(bfloat16=False):
        with pytest.raises(UsageError, match=f"^Choose precision fp32 or fp16: {DEVICE} does not compute in bf16"):
            SonicEngine(models, device=DEVICE, precision="bf16")
        assert SonicEngine(models, device=DEVICE).dtype is None
        assert devices.computable(torch.device(DEVICE), torch.bfloat16) == torch.float16


def test_a_card_without_float16(gpu, small_models):
    models, other = Models.in_folder(small_models), "simulated:0"
    with gpu.types(float16=False, bfloat16=False):
        with pytest.raises(UsageError, match=f"^Choose precision fp32: {other} does not compute in fp16"):
            SonicEngine(models, device=other, precision="fp16")
        engine = SonicEngine(models, device=other)
        assert engine.dtype == torch.float32
        data = clip_data(0.1)
        latent = engine.infer(data, 1, SonicSettings(steps=1))
        latent["sonic"]["precision"] = "fp16"  # made elsewhere
        assert len(pictures(engine, latent, data)) == data["frames"]
    del engine
    models.release()
    gpu.reset()


@pytest.mark.parametrize("capability, bf16", [((7, 5), False), ((8, 0), True), ((12, 0), True), ((5, 2), False)])
def test_cards_by_compute_capability(monkeypatch, capability, bf16):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    cuda = torch.device("cuda:0")
    assert memory_device.computes_in(cuda, torch.bfloat16) == bf16
    assert memory_device.computes_in(cuda, torch.float16) == (capability >= (5, 3))
    monkeypatch.setattr(torch.version, "hip", "6.4")
    assert memory_device.computes_in(cuda, torch.bfloat16)


def test_memory_is_asked_by_the_kind_of_device(gpu):
    free = Budget.of(DEVICE).gpu
    held = torch.empty(1 << 20, device=DEVICE)
    assert 0 < free - Budget.of(DEVICE).gpu <= held.nbytes + 8192
    assert Budget.of("cpu").gpu is None
    memory_device.clear_cache(torch.device(DEVICE))
    memory_device.wait_for(torch.device(DEVICE))
    assert (gpu.counter("cache_clearings"), gpu.counter("waits")) == (1, 1)
    with pytest.raises(
        UsageError, match="^Choose the device cpu or cuda: PyTorch .* does not say how much memory meta"
    ):
        memory_device.free_bytes(torch.device("meta"))


def test_doctor_names_every_card(gpu):
    """With its memory; one that was taken away, with the driver's words; and none."""
    held = torch.empty(1 << 20, device=DEVICE)
    ok, text, facts = doctor.check_cuda()
    assert ok and [card["device"] for card in facts["cards"]] == ["simulated:0", "simulated:1"]
    assert [line.split(": ")[0] for line in text.splitlines()] == ["simulated:0", "simulated:1"]
    first, second = facts["cards"]
    assert first["total_bytes"] == second["total_bytes"] and first["free_bytes"] - second["free_bytes"] >= held.nbytes
    assert f"{second['free_bytes'] / 1e9:.1f} of {second['total_bytes'] / 1e9:.1f} GB free" in text.splitlines()[1]
    used, text, chosen = doctor.check_kernels()
    assert not used and chosen == {"kernels": {"simulated:0": [], "simulated:1": []}}
    assert text.splitlines()[1].startswith("simulated:1: not in use: there are kernels for NVIDIA cards only")
    with gpu.devices(0):
        ok, text, *facts = doctor.check_cuda()
        assert not ok and text.startswith("none: ") and not facts
    gpu.reset()


def precisions() -> list[str]:
    from sonic_nodes.extension.precision import KINDS

    return [torch._C._get_fp32_precision_getter(*kind) for kind in KINDS]


@pytest.mark.parametrize("matmul", ["highest", "high", "medium"])
def test_float32_is_not_rounded_to_tf32(gpu, matmul):
    """PyTorch allows it for convolutions, and a host for products as well."""
    frames, weights = rife_operands()
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(matmul)
    try:
        asked = precisions()
        torch.nn.functional.conv2d(frames["before"], torch.ones(4, 3, 3, 3, device=DEVICE))
        assert gpu.counter("tf32") == 1  # the simulated card would round
        gpu.reset()
        run_network("rife", frames, weights)
        assert gpu.counter("tf32") == 0
        assert precisions() == asked
        with pytest.raises(RuntimeError):
            run_network("rife", {}, weights)
        assert precisions() == asked
    finally:
        torch.set_float32_matmul_precision(before)
