"""Speech -> mouth poses: follows the sound, rests in silence, and only the seed's part depends on the seed."""
import wave

import numpy as np
import pytest

from sonic_nodes.native import _sonic

RATE, FPS = 16000, 25
OPENING, WIDTH, ROUNDING, PRESS, BLINK, SWAY_X, SWAY_Y, ROLL = range(8)


def read_wav(path):
    with wave.open(str(path)) as file:
        assert file.getframerate() == RATE and file.getnchannels() == 1 and file.getsampwidth() == 2
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768


def envelope(sound, frames):
    """RMS per frame, smoothed by a Hann window over five frames."""
    padded = np.zeros(frames * RATE // FPS, np.float32)
    padded[: min(len(sound), len(padded))] = sound[: len(padded)]
    window = np.hanning(7)[1:-1]
    return np.convolve(np.sqrt((padded.reshape(frames, -1) ** 2).mean(1)), window / window.sum(), "same")


def poses_of(sound, seed=1, **settings):
    return _sonic.draft_poses(sound, round(FPS * len(sound) / RATE), seed, **settings)


@pytest.fixture(scope="module")
def speech(sample_dir):
    return read_wav(sample_dir / "speech.wav")


def test_opening_follows_the_envelope_without_delay(speech):
    opening = poses_of(speech)[:, OPENING]
    loud = envelope(speech, len(opening))
    at_lag = [np.corrcoef(opening[3 + lag : len(opening) - 3 + lag], loud[3:-3])[0, 1] for lag in range(-3, 4)]
    assert at_lag[3] >= 0.7
    assert np.argmax(at_lag) == 3


def test_digital_silence_keeps_the_portrait_mouth():
    poses = poses_of(np.zeros(RATE, np.float32), sway=0, blink=0)
    assert poses.shape == (FPS, 8) and not poses.any()


def test_sound_that_is_not_finite_is_refused(speech):
    broken = speech.copy()
    broken[1234] = np.nan
    with pytest.raises(ValueError, match="sample 1234"):
        poses_of(broken)


def test_seed_decides_blink_and_sway_but_not_the_mouth(speech):
    one, same, other = poses_of(speech, 5), poses_of(speech, 5), poses_of(speech, 2**64 - 6)
    np.testing.assert_array_equal(one, same)
    np.testing.assert_array_equal(one[:, :BLINK], other[:, :BLINK])
    for column in (BLINK, SWAY_X, SWAY_Y, ROLL):
        assert np.abs(one[:, column] - other[:, column]).max() > 0.001
