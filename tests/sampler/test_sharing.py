"""Calls of the network shared by several devices. Here all of them are the CPU: the order of the work and its results
are those of graphics cards (tests/gpu/test_several.py)."""

import pytest
import torch

from sonic_nodes.models.sampler import SPEEDS
from tests.sampler.clips import SmallClip

pytestmark = pytest.mark.host("its devices are all the CPU; tests/gpu/test_several.py has those of two cards")
CPU = torch.device("cpu")


def copies(clip, count: int):
    return [clip.net.on(CPU, clip.net.weights) for _ in range(count)]


@pytest.mark.parametrize("speed", ["exact", "balanced", "fast"])
@pytest.mark.parametrize("branches", [1, 2, 3])
def test_the_bits_are_those_of_one_device(speed, branches):
    for frames in (1, 3, 9, 13):
        clip = SmallClip(frames, 4, steps=4, **SPEEDS[speed])
        (alone,) = clip.sample(branches)
        for others in (1, 2, 15):
            assert torch.equal(clip.sample(branches, others=copies(clip, others))[0], alone), (frames, others)


def test_every_device_computes():
    """Another network on one of them gives another clip, also where there is one window of three calls."""
    clip = SmallClip(3, 4, steps=1)
    (alone,) = clip.sample(1)
    for place in range(2):
        others = copies(clip, 2)
        spoilt = clip.net.weights | {"conv_out.bias": clip.net.weights["conv_out.bias"] + 1}
        others[place] = clip.net.on(CPU, spoilt)
        assert not torch.allclose(clip.sample(1, others=others)[0], alone)


def test_layers_are_probed_on_every_device():
    clip = SmallClip(9, 4, steps=2)
    probes = ["latents.0", "direction.0.0", "direction.0.1", "direction.1.2", "mid_block"]
    alone = clip.sample(probes=probes)
    shared = clip.sample(probes=probes, others=copies(clip, 1))
    assert all(torch.equal(a, b) for a, b in zip(alone, shared, strict=True))


def test_values_that_are_not_finite_name_the_layer_and_no_device():
    clip = SmallClip(9, 4)
    weights = clip.net.weights
    broken = weights | {"conv_in.bias": torch.full_like(weights["conv_in.bias"], torch.nan)}
    others = [clip.net.on(CPU, broken)]
    others[0].constants["latents"] = clip.net.constants["latents"] * torch.nan
    with pytest.raises(RuntimeError, match=r"(?s)conv_in(?!.*on device)"):
        clip.sample(others=others, check_finite=True)
    with pytest.raises(RuntimeError, match=r"(?s)after step 1 of 1 the latents are not finite(?!.*on device)"):
        clip.sample(others=others)


def test_a_failure_names_its_device():
    clip = SmallClip(9, 4)
    others = copies(clip, 1)
    others[0].weights = {n: w for n, w in others[0].weights.items() if n != "conv_out.weight"}
    with pytest.raises(RuntimeError, match=r"no tensor 'conv_out.weight' \(on device 0\)\."):
        clip.sample(others=others)


def test_as_many_devices_as_there_is_room_for():
    clip = SmallClip(3, 4)
    with pytest.raises(RuntimeError, match="^Give sample 14 numbers, with 1 to 16 devices"):
        clip.sample(others=copies(clip, 16))


def test_a_device_without_constants_is_refused():
    clip = SmallClip(9, 4)
    (other,) = copies(clip, 1)
    other.constants = {}
    with pytest.raises(RuntimeError, match="^Give the constants that unet_prepare made"):
        clip.sample(others=[other])
