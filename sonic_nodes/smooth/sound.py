"""Sound of a kind that MP4 does not hold, turned into samples for AAC packet by packet."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np

from ..errors import InputError
from ..media.video_writer import AAC_LAYOUTS, AAC_RATES_HZ

RATE_HZ = 48000  # for rates that AAC lacks
# by which times may be off without a gap: containers round them to milliseconds, or to their packets
UNEVEN_S = 0.05
LONGEST_GAP_S = 600


class Converted:
    """Decoded packets of `stream` as float32 [channels, count] at `rate`, without gaps from `origin_s` on; damaged
    packets are silent."""

    def __init__(self, stream: av.AudioStream, origin_s: Fraction):
        context = stream.codec_context
        given = context.layout.nb_channels
        self.rate = context.sample_rate if context.sample_rate in AAC_RATES_HZ else RATE_HZ
        self.channels = given if given in AAC_LAYOUTS else 6 if given > 6 else 2
        self._origin_s, self._at, self._kind = origin_s, 0, None

    def pieces(self, packet: av.Packet) -> Iterator[np.ndarray]:
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            return
        for frame in frames:
            yield from self._placed(frame)

    def _placed(self, frame: av.AudioFrame) -> Iterator[np.ndarray]:
        late = 0
        if frame.pts is not None:
            late = round((frame.pts * frame.time_base - self._origin_s) * self.rate) - self._at
        if late > LONGEST_GAP_S * self.rate:
            raise InputError(
                f"Cut the video where its sound pauses: {late / self.rate:.0f} s without any cannot be filled."
            )
        if abs(late) <= (UNEVEN_S * self.rate if self._at else 0):
            late = 0
        self._at += max(late, 0)
        for begin in range(0, late, self.rate):
            yield np.zeros((self.channels, min(self.rate, late - begin)), np.float32)
        samples = self._samples(frame)[:, max(-late, 0) :]
        self._at += samples.shape[1]
        if samples.shape[1]:
            yield samples

    def _samples(self, frame: av.AudioFrame) -> np.ndarray:
        kind = frame.format.name, frame.layout.name, frame.sample_rate
        if kind != self._kind:
            self._resampler, self._kind = av.AudioResampler("fltp", AAC_LAYOUTS[self.channels], self.rate), kind
        frame.pts = None  # gaps are filled here
        out = [piece.to_ndarray() for piece in self._resampler.resample(frame)]
        return np.concatenate(out, axis=1) if out else np.zeros((self.channels, 0), np.float32)
