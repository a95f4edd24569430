"""Samples of PyAV's audio frames as arrays.

PyAV (14 to 18) counts a ninth plane in planar frames of eight channels (AV_NUM_DATA_POINTERS) and reads behind the
frame: such frames are converted to interleaved samples first.
"""

from __future__ import annotations

import av
import numpy as np

from ..errors import InputError

MAX_PLANES = 7


def samples_of(frame: av.AudioFrame, name: str) -> np.ndarray:
    """float32 [channels, samples] of a decoded frame; integers are scaled by their range."""
    try:
        if frame.format.is_planar and frame.layout.nb_channels > MAX_PLANES:
            frame = _interleaved(frame)
        values = frame.to_ndarray()
    except (ValueError, av.error.FFmpegError):
        raise InputError(
            f"Convert the recording to 16-bit WAV: samples of type {frame.format.name} in {name} are not read."
        ) from None
    if not frame.format.is_planar:
        values = values.reshape(frame.samples, -1).T
    if values.dtype == np.uint8:
        return (values.astype(np.float32) - 128.0) / 128.0
    if values.dtype.kind == "i":
        return values.astype(np.float32) * np.float32(2.0 ** (1 - 8 * values.dtype.itemsize))
    return values.astype(np.float32)


def _interleaved(frame: av.AudioFrame) -> av.AudioFrame:
    convert = av.AudioResampler("flt", frame.layout, frame.sample_rate)
    (converted,) = convert.resample(frame)
    return converted
