"""The sum of two recordings, against NumPy."""

import numpy as np
import pytest

from sonic_nodes.extension.native import _sonic


@pytest.mark.parametrize(("first", "second"), [(5, 5), (3, 9), (9, 3), (0, 4), (4, 0), (0, 0)])
def test_the_shorter_one_is_followed_by_silence(first, second):
    random = np.random.default_rng(3)
    a, b = (random.normal(size=count).astype(np.float32) for count in (first, second))
    expected = np.zeros(max(first, second), np.float32)
    expected[:first] += a
    expected[:second] += b
    out, peak = _sonic.sound_sum(a, b)
    assert np.array_equal(out, expected) and peak == np.abs(expected).max(initial=0)


def test_other_arrays_are_refused():
    with pytest.raises((TypeError, ValueError)):
        _sonic.sound_sum(np.zeros((2, 2), np.float32), np.zeros(2, np.float32))
