"""Windows and lengths of every clip length, against an independent implementation."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonic_nodes.extension.native import _sonic
from sonic_nodes.models import sampler
from sonic_nodes.models.constants import WINDOW

SHIFT = 7


def model(frames, window, moved):
    """The published loop: a window every `window` frames, moved back and wrapped around."""
    starts = range(0, frames, window)
    return [[(start - moved + j) % frames for j in range(window)] for start in starts]


def test_every_frame_is_seen_in_every_step():
    for frames, step in itertools.product(range(1, 201), range(25)):
        windows, occurrences = _sonic.sample_windows(frames, WINDOW, SHIFT * step)
        assert windows.tolist() == model(frames, WINDOW, SHIFT * step), (frames, step)
        assert occurrences.tolist() == np.bincount(windows.ravel(), minlength=frames).tolist(), (frames, step)
        assert occurrences.min() >= 1 and occurrences.max() - occurrences.min() <= 1, (frames, step)


@given(st.integers(1, 300), st.integers(1, 60), st.integers(0, 10**6))
def test_any_window_and_shift(frames, window, moved):
    windows, occurrences = _sonic.sample_windows(frames, window, moved)
    assert windows.tolist() == model(frames, window, moved)
    assert occurrences.tolist() == np.bincount(windows.ravel(), minlength=frames).tolist()


@pytest.mark.parametrize("frames, window, offset", [(0, 25, 0), (-1, 25, 0), (8, 0, 0), (8, 25, -1), (10**12, 25, 0)])
def test_invalid_windows_are_refused(frames, window, offset):
    with pytest.raises(ValueError, match="Choose 1 or more frames"):
        _sonic.sample_windows(frames, window, offset)


@given(st.integers(1, 1024))
def test_any_number_of_steps(steps):
    sigmas = _sonic.karras(steps)
    assert sigmas.shape == (steps + 1,) and sigmas.dtype == np.float32
    assert sigmas[0] == 700 and sigmas[-1] == 0 and (np.diff(sigmas) < 0).all()
    if steps > 1:
        assert sigmas[-2] == np.float32(0.002)


@pytest.mark.parametrize("steps", [0, -1, 1025, 2**40])
def test_invalid_steps_are_refused(steps):
    with pytest.raises(ValueError, match="Choose 1 to 1024 inference steps"):
        _sonic.karras(steps)


# Lengths: n latents at 12.5 a second decode to n frames, or to 2 n - 1 frames at 25 a second with interpolation


@given(st.integers(1, 100_000), st.booleans())
def test_exactly_as_many_frames_as_audio(frames, interpolate):
    latents = sampler.latent_count(frames)
    decoded = 2 * latents - 1 if interpolate else latents
    count = sampler.frame_count(frames, interpolate=interpolate)
    assert count == len(range(0, frames, 1 if interpolate else 2))
    assert count <= decoded <= count + 1


@given(st.integers(2, 100_000))
def test_as_many_frames_as_upstream(frames):
    latents = sampler.latent_count(frames, "upstream")
    assert latents == frames // 2
    assert sampler.frame_count(frames, "upstream") == 2 * latents - 1
    assert 1 <= frames - sampler.frame_count(frames, "upstream") <= 2
    assert sampler.frame_count(frames, "upstream", interpolate=False) == latents


def test_audio_of_one_frame_is_too_short_for_upstream():
    assert sampler.latent_count(1, "upstream") == sampler.frame_count(1, "upstream") == 0
    assert sampler.latent_count(1) == sampler.frame_count(1) == 1
