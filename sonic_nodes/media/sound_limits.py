"""What a recording may be, checked before memory is spent on it."""

from __future__ import annotations

import numpy as np

from ..errors import InputError

MAX_DURATION_S = 1800
MIN_DURATION_S = 0.04  # one frame at 25 fps
MAX_CHANNELS = 16
MIN_RATE_HZ = 1000  # at lower rates nothing of a voice is left
MAX_RATE_HZ = 768_000
MAX_VALUES = 400_000_000  # channels x samples: 1.6 GB; half an hour of stereo at 96 kHz fits
MAX_PEAK = 16.0  # 24 dB above full scale; larger values are unscaled integers
_BLOCK = 1 << 20


def check_format(channels: int, rate: float, name: str) -> None:
    """InputError for a number of channels or a sampling rate outside the limits."""
    if not MIN_RATE_HZ <= rate <= MAX_RATE_HZ:
        raise InputError(
            f"Convert the recording to 48000 Hz: {name} has {rate:g} Hz, {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz can be read."
        )
    if channels > MAX_CHANNELS:
        raise InputError(
            f"Mix the recording down to stereo: {name} has {channels} channels, {MAX_CHANNELS} can be read."
        )


def check_bounds(channels: int, samples: int, rate: float, name: str) -> None:
    """check_format, and InputError for a sound that is too long."""
    check_format(channels, rate, name)
    if samples > MAX_DURATION_S * rate:
        raise InputError(f"Cut the recording to at most {MAX_DURATION_S // 60} minutes: {name} is longer.")
    if channels * samples > MAX_VALUES:
        raise InputError(
            f"Convert the recording to 48000 Hz stereo, or cut it: {name} does not fit in memory "
            f"with {channels} channels at {rate} Hz."
        )


def check_start(start_s: float, name: str) -> None:
    """InputError for a sound that starts too late for silence to be put before it."""
    if start_s > MAX_DURATION_S:
        raise InputError(
            f"Export the video again: the sound of {name} starts {start_s / 60:.0f} minutes after its first frame."
        )


def check_values(waveform: np.ndarray, rate: int, name: str) -> None:
    """InputError for samples [channels, count] that are not finite, or far above full scale. One pass in blocks: no
    temporary array of the sound's size."""
    bad, first, peak = 0, None, 0.0
    for start in range(0, waveform.shape[1], _BLOCK):
        block = waveform[:, start : start + _BLOCK]
        finite = np.isfinite(block)
        if finite.all():
            peak = max(peak, float(np.abs(block).max()))
            continue
        bad += int(finite.size - finite.sum())
        if first is None:
            first = start + int(np.flatnonzero(~finite.all(axis=0))[0])
    if bad:
        raise InputError(
            f"Export the recording again, as 16-bit WAV: {bad} samples of {name} are not numbers (NaN or infinite), "
            f"the first at {first / rate:.3f} s."
        )
    if peak > MAX_PEAK:
        raise InputError(f"Scale the recording to the range -1 to 1: the samples of {name} reach {peak:.6g}.")
