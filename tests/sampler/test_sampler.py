"""The loop: against plain Python, bit-equal repetition, equal results from any plan, and invalid inputs."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sonic_nodes.extension.native import _sonic
from sonic_nodes.models import sampler
from sonic_nodes.progress import progress_callback
from tests.models.golden import relative
from tests.sampler.clips import SHORT_CLIP, TWO_WINDOWS, SmallClip, golden_weights, sampled

ACROSS_PLANS = 1e-5


def plain_loop(clip: SmallClip):
    """The published loop: an Euler step of every window, then the mean of each frame's results. In double except for
    the UNet."""
    s, frames = clip.settings, len(clip.noise)
    sigmas = _sonic.karras(s.steps).astype("float64")
    x = 0.18215 * clip.image_latents[None].double() + sigmas[0] * clip.noise.double()
    for i in range(s.steps):
        sigma, after = sigmas[i], sigmas[i + 1]
        total, count = torch.zeros_like(x), torch.zeros(frames, 1, 1, 1)
        for start in range(0, frames, s.window):
            window = [(start - s.shift * i + j) % frames for j in range(s.window)]
            a, b = clip.buckets[window].mean(0).tolist()
            ids = (s.frame_rate_id, a * s.dynamic_scale, b * s.dynamic_scale * s.motion_scale)
            scaled = (x[window] / (sigma**2 + 1) ** 0.5).float()
            u, d, c = clip.net.step(scaled, 0.25 * torch.tensor(sigma).log().item(), ids, window)[0].double()
            v = u + s.appearance_guidance * (d - u) + s.audio_guidance * (c - d)
            clean = -v * sigma / (sigma**2 + 1) ** 0.5 + x[window] / (sigma**2 + 1)
            moved = x[window] + (x[window] - clean) / sigma * (after - sigma)
            for j, frame in enumerate(window):
                total[frame] += moved[j]
                count[frame] += 1
        x = total / count
    return (x / 0.18215).float()


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 9),
    st.integers(1, 6),
    st.integers(1, 4),
    st.integers(0, 7),
    st.floats(0.5, 2),
    st.floats(0.5, 2),
    st.floats(-1, 4),
    st.floats(-1, 9),
)
def test_any_clip_equals_the_plain_loop(frames, window, steps, shift, dynamic, motion, appearance, audio):
    clip = SmallClip(
        frames,
        window,
        steps=steps,
        shift=shift,
        dynamic_scale=dynamic,
        motion_scale=motion,
        appearance_guidance=appearance,
        audio_guidance=audio,
    )
    assert relative(clip.sample()[0], plain_loop(clip)) < 1e-4


def test_the_same_bits_again():
    clip = SmallClip(7, 3, steps=3)
    unet = golden_weights()
    for branches_at_once in (1, 3):
        assert torch.equal(*(clip.sample(branches_at_once)[0] for _ in range(2)))
        assert torch.equal(*(sampled(TWO_WINDOWS, unet, branches_at_once)[0] for _ in range(2)))
    with progress_callback(lambda *_: None, interval_ms=0):
        assert torch.equal(clip.sample()[0], SmallClip(7, 3, steps=3).sample()[0])


@pytest.mark.parametrize("clip", [TWO_WINDOWS, SHORT_CLIP], ids=lambda clip: clip.name)
def test_the_same_numbers_from_any_plan(clip):
    unet = golden_weights()
    (together,) = sampled(clip, unet)
    for branches_at_once in (1, 2):
        (other,) = sampled(clip, unet, branches_at_once)
        assert relative(other, together) < ACROSS_PLANS


@pytest.mark.parametrize(
    "appearance, audio, together, apart",
    [
        (2.0, 7.5, [3], [1, 1, 1]),
        (1.0, 7.5, [2], [1, 1]),  # without the unconditional branch
        (3.0, 3.0, [1, 1], [1, 1]),  # without the image branch
        (1.0, 1.0, [1], [1]),
        (0.0, 0.0, [1], [1]),
    ],
)
def test_branches_without_weight_are_not_computed(appearance, audio, together, apart):
    for at_once, calls in ((3, together), (1, apart)):
        clip = SmallClip(4, 2, steps=2, appearance_guidance=appearance, audio_guidance=audio)
        progress = []
        with progress_callback(lambda done, total, _, progress=progress: progress.append(total), interval_ms=10**6):
            (latents,) = clip.sample(at_once)
        assert progress[-1] == 2 * 2 * len(calls)
        assert relative(latents, plain_loop(clip)) < 1e-4


def test_one_step():
    clip = SmallClip(3, 5, steps=1)
    assert relative(clip.sample()[0], plain_loop(clip)) < 1e-4


# Bad input


def broken(clip, name, value=torch.nan):
    weight = clip.net.weights[name].clone()
    weight[...] = value
    clip.net.weights = {**clip.net.weights, name: weight}
    return clip


def test_latents_that_are_not_finite():
    clip = broken(SmallClip(3, 2, steps=3), "up_blocks.0.resnets.1.spatial_res_block.conv2.bias")
    with pytest.raises(
        RuntimeError, match="^Choose precision fp32 or bf16.* after step 1 of 3 the latents are not finite"
    ):
        clip.sample()
    with pytest.raises(RuntimeError, match="the output of 'up_blocks.0.resnets.1.spatial_res_block' is not finite"):
        clip.sample(check_finite=True)


@pytest.mark.parametrize(
    "name, sentence",
    [
        ("image_latents", "another portrait: its latents are not finite"),
        ("noise", "its latents are not finite"),
        ("buckets", "the motion buckets are not finite"),
    ],
)
def test_inputs_that_are_not_finite(name, sentence):
    clip = SmallClip(3, 2)
    getattr(clip, name)[-1] = torch.inf
    with pytest.raises(RuntimeError, match=sentence):
        clip.sample()


@pytest.mark.parametrize(
    "change, sentence",
    [
        ({"steps": 0}, "Choose 1 to 1024 inference steps"),
        ({"steps": 1025}, "Choose 1 to 1024 inference steps: got 1025"),
        ({"steps": float("nan")}, "Choose 1 to 1024 inference steps"),
        ({"steps": 1e300}, "Choose 1 to 1024 inference steps"),
        ({"window": 0}, "Choose windows of 1 to 1024 frames"),
        ({"window": 1025}, "Choose windows of 1 to 1024 frames"),
        ({"window": 3}, "Prepare for windows of 3 frames"),
        ({"shift": -1}, "Choose windows of 1 to 1024 frames that move by 0 to 1024"),
        ({"dynamic_scale": float("nan")}, "Choose scales and guidance up to 100"),
        ({"audio_guidance": 1e9}, "Choose scales and guidance up to 100"),
        ({"frame_rate_id": -1.0}, "Choose a frame rate id"),
    ],
)
def test_invalid_settings_are_refused(change, sentence):
    clip = SmallClip(3, 2)
    clip.settings = sampler.Settings(**{"steps": 1, "window": 2, "shift": 1} | change)
    with pytest.raises(RuntimeError, match=sentence):
        clip.sample()


@pytest.mark.parametrize("branches_at_once", [0, 4])
def test_invalid_branches_at_once_are_refused(branches_at_once):
    with pytest.raises(RuntimeError, match="Choose 1 to 3 branches at once"):
        SmallClip(3, 2).sample(branches_at_once)


@pytest.mark.parametrize(
    "name, value, sentence",
    [
        ("noise", torch.zeros(3, 4, 4), "Give the noise as float32"),
        ("noise", torch.zeros(0, 4, 4, 4), "Give the noise as float32"),
        ("noise", torch.zeros(4, 4, 4, 4), "Give the motion buckets"),
        ("noise", torch.zeros(3, 4, 8, 4), "Give the portrait's latents"),
        ("image_latents", torch.zeros(8, 4, 4), "Give the portrait's latents"),
        ("buckets", torch.zeros(3, 1), "Give the motion buckets"),
    ],
)
def test_inputs_of_another_shape(name, value, sentence):
    clip = SmallClip(3, 2)
    setattr(clip, name, value)
    with pytest.raises(RuntimeError, match=sentence):
        clip.sample()


def test_a_network_prepared_for_another_clip():
    clip, other = SmallClip(3, 2), SmallClip(4, 2)
    clip.net = other.net
    with pytest.raises(
        RuntimeError, match="Give noise for the 4 frames that the network was prepared for: there are 3"
    ):
        clip.sample()
    clip.net.constants = {name: t for name, t in other.net.constants.items() if name != "latents"}
    with pytest.raises(
        RuntimeError, match="Give the constants that unet_prepare made for 3 branches with image latents"
    ):
        clip.sample()
