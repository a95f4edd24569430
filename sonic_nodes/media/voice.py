"""Says in words when a recording cannot hold a voice."""

from __future__ import annotations

import math

import numpy as np

from ..extension.native import _sonic
from .audio import SPEECH_RATE_HZ, Sound

MIN_PEAK = 1e-3  # -60 dB of full scale: below is silence
MIN_LOUD = 10 ** (-66 / 20)  # of the loudest tenths of a second, 150 to 4000 Hz
MIN_RANGE_DB = 6.0  # between loud and soft tenths of a second: noise has up to 4, speech 0 dB above noise 13
MIN_JUDGED_S = 1.0
CHECK = "Check that the microphone was on, that this is the right file and audio track, and its volume."


def voice_note(mono: np.ndarray, rate: int) -> str:
    """A sentence for the user when no voice can be in float32 [samples] at `rate` Hz, else ""."""
    peak, loud, range_db = _sonic.speech_activity(mono, rate)
    if peak < MIN_PEAK or loud < MIN_LOUD:
        level = f"below {20 * math.log10(max(peak, 1e-6)):.0f} dB of full scale" if peak > 0 else "digital silence"
        return f"No voice is heard in the recording, it is silent ({level}): the mouth stays closed. {CHECK}"
    if range_db < MIN_RANGE_DB and len(mono) >= MIN_JUDGED_S * rate:
        return (
            "No voice is heard in the recording, only a steady sound such as noise, hum or a tone: the mouth hardly "
            f"moves. {CHECK}"
        )
    return ""


def speech_notes(sound: Sound, mono_16k: np.ndarray) -> list[str]:
    """What the user should know of the speech in a sound: the mixture of its channels, if it is not their mean, and
    whether no voice is heard."""
    return [note for note in (sound.mix.note, voice_note(mono_16k, SPEECH_RATE_HZ)) if note]
