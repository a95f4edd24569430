"""The UNet against tensors recorded from the published model's code, and each exact saving against doing without it."""
import pytest
import torch
from safetensors.torch import load_file

from sonic_nodes.model import unet as model

HEAD_DIM, FRAMES, ROWS, COLUMNS = 32, 5, 8, 16
DTYPES = [torch.float32, torch.float16, torch.bfloat16]


def relative(a, b):
    return ((a.double() - b.double()).norm() / b.double().norm()).item()


@pytest.fixture(scope="module")
def weights(golden_dir):
    both = {**load_file(golden_dir / "unet_tiny_weights_a.safetensors"), **load_file(golden_dir / "unet_tiny_weights_b.safetensors")}
    return {name: w.float() for name, w in both.items()}


@pytest.fixture(scope="module")
def golden(golden_dir):
    return load_file(golden_dir / "unet_tiny_io.safetensors")


def conditions(golden, **changes):
    image, audio = golden["image_embeds"].view(3, FRAMES, 1, 32), golden["audio_tokens"].view(3, FRAMES, 8, 32)
    arguments = dict(image=list(image), audio=list(audio), face_mask=golden["face_mask"], rows=ROWS, columns=COLUMNS, window=FRAMES)
    return model.Conditions(**{**arguments, **changes})


def step(net, golden, sample=None, frames=range(FRAMES), **options):
    sample = golden["sample"] if sample is None else sample
    return net.step(sample, golden["timestep"].item(), golden["added_time_ids"][0].tolist(), list(frames), **options)


@pytest.fixture(scope="module")
def net(weights, golden):
    net = model.UNet(weights, HEAD_DIM)
    net.prepare(conditions(golden))
    return net


def test_output_equals_the_published_model(net, golden):
    out, = step(net, golden)
    assert out.dtype == torch.float32 and out.shape == golden["out"].shape
    assert relative(out, golden["out"]) < 2e-5
    assert relative(out, golden["out_fp64"]) < 2e-5


def layers(golden, *, in_prepare):
    names = [name.removeprefix("act.") for name in golden if name.startswith("act.")]
    return [name for name in names if name.endswith("time_pos_embed") == in_prepare]


def recorded_part(out, expected):
    """What was recorded of a layer: the last rows of `out`, of the last branch."""
    return out.expand(expected.shape) if len(out) == 1 else out[-len(expected):]


def test_every_layer_equals_the_published_model(weights, golden):
    net = model.UNet(weights, HEAD_DIM)
    before, after = layers(golden, in_prepare=True), layers(golden, in_prepare=False)
    outputs = dict(zip(before, net.prepare(conditions(golden), before))) | dict(zip(after, step(net, golden, probes=after)[1:]))
    errors = {name: relative(recorded_part(out, golden["act." + name]), golden["act." + name]) for name, out in outputs.items()}
    assert len(errors) == 26
    assert max(errors.values()) < 1e-5, errors
