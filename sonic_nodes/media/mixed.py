"""The sound of a clip with two speakers: both recordings at once."""

from __future__ import annotations

import numpy as np

from ..extension.native import _sonic
from .audio import Sound


def mixed(first: Sound, second: Sound) -> Sound:
    """Both from their first samples on, at the rate of `first`; attenuated where their sum would clip. Of the same
    recording twice it is that recording. Where one is mono, its voice is in each channel of the other; other numbers of
    channels that differ become mono."""
    if first.rate == second.rate and np.array_equal(first.waveform, second.waveform):
        return first
    rows = [channels_at(sound, first.rate) for sound in (first, second)]
    counts = {len(found) for found in rows}
    if len(counts) > 1 and 1 not in counts:
        rows = [[_resampled(sound.mono(), sound.rate, first.rate)] for sound in (first, second)]
    channels = max(map(len, rows))
    pairs = zip(*(found * channels if len(found) == 1 else found for found in rows), strict=True)
    sums = [_sonic.sound_sum(a, b) for a, b in pairs]
    peak = max(found for _, found in sums)
    waveform = np.stack([samples for samples, _ in sums])
    if peak > 1:
        waveform /= peak
    positions = next((sound.positions for sound in (first, second) if len(sound.positions) == channels), ())
    return Sound(waveform, first.rate, tuple(dict.fromkeys((*first.notes, *second.notes))), positions)


def channels_at(sound: Sound, rate: int) -> list[np.ndarray]:
    return [_resampled(np.ascontiguousarray(channel), sound.rate, rate) for channel in sound.waveform]


def _resampled(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    return samples if rate == wanted else _sonic.resample(samples, rate, wanted)
