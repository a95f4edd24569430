"""Two recordings at once: lengths, rates, channels, and no clipping."""

import numpy as np
import pytest

from sonic_nodes.media.audio import Sound
from sonic_nodes.media.mixed import mixed


def tone(seconds, rate, level=0.25, channels=1, hz=200.0):
    wave = level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)
    return Sound(np.tile(wave.astype(np.float32), (channels, 1)), rate)


def test_the_longer_one_gives_the_length():
    a, b = tone(1, 8000), tone(2, 8000, hz=300)
    both = mixed(a, b)
    assert both.rate == 8000 and both.waveform.shape == (1, 16000)
    assert np.array_equal(both.waveform[0, :8000], a.waveform[0] + b.waveform[0, :8000])
    assert np.array_equal(both.waveform[0, 8000:], b.waveform[0, 8000:])


def test_another_rate_is_converted():
    both = mixed(Sound(np.zeros((1, 48000), np.float32), 48000), tone(1, 16000))
    expected = tone(1, 48000).waveform
    assert both.rate == 48000 and np.abs(both.waveform - expected)[0, 500:-500].max() < 0.003


@pytest.mark.parametrize(("first", "second", "channels"), [(1, 2, 2), (6, 1, 6), (2, 6, 1), (2, 2, 2)])
def test_channels(first, second, channels):
    a, b = tone(1, 16000, channels=first), tone(1, 16000, channels=second, hz=300)
    both = mixed(a, b)
    assert len(both.waveform) == channels
    assert np.abs(both.waveform - (a.waveform[:1] + b.waveform[:1])).max() < 1e-6


def test_loud_ones_are_attenuated_not_clipped():
    a, b = tone(1, 16000, 0.9), tone(1, 16000, 0.9, hz=201)
    both, total = mixed(a, b).waveform, a.waveform + b.waveform
    assert np.abs(both).max() == pytest.approx(1)
    assert np.abs(both * np.abs(total).max() - total).max() < 1e-6


def test_the_same_recording_is_not_doubled():
    assert mixed(tone(1, 16000), tone(1, 16000)).waveform.max() == tone(1, 16000).waveform.max()
