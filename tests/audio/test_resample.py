"""The resampler: a flat pass band, an empty stop band, exact timing and length."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonic_nodes.extension.native import _sonic

RATES = [(44100, 16000), (48000, 16000), (22050, 16000), (8000, 16000), (16000, 48000), (44100, 48000), (96000, 44100)]
RATES += [(44101, 16000), (7350, 44099)]  # too many phases for one row each


def sine(hz, rate, seconds=1.0, phase=0.3):
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate + phase).astype(np.float32)


def inside(x, rate, margin_s=0.06):
    """Without the edges, which see the zeros before and after."""
    margin = round(margin_s * rate)
    return x[margin:-margin]


@pytest.mark.parametrize(("rate_in", "rate_out"), RATES)
def test_pass_band_is_flat_and_in_time(rate_in, rate_out):
    for part in (0.01, 0.3, 0.6, 0.9):
        hz = part * min(rate_in, rate_out) / 2
        out = _sonic.resample(sine(hz, rate_in), rate_in, rate_out)
        expected = sine(hz, rate_out)
        assert np.abs(inside(out, rate_out) - inside(expected, rate_out)).max() < 2e-5


@pytest.mark.parametrize(("rate_in", "rate_out"), [pair for pair in RATES if pair[0] > pair[1]])
def test_stop_band_is_silent(rate_in, rate_out):
    for part in (1.005, 1.1, 1.4):
        hz = part * rate_out / 2
        if hz < rate_in / 2:
            out = _sonic.resample(sine(hz, rate_in), rate_in, rate_out)
            assert np.abs(inside(out, rate_out)).max() < 1e-5  # -100 dB


@pytest.mark.parametrize(("rate_in", "rate_out"), [pair for pair in RATES if pair[0] < pair[1]])
def test_images_are_silent(rate_in, rate_out):
    hz = 0.8 * rate_in / 2
    out = inside(_sonic.resample(sine(hz, rate_in), rate_in, rate_out), rate_out)
    window = np.hanning(len(out))
    spectrum = np.abs(np.fft.rfft(out * window)) / window.sum() * 2
    frequencies = np.fft.rfftfreq(len(out), 1 / rate_out)
    assert spectrum[np.abs(frequencies - hz) > 50].max() < 1e-5


@pytest.mark.parametrize(("rate_in", "rate_out"), RATES)
def test_against_soxr(rate_in, rate_out):
    soxr = pytest.importorskip("soxr", reason="soxr comes with librosa, for tests only")
    noise = np.random.default_rng(0).standard_normal(rate_in).astype(np.float32)
    kernel = np.sinc(0.8 * min(1, rate_out / rate_in) * np.arange(-200, 201)) * np.hanning(401)
    band = np.convolve(noise, kernel / kernel.sum(), "same").astype(np.float32)
    ours, theirs = _sonic.resample(band, rate_in, rate_out), soxr.resample(band, rate_in, rate_out, quality="HQ")
    n = min(len(ours), len(theirs))
    assert abs(len(ours) - len(theirs)) <= 1
    difference = inside(ours[:n], rate_out) - inside(theirs[:n], rate_out)
    assert np.linalg.norm(difference) < 1e-3 * np.linalg.norm(inside(theirs[:n], rate_out))


def test_constant_stays_constant():
    for rate_in, rate_out in RATES:
        out = inside(_sonic.resample(np.full(rate_in, 0.7, np.float32), rate_in, rate_out), rate_out)
        assert np.abs(out - 0.7).max() < 1e-6


def test_an_impulse_keeps_its_time():
    x = np.zeros(44100, np.float32)
    x[22050] = 1
    assert np.argmax(_sonic.resample(x, 44100, 16000)) == 8000


def test_same_rate_is_a_copy():
    x = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    y = _sonic.resample(x, 44100, 44100)
    assert np.array_equal(x, y) and not np.shares_memory(x, y)


@settings(max_examples=80, deadline=None)
@given(
    count=st.integers(0, 400),
    rate_in=st.integers(1, 768000),
    rate_out=st.one_of(st.just(16000), st.integers(1, 768000)),
)
def test_length_and_bounds_for_any_ratio(count, rate_in, rate_out):
    if count * rate_out / rate_in > 3e5:
        count = 1
    x = np.ones(count, np.float32)
    if rate_in // 4096 > rate_out:
        with pytest.raises(ValueError, match="^Choose a higher target rate"):
            _sonic.resample(x, rate_in, rate_out)
        return
    y = _sonic.resample(x, rate_in, rate_out)
    assert len(y) == -(-count * rate_out // rate_in)
    assert np.isfinite(y).all() and (len(y) == 0 or np.abs(y).max() < 1.5)


@pytest.mark.parametrize(
    ("rate_in", "rate_out"), [(0, 16000), (16000, 0), (-1, 16000), (768001, 16000), (16000, 10**6)]
)
def test_rates_outside_the_range(rate_in, rate_out):
    with pytest.raises(ValueError, match="^Convert the sound to 48000 Hz"):
        _sonic.resample(np.zeros(10, np.float32), rate_in, rate_out)


def test_too_long_a_result_is_refused_before_it_is_allocated():
    with pytest.raises(ValueError, match="^Use a shorter recording"):
        _sonic.resample(np.zeros(10**6, np.float32), 1, 768000)


def test_wrong_arrays():
    for wrong in (np.zeros((2, 10), np.float32), "sound", None):
        with pytest.raises((ValueError, TypeError)):
            _sonic.resample(wrong, 44100, 16000)


def test_the_result_does_not_depend_on_threads():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).standard_normal(500_000).astype(np.float32)
    threads = torch.get_num_threads()
    results = []
    for count in (1, 2, 5):
        torch.set_num_threads(count)
        results.append((_sonic.resample(x, 44100, 16000), _sonic.log_mel(x)))
    torch.set_num_threads(threads)
    for resampled, mel in results[1:]:
        assert np.array_equal(resampled, results[0][0]) and np.array_equal(mel, results[0][1])
