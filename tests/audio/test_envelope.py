"""RMS per video frame."""

from itertools import pairwise

import numpy as np
import pytest

from sonic_nodes.extension.native import _sonic


@pytest.mark.parametrize(("rate", "fps"), [(16000, 25.0), (44100, 25.0), (44100, 12.5), (11025, 29.97), (8000, 30.0)])
def test_against_numpy(rate, fps):
    x = np.random.default_rng(0).standard_normal(rate * 2 + 17).astype(np.float32)
    edges = [min(len(x), int(np.floor(i * rate / fps + 0.5))) for i in range(81)]
    expected = [np.sqrt(np.mean(x[a:b].astype(np.float64) ** 2)) if b > a else 0 for a, b in pairwise(edges)]
    found = _sonic.envelope(x, rate, fps, 80)
    assert found.dtype == np.float32 and np.allclose(found, expected, atol=1e-6)
    assert found[-5:].any() == (80 / fps < 2)


def test_known_values():
    x = np.concatenate([np.full(640, 0.5), np.full(640, -1), np.zeros(640), [1]]).astype(np.float32)
    assert _sonic.envelope(x, 16000, 25.0, 6).tolist() == [0.5, 1, 0, 1, 0, 0]
    assert _sonic.envelope(x, 16000, 25.0, 0).shape == (0,)
    assert _sonic.envelope(np.zeros(0, np.float32), 16000, 25.0, 2).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("rate", "fps", "frames"),
    [(16000, 0.0, 5), (16000, float("nan"), 5), (16000, 1e9, 5), (0, 25.0, 5), (16000, 25.0, -1)],
)
def test_limits(rate, fps, frames):
    with pytest.raises(ValueError, match="^(Choose|Ask)"):
        _sonic.envelope(np.zeros(10, np.float32), rate, fps, frames)
