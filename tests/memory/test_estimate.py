"""Estimates on the meta device against the same calls measured on the CPU: bytes and operations agree."""

import json
import subprocess
import sys

import pytest
import torch

from sonic_nodes.memory import estimate
from sonic_nodes.memory.plan import network_dtypes
from sonic_nodes.progress import progress_callback
from tests.weights.golden_sizes import SIZES

HEADS = {"head_dim": 32, "whisper_heads": 2, "clip_heads": 2}


def both(dtype):
    """(a model on the meta device, the same on the CPU)."""
    return (estimate.model(network_dtypes(dtype), SIZES, device=device, **HEADS) for device in ("meta", "cpu"))


def stages(m, rows, columns):
    return {
        "sound": estimate.sound(m, 40),
        "picture": estimate.picture(m),
        "encoding": estimate.encoding(m, rows, columns),
        "sampling": estimate.two_windows(m, rows, columns, 1),
        "batched": estimate.two_windows(m, rows, columns, 3),
        "decoding": estimate.decoding(m, rows, columns),
        "five frames": estimate.decoding(m, rows, columns, 5),
        "in between": estimate.in_between(m, rows, columns),
    }


@pytest.mark.parametrize(
    "rows, columns, dtype",
    [(8, 8, torch.float32), (16, 8, torch.float32), (8, 24, torch.float32), (16, 8, torch.bfloat16)],
    ids=str,
)
def test_estimates_match_measurements(rows, columns, dtype):
    """Except for some tables and numbers in host memory, which do not count on another device."""
    without, with_memory = both(dtype)
    estimated, measured = stages(without, rows, columns), stages(with_memory, rows, columns)
    for name, cost in estimated.items():
        assert cost.work[:3] == measured[name].work[:3], name
        assert cost.peak_bytes == pytest.approx(measured[name].peak_bytes, rel=2e-3, abs=4096), name
        assert cost.live_bytes == pytest.approx(measured[name].live_bytes, rel=2e-3, abs=256), name
        assert cost.moved_bytes == pytest.approx(measured[name].moved_bytes, rel=0.1), name


def test_an_estimate_gives_no_previews():
    m, pictures = next(both(torch.float32)), []
    estimate.two_windows.cache_clear()
    with progress_callback(lambda done, total, picture: pictures.append(picture), interval_ms=0):
        assert estimate.two_windows(m, 8, 8, 1).flops
    assert pictures and set(pictures) == {None}


def test_constants_except_for_the_sound_which_stays_in_host_memory():
    without, with_memory = both(torch.float32)
    estimated, measured = (estimate.constants(m, 8, 16) for m in (without, with_memory))
    tokens, context = estimate.token_shape(without)
    sound = 4 * (estimate.SHORT_CLIP + 2) * tokens * context
    assert 0 <= measured.peak_bytes - estimated.peak_bytes <= sound + 4096
    assert estimate.constants_bytes(without, 8, 16) <= estimated.live_bytes


@pytest.mark.parametrize("branches", [1, 3])
@pytest.mark.parametrize(
    "steps, shortcuts",
    [(2, {}), (4, {"reuse": 2}), (3, {"guidance_low": 0.001, "guidance_high": 100.0}), (3, {"guidance_high": 0.0})],
    ids=["exact", "shared features", "guidance in an interval", "no guidance"],
)
def test_latents_of_a_longer_clip(branches, steps, shortcuts):
    """A run of 60 frames; the estimate extrapolates from a clip of 26."""
    without, with_memory = both(torch.float32)
    net, _ = estimate.prepared_unet(with_memory, 8, 8)
    conditions = estimate.unet_conditions(with_memory, 8, 8)
    conditions.audio = [part[:1].expand(60, -1, -1) if len(part) > 1 else part for part in conditions.audio]
    net = estimate.UNet(net.weights, net.head_dim)
    net.prepare(conditions)
    noise, image = torch.randn(60, 4, 8, 8), torch.zeros(1, 4, 8, 8)
    settings = estimate.Settings(steps=steps, **shortcuts)
    measured = estimate.cost(estimate.sample(net, noise, image, torch.zeros(60, 2), settings, branches, meter=True)[1])
    estimated = estimate.sampling(without, 8, 8, 60, steps, branches, estimate.Shortcuts.of(settings))
    assert estimated.peak_bytes == pytest.approx(measured.peak_bytes, rel=0.01)
    assert estimated.flops == measured.flops


def test_on_a_gpu_results_have_another_layout():
    """Normalisation on a GPU copies channels-last tensors; on the CPU our float32 kernel does not."""
    cpu, gpu = (
        estimate.two_windows(estimate.model(network_dtypes(torch.float16), gpu=gpu), 64, 64, 3) for gpu in (False, True)
    )
    assert gpu.peak_bytes > 1.2 * cpu.peak_bytes and gpu.moved_bytes > cpu.moved_bytes
    assert gpu.flops == cpu.flops


def test_a_published_model_is_estimated_quickly_and_without_pytorchs_python_kernels():
    """In a fresh process: ten minutes at full size. PyTorch's own meta kernels would import torch._dynamo first."""
    code = """
import json, sys, time
import torch
from sonic_nodes.memory import plan
started, before = time.process_time(), set(sys.modules)
p = plan.make(128, 128, 7501, plan.Budget(24 << 30, 64 << 30))
print(json.dumps({"seconds": time.process_time() - started, "peak": p.peak, "new": sorted(set(sys.modules) - before)}))
"""
    made = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert made["seconds"] < 2
    assert made["peak"] > 5e9
    assert "torch._dynamo" not in made["new"]
