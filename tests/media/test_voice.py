"""A recording without a voice is said in words; a quiet one is not."""

import numpy as np
import pytest

from sonic_nodes.media.audio import read_sound
from sonic_nodes.media.voice import voice_note

RATE = 16000
TIME_S = np.arange(3 * RATE) / RATE


def noise(db):
    return np.random.default_rng(4).normal(size=3 * RATE) * 10 ** (db / 20)


def pink(db):
    spectrum = np.fft.rfft(np.random.default_rng(5).normal(size=3 * RATE))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    x = np.fft.irfft(spectrum, 3 * RATE)
    return x / np.sqrt((x**2).mean()) * 10 ** (db / 20)


NO_VOICE = {
    "zeros": lambda: 0 * TIME_S,
    "dither": lambda: noise(-90),
    "room": lambda: pink(-60),
    "white room": lambda: noise(-60),
    "loud hiss": lambda: noise(-20),
    "loud pink noise": lambda: pink(-15),
    "mains hum": lambda: sum(0.1 / k * np.sin(2 * np.pi * 50 * k * TIME_S) for k in (1, 2, 3, 5)) + noise(-60),
    "tone": lambda: 0.5 * np.sin(2 * np.pi * 1000 * TIME_S),
    "constant": lambda: 0.3 + 0 * TIME_S,
}


@pytest.mark.parametrize("name", NO_VOICE)
def test_no_voice_is_said(name):
    note = voice_note(NO_VOICE[name]().astype(np.float32), RATE)
    assert note.startswith("No voice is heard") and "microphone" in note and "track" in note and "volume" in note
    assert ("silent" in note) == (name in ("zeros", "dither")) or name in ("room", "white room", "constant")


@pytest.mark.parametrize("gain_db", [0, -20, -30, -40])
@pytest.mark.parametrize("room_db", [None, -65])
def test_a_quiet_voice_is_a_voice(sample_dir, gain_db, room_db):
    voice = read_sound(sample_dir / "speech.wav").waveform[0, : 3 * RATE] * 10 ** (gain_db / 20)
    voice = voice if room_db is None else voice + noise(room_db)
    assert voice_note(voice.astype(np.float32), RATE) == ""


def test_a_voice_in_loud_noise_or_for_a_moment_is_a_voice(sample_dir):
    voice = read_sound(sample_dir / "speech.wav").waveform[0]
    level = 20 * np.log10(np.sqrt((voice**2).mean()))
    assert voice_note((voice[: 3 * RATE] + noise(level)).astype(np.float32), RATE) == ""
    for start in range(0, len(voice) - RATE // 2, RATE):
        assert voice_note(voice[start : start + RATE // 2].copy(), RATE) == ""
