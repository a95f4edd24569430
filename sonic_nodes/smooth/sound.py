"""Decodes audio of a codec that MP4 lacks into samples for AAC, packet by packet."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

import av

from ..errors import InputError
from ..media import aac

# times may be off by this much without being a gap: containers round them to milliseconds, or to their packets
JITTER_S = 0.05
MAX_GAP_S = 600


class PcmDecoder:
    """Decoded packets of `stream` as float32 [channels, count] at `rate`, continuous from `origin_s` on; gaps and
    damaged packets become silence."""

    def __init__(self, stream: av.AudioStream, origin_s: Fraction):
        context = stream.codec_context
        channels = context.layout.nb_channels
        self.rate = context.sample_rate if context.sample_rate in aac.RATES_HZ else aac.FALLBACK_RATE_HZ
        self.channels = channels if channels in aac.LAYOUTS else 6 if channels > 6 else 2
        self._origin_s, self._at, self._format = origin_s, 0, None

    def decode(self, packet: av.Packet) -> Iterator[np.ndarray]:
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            return
        for frame in frames:
            yield from self._continuous(frame)

    def _continuous(self, frame: av.AudioFrame) -> Iterator[np.ndarray]:
        """The samples of a frame, after silence for a gap before it, without those that overlap earlier ones."""
        gap = 0
        if frame.pts is not None:
            gap = round((frame.pts * frame.time_base - self._origin_s) * self.rate) - self._at
        if gap > MAX_GAP_S * self.rate:
            raise InputError(
                f"Cut the video where its sound pauses: a gap of {gap / self.rate:.0f} s is too long to fill."
            )
        if abs(gap) <= (JITTER_S * self.rate if self._at else 0):
            gap = 0
        self._at += max(gap, 0)
        for begin in range(0, gap, self.rate):
            yield np.zeros((self.channels, min(self.rate, gap - begin)), np.float32)
        samples = self._resample(frame)[:, max(-gap, 0) :]
        self._at += samples.shape[1]
        if samples.shape[1]:
            yield samples

    def _resample(self, frame: av.AudioFrame) -> np.ndarray:
        format_ = frame.format.name, frame.layout.name, frame.sample_rate
        if format_ != self._format:
            self._resampler, self._format = av.AudioResampler("fltp", aac.LAYOUTS[self.channels], self.rate), format_
        frame.pts = None  # gaps are filled here, not by the resampler
        out = [piece.to_ndarray() for piece in self._resampler.resample(frame)]
        return np.concatenate(out, axis=1) if out else np.zeros((self.channels, 0), np.float32)
