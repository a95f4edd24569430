"""Decodes audio of a codec that MP4 lacks into samples for AAC, packet by packet."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np

from ..errors import InputError, is_out_of_memory
from ..media import aac
from ..media.channels import aac_layout, known_positions, output_gains, output_note
from ..media.samples import samples_of
from ..media.sound_limits import check_format

# times may be off by this much without being a gap: containers round them to milliseconds, or to their packets
JITTER_S = 0.05
MAX_GAP_S = 600
MIX_GAIN = 0.7071  # -3 dB: how loud a mixture of channels becomes is not known before its end


class PcmDecoder:
    """Decoded packets of `stream` as float32 [channels, count] at `rate`, continuous from `origin_s` on; gaps and
    damaged packets become silence."""

    def __init__(self, stream: av.AudioStream, origin_s: Fraction, name: str):
        context = stream.codec_context
        channels = context.layout.nb_channels
        check_format(channels, context.sample_rate, name)
        self.rate = context.sample_rate if context.sample_rate in aac.RATES_HZ else aac.FALLBACK_RATE_HZ
        positions = known_positions(context.layout, channels)
        layout = aac_layout(positions)
        self._gains = None if layout else MIX_GAIN * output_gains(positions, channels)
        self.layout = layout or ("mono" if len(self._gains) == 1 else "stereo")
        self.channels = channels if layout else len(self._gains)
        self.note = f" {note}" if (note := output_note(positions, channels)) else ""
        self._mixed_channels = channels
        self._origin_s, self._at, self._format = origin_s, 0, None

    def decode(self, packet: av.Packet) -> Iterator[np.ndarray]:
        try:
            frames = packet.decode()
        except av.error.FFmpegError as error:
            if is_out_of_memory(error):
                raise
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
            self._mixes = self._gains is not None and frame.layout.nb_channels == self._mixed_channels
            layout = frame.layout if self._mixes else self.layout
            self._resampler, self._format = av.AudioResampler("flt", layout, self.rate), format_
        frame.pts = None  # gaps are filled here, not by the resampler
        out = [samples_of(piece, "the sound") for piece in self._resampler.resample(frame)]
        if not out:
            return np.zeros((self.channels, 0), np.float32)
        samples = np.concatenate(out, axis=1)
        return self._gains @ samples if self._mixes else samples
