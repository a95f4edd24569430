"""The UNet's weights brought to the simulated GPU layer by layer: the same bits, and a fraction of the memory."""

import pytest
import torch

from sonic_nodes.engines.settings import SonicSettings
from sonic_nodes.engines.sonic import SonicEngine
from sonic_nodes.models.unet import UNet
from sonic_nodes.weights.models import Models
from sonic_nodes.weights.streamed import is_streamed, part_of
from tests.models.golden import weights
from tests.models.test_unet import HEAD_DIM, conditions, golden, step  # noqa: F401
from tests.oracles.engine_runs import clip_data

DEVICE = "simulated:1"


def nbytes(tensors) -> int:
    return sum(t.nbytes for t in tensors)


def placed(stream: bool) -> dict[str, torch.Tensor]:
    """The recorded UNet's weights; where they are streamed, most in host memory."""
    all_weights = weights("unet_tiny_weights_a") | weights("unet_tiny_weights_b")
    return {
        name: w if stream and is_streamed(name, tuple(w.shape)) else w.to(DEVICE) for name, w in all_weights.items()
    }


def run(gpu, stream: bool, golden):  # noqa: F811
    """(output, peak of the device above its weights, weights on the device)."""
    shaped = conditions(golden)
    net = UNet(placed(stream), HEAD_DIM)
    net.prepare(conditions(golden, image=[t.to(DEVICE) for t in shaped.image]))
    sample = golden["sample"].to(DEVICE)
    gpu.reset()
    before = gpu.live(1)
    out = step(net, golden, sample)[0].cpu()
    assert gpu.live(1) <= before + out.nbytes, "what was brought is gone"
    return out, gpu.peak(1) - before, nbytes(w for w in net.weights.values() if w.device.type == "simulated")


def test_a_step_has_the_same_bits_and_few_weights_on_the_device(gpu, golden):  # noqa: F811
    plain, plain_peak, plain_weights = run(gpu, False, golden)
    streamed, streamed_peak, stayed = run(gpu, True, golden)
    assert torch.equal(streamed, plain)
    parts = {}
    for name, w in placed(True).items():
        if is_streamed(name, tuple(w.shape)):
            parts[part_of(name)] = parts.get(part_of(name), 0) + w.nbytes
    assert stayed < 0.2 * plain_weights
    assert streamed_peak - plain_peak <= max(parts.values()), "more than one part's weights are there at a time"
    assert streamed_peak + stayed < plain_peak + plain_weights


def test_an_engine_that_streams(gpu, small_models):
    settings, data = SonicSettings(steps=2), clip_data(0.6)
    samples = {}
    for kind in ("sequential", "streamed"):
        engine = SonicEngine(Models.in_folder(small_models), precision="fp32", device=DEVICE, plan=kind)
        plan = engine.plan(data, settings)
        assert plan.stream == (kind == "streamed")
        samples[kind] = engine.infer(data, 1, settings)["samples"]
    assert torch.equal(samples["streamed"], samples["sequential"])


@pytest.mark.parametrize("kind", ["sequential", "streamed"])
def test_weights_of_the_other_plan_are_read_again(gpu, small_models, kind):
    models = Models.in_folder(small_models)
    here = models.tensors("unet", torch.float32, DEVICE, stream=kind == "streamed")
    other = models.tensors("unet", torch.float32, DEVICE, stream=kind != "streamed")
    on_host = [{name for name, w in tensors.items() if w.device.type == "cpu"} for tensors in (here, other)]
    assert sorted(map(bool, on_host)) == [False, True]
    streamed = models.tensors("unet", torch.float32, DEVICE, stream=True)
    assert {name for name, w in streamed.items() if w.device.type == "cpu"} == {
        name for name, w in streamed.items() if is_streamed(name, tuple(w.shape))
    }
    assert models.held_bytes(DEVICE) == nbytes(w for w in streamed.values() if w.device.type != "cpu")
