"""An AAC track of an MP4 file, or an Opus track of a WebM file, encoded piece by piece."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np

from ..extension.native import _sonic
from .audio import Sound
from .channels import for_aac
from .sound_limits import check_start

# ISO/IEC 14496-3, table 1.18
RATES_HZ = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
FALLBACK_RATE_HZ = 48000
BITS_PER_S = {1: 128_000, 2: 192_000, 3: 256_000, 4: 320_000, 5: 384_000, 6: 384_000}
FRAME_SAMPLES = 1024


class AacTrack:
    """Rates that AAC lacks become 48000 Hz, layouts that it lacks stereo (channels.py). The track starts at 0 s, with
    silence up to `start_s`: MP4 declares the encoder's priming samples only for tracks that start at 0."""

    codec, rates_hz, frame_samples, sample_format = "aac", RATES_HZ, FRAME_SAMPLES, "fltp"

    def __init__(self, container, sound: Sound, start_s: float = 0.0, bit_rate_scale: int = 1):
        self._container = container
        check_start(start_s, "the video")
        self._samples, self._layout = for_aac(sound.waveform, sound.positions)
        self._rate, self._at, self._dropped = sound.rate, 0, 0  # _at: into _samples; _dropped: samples before those
        if self._rate not in self.rates_hz:
            rate, self._rate = self._rate, FALLBACK_RATE_HZ
            self._samples = np.stack(
                [_sonic.resample(np.ascontiguousarray(channel), rate, self._rate) for channel in self._samples]
            )
        channels = self._samples.shape[0]
        if silent := round(start_s * self._rate):
            self._samples = np.concatenate([np.zeros((channels, silent), np.float32), self._samples], axis=1)
        self.stream = container.add_stream(self.codec, rate=self._rate)
        self.stream.codec_context.layout = self._layout
        self.stream.codec_context.bit_rate = bit_rate_scale * BITS_PER_S[channels]
        self.stream.codec_context.time_base = Fraction(1, self._rate)

    def write_until(self, time_s: Fraction | float) -> None:
        """Encodes the frames that start by then."""
        end = min(int(time_s * self._rate) + self.frame_samples, self._samples.shape[1])
        while self._at + self.frame_samples <= end:
            self._encode(self._at + self.frame_samples)

    def append(self, samples: np.ndarray) -> None:
        """More samples, float32 [channels, count], encoded at once; encoded ones are released."""
        self._samples = np.concatenate([self._samples[:, self._at :], samples], axis=1)
        self._dropped, self._at = self._dropped + self._at, 0
        while self._at + self.frame_samples <= self._samples.shape[1]:
            self._encode(self._at + self.frame_samples)

    def close(self) -> None:
        while self._at < self._samples.shape[1]:
            self._encode(min(self._at + self.frame_samples, self._samples.shape[1]))
        self._container.mux(self.stream.encode(None))

    def _encode(self, end: int) -> None:
        piece = np.clip(self._samples[:, self._at : end], -1.0, 1.0)
        if self.sample_format == "flt":
            piece = piece.T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece), format=self.sample_format, layout=self._layout)
        frame.sample_rate, frame.time_base, frame.pts = self._rate, Fraction(1, self._rate), self._dropped + self._at
        self._at = end
        self._container.mux(self.stream.encode(frame))


class OpusTrack(AacTrack):
    """The same in WebM: RFC 6716's full band and its usual frames of 20 ms."""

    codec, rates_hz, frame_samples, sample_format = "libopus", (FALLBACK_RATE_HZ,), 960, "flt"
