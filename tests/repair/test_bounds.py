"""Repaired coefficients stay in their quantisation intervals, and threads do not change the result."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sonic_nodes.extension.native import _sonic

REACH = 0.3  # of a step: half of FRACTION in csrc/repair/plane.c

K = np.arange(8)
COSINES = np.sqrt(2 / 8) * np.cos((2 * K[None] + 1) * K[:, None] * np.pi / 16)
COSINES[0] /= np.sqrt(2)


def blocks_of(plane):
    height, width = plane.shape[0] // 8, plane.shape[1] // 8
    return plane[: height * 8, : width * 8].reshape(height, 8, width, 8).transpose(0, 2, 1, 3)


def coefficients(plane):
    return COSINES @ blocks_of(plane) @ COSINES.T


def compressed(random, height, width, steps):
    """A grey plane around 0 whose every coefficient is a multiple of its step."""
    ramp = np.add.outer(np.linspace(-40, 40, height * 8), np.linspace(-30, 30, width * 8))
    edges = 50.0 * (np.add.outer(np.arange(height * 8), 2 * np.arange(width * 8)) % random.integers(20, 60) < 9)
    blocks = np.rint(coefficients(ramp + edges + random.normal(0, 6, ramp.shape)) / steps) * steps
    return (COSINES.T @ blocks @ COSINES).transpose(0, 2, 1, 3).reshape(height * 8, width * 8)


def repaired(plane, steps, offset=0):
    """Repairs floats: nothing is rounded, and levels far from 0 and 255 are not clipped."""
    rgb = np.repeat(((plane + 128) / 255).astype(np.float32)[..., None], 3, axis=2)
    fit, *_ = _sonic.repair_pixels(rgb, steps, steps, offset)
    return fit, rgb[..., 0].astype(np.float64) * 255 - 128


@given(st.integers(0, 2**32 - 1), st.integers(3, 14), st.integers(3, 40), st.integers(8, 60))
@settings(max_examples=40, deadline=None)
def test_every_coefficient_stays_in_its_interval(seed, height, width, largest):
    random = np.random.default_rng(seed)
    steps = random.integers(6, largest + 1, (8, 8)).astype(np.float32)
    plane = np.clip(compressed(random, height, width, steps), -127, 127)
    inside = np.abs(blocks_of(plane)).max(axis=(2, 3)) < 127  # clipping moves the others off their multiples
    fit, result = repaired(plane, steps)
    if fit < 0.5:
        assert np.allclose(result, plane, atol=1e-3)
        return
    inside &= np.abs(blocks_of(result)).max(axis=(2, 3)) < 127
    moved = np.abs(coefficients(result) - np.rint(coefficients(plane) / steps) * steps) / steps
    assert inside.any()
    assert moved[inside].max() < REACH + 1e-3
    assert np.abs(result - plane).max() > 0.1


@given(st.integers(0, 2**32 - 1), st.integers(0, 63))
@settings(max_examples=20, deadline=None)
def test_every_coefficient_stays_in_its_interval_at_any_grid_offset(seed, offset):
    random = np.random.default_rng(seed)
    steps = random.integers(8, 30, (8, 8)).astype(np.float32)
    whole = np.clip(compressed(random, 8, 12, steps), -100, 100)
    plane = whole[(8 - offset // 8) % 8 :, (8 - offset % 8) % 8 :]
    fit, result = repaired(plane, steps, offset)
    assert fit > 0.9
    before, after = (coefficients(p[offset // 8 :, offset % 8 :]) for p in (plane, result))
    unclipped = np.abs(blocks_of(plane[offset // 8 :, offset % 8 :])).max(axis=(2, 3)) < 100
    moved = np.abs(after - np.rint(before / steps) * steps) / steps
    assert moved[unclipped].max() < REACH + 1e-3


@pytest.mark.parametrize("offset", [0, 27])
def test_another_grid_offset_does_not_fit(offset):
    random = np.random.default_rng(3)
    steps = np.full((8, 8), 16, np.float32)
    plane = compressed(random, 12, 12, steps)
    rgb = np.repeat(((plane + 128) / 255).astype(np.float32)[..., None], 3, axis=2)
    fits = [_sonic.repair_quant_fit(rgb, steps, p) for p in range(64)]
    assert fits[0] > 0.9
    assert max(fits[1:]) < 0.4


def test_the_number_of_threads_does_not_matter():
    random = np.random.default_rng(5)
    steps = random.integers(8, 30, (8, 8)).astype(np.float32)
    plane = compressed(random, 40, 50, steps)
    count, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append(repaired(plane, steps)[1])
    finally:
        torch.set_num_threads(count)
    assert np.array_equal(results[0], results[1])
    assert np.array_equal(results[0], results[2])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: _sonic.repair_jpeg(b"no", np.zeros((8, 8, 3), np.uint8)),
        lambda: _sonic.repair_pixels(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8)), np.ones((8, 8)), 0),
        lambda: _sonic.repair_pixels(np.zeros((8, 8, 3), np.uint8), np.full((8, 8), np.nan), np.ones((8, 8)), 0),
        lambda: _sonic.repair_pixels(np.zeros((8, 8, 3), np.uint8), np.ones((8, 8)), np.ones((7, 8)), 0),
        lambda: _sonic.repair_pixels(np.zeros((8, 8, 3), np.uint8), np.ones((8, 8)), np.ones((8, 8)), 64),
        lambda: _sonic.repair_pixels(np.zeros((8, 8, 4), np.uint8), np.ones((8, 8)), np.ones((8, 8)), 0),
        lambda: _sonic.repair_pixels(np.zeros((0, 8, 3), np.uint8), np.ones((8, 8)), np.ones((8, 8)), 0),
        lambda: _sonic.repair_standard_table(np.zeros((8, 8), np.float32), 0, 0),
    ],
    ids=["bytes", "zero", "nan", "shape", "grid offset", "channels", "empty", "quality"],
)
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(ValueError, match="Give|rgb|steps"):
        wrong()
