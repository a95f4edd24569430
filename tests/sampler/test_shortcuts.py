"""What the steps of a run may leave out: guidance outside an interval of noise levels, and deep features."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sonic_nodes.engines.settings import SPEEDS
from sonic_nodes.extension.native import _sonic
from sonic_nodes.models import sampler, unet
from sonic_nodes.progress import progress_callback
from tests.models.golden import relative
from tests.sampler.clips import SmallClip


def loop(clip: SmallClip, at_once: int) -> torch.Tensor:
    """The loop in plain Python, with the shortcuts as their papers describe them."""
    s, frames = clip.settings, len(clip.noise)
    sigmas = _sonic.karras(s.steps).astype("float64")
    x = 0.18215 * clip.image_latents[None].double() + sigmas[0] * clip.noise.double()
    kept, kept_at, kept_guided = {}, -math.inf, False
    for i in range(s.steps):
        sigma, after = sigmas[i], sigmas[i + 1]
        guided = s.guidance_low <= sigma <= s.guidance_high
        shallow = i - kept_at < s.reuse and (kept_guided or not guided)
        if not shallow:
            kept, kept_at, kept_guided = {}, i, guided
        total, count = torch.zeros_like(x), torch.zeros(frames, 1, 1, 1)
        for start in range(0, frames, s.window):
            window = [(start - s.shift * i + j) % frames for j in range(s.window)]
            ids = (s.frame_rate_id, *(clip.buckets[window].mean(0) * s.dynamic_scale).tolist())
            ids = (*ids[:2], ids[2] * s.motion_scale)
            scaled = (x[window] / (sigma**2 + 1) ** 0.5).float()
            outputs = {}
            for branch in (0, 1, 2) if guided else (2,):
                options = {"first_branch": branch, "branches": 1, "disabled": unet.GIVE_DEEP}
                if shallow:
                    options = options | {
                        "deep": torch.stack([kept[branch, frame] for frame in window])[None],
                        "disabled": 0,
                    }
                out, *deep = clip.net.step(scaled, 0.25 * math.log(sigma), ids, window, **options)
                outputs[branch] = out[0].double()
                if deep:
                    kept |= {(branch, frame): deep[0][0, j] for j, frame in enumerate(window)}
            c = outputs[2]
            v = c
            if guided:
                u, d = outputs[0], outputs[1]
                v = u + s.appearance_guidance * (d - u) + s.audio_guidance * (c - d)
            clean = -v * sigma / (sigma**2 + 1) ** 0.5 + x[window] / (sigma**2 + 1)
            moved = x[window] + (x[window] - clean) / sigma * (after - sigma)
            for j, frame in enumerate(window):
                total[frame] += moved[j]
                count[frame] += 1
        x = total / count
    return (x / 0.18215).float()


@pytest.mark.parametrize("at_once", [1, 2, 3])
@pytest.mark.parametrize(
    "frames, steps, shortcuts",
    [
        (7, 3, {"guidance_low": 0.3, "guidance_high": 30.0}),
        (7, 4, {"reuse": 2}),
        (3, 5, {"reuse": 3}),  # the clip repeats in its window
        (5, 6, {"guidance_low": 0.01, "guidance_high": 100.0, "reuse": 2}),
        (4, 6, {"guidance_low": 0.0, "guidance_high": 5.0, "reuse": 6}),  # guidance begins among shallow ones
    ],
)
def test_the_loop_with_shortcuts(frames, steps, shortcuts, at_once):
    clip = SmallClip(frames, 4, steps=steps, shift=1, appearance_guidance=2.0, audio_guidance=7.5, **shortcuts)
    assert relative(clip.sample(at_once)[0], loop(clip, at_once)) < 1e-4


def test_without_shortcuts_the_bits_stay():
    plain = SmallClip(5, 3, steps=3).sample()[0]
    named = SmallClip(5, 3, steps=3, guidance_low=0.0, guidance_high=math.inf, reuse=1).sample()[0]
    assert torch.equal(plain, named)
    assert sampler.SPEEDS["exact"] == {}


def test_without_guidance_at_any_level():
    never = SmallClip(5, 3, steps=3, guidance_low=0.0, guidance_high=0.0).sample()[0]
    assert torch.equal(never, SmallClip(5, 3, steps=3, appearance_guidance=1.0, audio_guidance=1.0).sample()[0])


def test_features_of_the_same_step_give_the_same_output():
    """Where nothing changes in between, reusing features is exact."""
    clip = SmallClip(3, 3)
    sample, ids = clip.noise[:3], (6.0, 1.0, 1.0)
    out, deep = clip.net.step(sample, 0.1, ids, range(3), disabled=unet.GIVE_DEEP)
    (again,) = clip.net.step(sample, 0.1, ids, range(3), deep=deep)
    assert torch.equal(again, out)
    (other,) = clip.net.step(sample * 2, 0.1, ids, range(3), deep=deep)
    assert not torch.equal(other, out)


@pytest.mark.parametrize("shape", [(2, 3, 64, 32), (3, 2, 64, 32), (3, 3, 63, 32), (3, 3, 64)])
def test_features_of_another_shape_are_refused(shape):
    clip = SmallClip(3, 3)
    with pytest.raises(RuntimeError, match=r"^Give deep features as \[3, 3, "):
        clip.net.step(clip.noise[:3], 0.1, (6.0, 1.0, 1.0), range(3), deep=torch.zeros(shape))


@given(st.integers(1, 60), st.floats(0, 800), st.floats(0, 800), st.integers(1, 9))
def test_a_shallow_step_has_features_of_its_branches(steps, low, width, reuse):
    work = _sonic.step_work(steps, low, low + width, reuse)
    sigmas = _sonic.karras(steps).astype(float)  # NumPy would round the limits to float32
    assert len(work) == steps and not work[0][1]
    whole = 0
    for i, (guided, shallow, keep) in enumerate(work):
        assert guided == (low <= sigmas[i] <= low + width)
        if shallow:
            assert not keep and i - whole < reuse and work[whole][2] and work[whole][0] >= guided
        else:
            whole = i
        assert keep == (not shallow and i + 1 < steps and bool(work[i + 1][1]))


@pytest.mark.parametrize(
    "speed, guided, whole, fp16_accumulation",
    [
        ("exact", 25, 25, False),
        ("balanced", 9, 25, False),
        ("fast", 9, 13, False),
        ("shared-features", 25, 13, False),
        ("fp16-accumulation", 25, 25, True),
        ("fast-fp16", 9, 13, True),
    ],
)
def test_what_each_speed_leaves_out(speed, guided, whole, fp16_accumulation):
    assert tuple(sampler.SPEEDS) == SPEEDS, "what users choose from"
    settings = sampler.Settings(steps=25, **sampler.SPEEDS[speed])
    assert settings.fp16_accumulation == fp16_accumulation
    work = settings.step_work()
    assert sum(count for (is_guided, _), count in work.items() if is_guided) == guided
    assert sum(count for (_, is_shallow), count in work.items() if not is_shallow) == whole


@pytest.mark.parametrize(
    "change, sentence",
    [
        ({"guidance_low": 2.0, "guidance_high": 1.0}, "Choose an interval of guidance .* 2 to 1"),
        ({"guidance_low": -1.0}, "Choose an interval of guidance"),
        ({"guidance_low": math.nan}, "Choose an interval of guidance"),
        ({"guidance_high": math.nan}, "Choose an interval of guidance"),
        ({"reuse": 0}, "Choose 1 to 1024 steps that share deep features: got 0"),
        ({"reuse": 1025}, "Choose 1 to 1024 steps"),
        ({"reuse": -3}, "Choose 1 to 1024 steps"),
    ],
)
def test_invalid_shortcuts_are_refused(change, sentence):
    with pytest.raises(RuntimeError, match=f"^{sentence}"):
        SmallClip(3, 3, steps=2, **change).sample()


def test_progress_counts_the_calls_that_are_made():
    clip, totals = SmallClip(6, 3, steps=6, guidance_low=0.01, guidance_high=100.0), []
    with progress_callback(lambda done, total, _: totals.append((done, total)), interval_ms=10**6):
        clip.sample(1)
    guided = sum(guided for guided, _, _ in _sonic.step_work(6, 0.01, 100.0, 1))
    assert 0 < guided < 6
    assert totals[-1] == (2 * (3 * guided + 6 - guided),) * 2
