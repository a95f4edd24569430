"""The parts of lip-sync calibration in C, each against an independent computation."""

import numpy as np
import pytest

from sonic_nodes.extension.native import _sonic
from sonic_nodes.face import LANDMARKS
from sonic_nodes.lipsync import estimate

LAGS = 121


@pytest.fixture(scope="module")
def rest():
    return estimate.model()["rest"]


def head(rest, seed=0):
    """A mesh whose rigid points are those of the mean head."""
    mesh = np.random.default_rng(seed).normal(size=(468, 3)).astype(np.float32) * 0.3
    mesh[_sonic.lipsync_rigid_points()] = rest
    return mesh


def transformed(mesh, angles, scale, shift):
    (a, b, c) = angles
    x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return (scale * mesh @ (x @ y @ z).T + shift).astype(np.float32)


@pytest.mark.parametrize("angles", [(0, 0, 0), (0.4, -0.6, 0.3), (0, 0, 3.0), (1.2, 0.2, -2.0)])
def test_the_mouth_does_not_depend_on_the_pose_of_the_head(rest, angles):
    mesh = head(rest)
    expected = _sonic.lipsync_mouth(mesh, rest)
    assert np.abs(_sonic.lipsync_mouth(transformed(mesh, angles, 173.0, [400, 250, -30]), rest) - expected).max() < 2e-4
    assert np.abs(expected[:2] - mesh[LANDMARKS["mouth_left"], :2]).max() < 1e-5


def test_a_mesh_without_extent_has_no_mouth(rest):
    assert np.isnan(_sonic.lipsync_mouth(np.zeros((468, 3), np.float32), rest)).all()
    assert np.isnan(_sonic.lipsync_mouth(np.full((468, 3), np.nan, np.float32), rest)).all()


def curve(seed, ticks):
    noise = np.random.default_rng(seed).normal(size=(3, ticks + 40))
    return np.stack([np.convolve(row, np.hanning(15), "same") for row in noise])[:, 20:-20].astype(np.float32)


@pytest.mark.parametrize("fps", [12.5, 25, 29.97, 60, 240])
def test_curves_do_not_depend_on_the_frame_rate(fps):
    """A slow sine sampled at any rate gives the same curve."""
    times = np.arange(int(6 * fps)) / fps + 0.013
    values = np.stack([np.sin(2 * np.pi * 1.5 * times), np.cos(2 * np.pi * 1.5 * times)], 1).astype(np.float32)
    out, valid = _sonic.lipsync_mouth_curves(
        values, times, np.zeros(len(times), np.int32), np.eye(2, dtype=np.float32), 0.0, 600
    )
    at = np.arange(600) / 100
    inside = slice(250, 350)
    assert valid[inside].all()
    reference = np.sin(2 * np.pi * 1.5 * at)[inside]
    scale = float(out[0, inside] @ reference / (reference @ reference))
    assert 0.9 < scale <= 1.01
    assert np.abs(out[0, inside] - scale * reference).max() < 0.02


def test_a_cut_splits_the_curve_and_a_gap_is_invalid():
    times = np.arange(200) / 25
    values = np.where(times < 4, 0.0, 100.0)[:, None].astype(np.float32)
    scene = (times >= 4).astype(np.int32)
    values[50:75] = np.nan  # 2 s to 3 s
    out, valid = _sonic.lipsync_mouth_curves(values, times, scene, np.eye(1, dtype=np.float32), 0.0, 800)
    assert np.abs(out).max() < 1e-3  # each scene is constant
    assert not valid[205:295].any()
    assert not valid[300:396].any()  # shorter than a second
    assert valid[405:790].all()


@pytest.mark.parametrize("lag", [-60, -33, 0, 7, 45])
def test_the_score_finds_a_lag_and_counts_the_ticks_compared(lag):
    both = curve(1, 1200)
    mouth, sound = both[:, 100:1100], np.roll(both, lag, 1)[:, 100:1100]
    valid = np.ones(1000, np.uint8)
    r = np.full(3, 0.5, np.float32)
    scores, compared = _sonic.lipsync_score(
        np.ascontiguousarray(mouth), np.ascontiguousarray(sound), valid, r, 1000, 0, 1000
    )
    assert compared == 1000
    assert abs(_sonic.lipsync_peak(scores)[0] - lag) <= 0.5
    assert scores[60 + lag] == pytest.approx(3 * 0.5 / 0.75, rel=1e-3)


def test_the_score_is_the_sum_of_correlations():
    mouth, sound = curve(2, 500), curve(3, 500)
    valid = (np.arange(500) % 3 > 0).astype(np.uint8)
    r = np.array([0.7, 0.4, 0.2], np.float32)
    scores, _ = _sonic.lipsync_score(mouth, sound, valid, r, 480, 50, 470)
    for lag in (-60, -5, 0, 31):
        at = np.array([i for i in range(50, 470) if valid[i] and 0 <= i + lag < 480])
        expected = sum(
            q / (1 - q * q) * np.corrcoef(mouth[k, at], sound[k, at + lag])[0, 1] for k, q in enumerate(r.astype(float))
        )
        assert scores[60 + lag] == pytest.approx(expected, abs=1e-6)


def test_constant_curves_score_0_at_every_lag():
    still = np.zeros((2, 300), np.float32)
    scores, _ = _sonic.lipsync_score(still, still, np.ones(300, np.uint8), np.full(2, 0.5, np.float32), 300, 0, 300)
    assert not scores.any()
    assert np.isfinite(_sonic.lipsync_peak(scores)).all()


def test_the_peak_is_found_between_ticks():
    at = np.arange(LAGS) - 60
    assert _sonic.lipsync_peak(-((at - 12.3) ** 2.0))[0] == pytest.approx(12.3, abs=1e-9)


def test_drift_is_distinguished_from_an_offset():
    at = np.arange(LAGS) - 60.0
    windows = 9
    steady = np.stack([np.exp(-0.5 * ((at - 10) / 8) ** 2) for _ in range(windows)])
    drifting = np.stack(
        [np.exp(-0.5 * ((at - (10 + 40 * (w / (windows - 1) - 0.5))) / 8) ** 2) for w in range(windows)]
    )
    assert _sonic.lipsync_drift(steady)[1:] == (0.0, 0.0)
    lag, drift, gain = _sonic.lipsync_drift(drifting)
    assert (lag, drift) == (10.0, 40.0)
    assert gain > 0.3


@pytest.mark.parametrize("delay", [0, 1, 100, -1, -250, 999, 1000, 5000, -5000])
def test_sound_is_shifted_to_the_sample(delay):
    wave = np.random.default_rng(4).normal(size=(2, 1000)).astype(np.float32)
    out = _sonic.lipsync_shift(wave, delay, 5)
    assert out.shape == wave.shape
    if delay == 0:
        assert (out == wave).all()
        return
    begin, end = max(delay, 0), min(1000, 1000 + delay)
    assert not out[:, : min(begin, 1000)].any()
    assert not out[:, max(end, 0) :].any()
    if end - begin > 10:
        assert (out[:, begin + 5 : end - 5] == wave[:, begin + 5 - delay : end - 5 - delay]).all()
        assert np.abs(out[:, begin]) == pytest.approx(np.abs(wave[:, begin - delay]) * 0.1, rel=1e-5)


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="Cut the clip"):
        _sonic.lipsync_sound_curves(np.zeros((80, 10), np.float32), 1 << 30)
    with pytest.raises(ValueError, match="mel"):
        _sonic.lipsync_sound_curves(np.zeros((79, 10), np.float32), 10)
    with pytest.raises(ValueError, match="sound"):
        _sonic.lipsync_score(curve(1, 10), curve(1, 11), np.ones(10, np.uint8), np.ones(3, np.float32) / 2, 10, 0, 10)


def test_times_out_of_range_give_no_valid_ticks():
    basis, scene = np.eye(2, dtype=np.float32), np.zeros(8, np.int32)
    values = np.ones((8, 2), np.float32)
    for start in (1e14, 1e300, -1e300, np.inf, np.nan):
        times = start + np.arange(8) * 0.25
        out, valid = _sonic.lipsync_mouth_curves(values, times, scene, basis, 0.0, 300)
        assert not valid.any() and not out.any()
    with pytest.raises(ValueError, match="^Cut the clip"):
        _sonic.lipsync_mouth_curves(values[:, :0], np.arange(8) / 25, scene, basis[:0], 0.0, 300)


def test_frames_long_after_the_sound_take_no_ticks():
    times = np.arange(0, 7 * 3600, 0.04)
    assert estimate.tick_count(times, 0.0, 20.0) == 2501 and estimate.tick_count(times[:600], 0.0, 20.0) == 2397
