"""Collects the decoded frames of a recording within the limits. Its format may change: each run of one format is a
section."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np

from ..errors import InputError, is_out_of_memory
from ..extension.native import _sonic
from . import sound_limits
from .channels import ChannelMeter, ChannelMix, known_positions
from .samples import samples_of
from .sound_limits import check_bounds, check_format, check_values

SPEECH_RATE_HZ = 16_000
MAX_SECTIONS = 1000


class Section:
    """Sound of one format, as float32 [channels, samples] pieces."""

    def __init__(self, rate: int, channels: int, positions: tuple[str, ...], name: str):
        self.rate, self.channels, self.positions, self.name = rate, channels, positions, name
        self.pieces: list[np.ndarray] = []
        self.samples = 0

    @property
    def duration_s(self) -> float:
        return self.samples / self.rate

    def append(self, piece: np.ndarray) -> None:
        self.samples += piece.shape[1]
        check_bounds(self.channels, self.samples, self.rate, self.name)
        self.pieces.append(piece)

    def prepend_silence(self, count: int) -> None:
        check_bounds(self.channels, self.samples + count, self.rate, self.name)
        self.pieces.insert(0, np.zeros((self.channels, count), np.float32))
        self.samples += count

    def waveform(self) -> np.ndarray:
        """Joins the pieces, releasing each once it is copied, so memory holds the sound only once."""
        out = np.empty((self.channels, self.samples), np.float32)
        at = 0
        for i, piece in enumerate(self.pieces):
            count = min(piece.shape[1], self.samples - at)
            out[:, at : at + count] = piece[:, :count]
            self.pieces[i] = None
            at += count
        return out


class SpeechSection(Section):
    """Resamples to mono 16 kHz while reading, in blocks of 10 s with 1 s of context on either side. The resampler's
    kernel is shorter, so the result equals the whole sound resampled at once. `mix` is the mixture of the channels,
    None on a first reading, when their mean is taken and `meter` finds the mixture."""

    BLOCK_S = 10

    def __init__(
        self, rate: int, channels: int, positions: tuple[str, ...], name: str, mix: ChannelMix | None, speech: bytearray
    ):
        super().__init__(rate, channels, positions, name)
        self.meter = ChannelMeter(rate, channels, positions) if mix is None else None
        self._mix, self._speech = mix or ChannelMix(), speech
        self._held = self._resampled = 0  # samples in `pieces`; input samples already in `speech`

    def append(self, piece: np.ndarray) -> None:
        self.samples += piece.shape[1]
        check_format(self.channels, self.rate, self.name)
        check_bounds(1, self.samples, self.rate, self.name)
        check_values(piece, self.rate, self.name)
        if self.meter is not None:
            self.meter.add(piece)
        self.pieces.append(self._mix.mono(piece))
        self._held += piece.shape[1]
        while self._first() + self._held >= self._resampled + (self.BLOCK_S + 1) * self.rate:
            self._resample_block(self.BLOCK_S * SPEECH_RATE_HZ)

    def _first(self) -> int:
        return max(0, self._resampled - self.rate)

    def _resample_block(self, count: int) -> None:
        """Appends `count` output samples, and releases the input except for context."""
        samples = np.concatenate(self.pieces)
        speech = samples if self.rate == SPEECH_RATE_HZ else _sonic.resample(samples, self.rate, SPEECH_RATE_HZ)
        start = (self._resampled - self._first()) // self.rate * SPEECH_RATE_HZ
        self._speech += memoryview(speech[start : start + count]).cast("B")
        before = self._first()
        self._resampled += self.BLOCK_S * self.rate
        context = samples[self._first() - before :].copy()
        self.pieces, self._held = [context], len(context)

    def finish(self) -> int:
        """Resamples the rest. Returns the number of samples at 16000 Hz of this section."""
        left = -(-(self.samples - self._resampled) * SPEECH_RATE_HZ // self.rate)
        if left > 0:
            self._resample_block(left)
        return -(-self.samples * SPEECH_RATE_HZ // self.rate)


class Reader:
    """Takes the packets of one recording after the other (`begin_part`), as a whole sound."""

    def __init__(self, name: str):
        self.name = name
        self.sections: list[Section] = []
        self.packets = self.damaged = 0
        self.truncated = False
        self.start_s: Fraction | None = None  # presentation time of the first decoded sample
        self.begin_part()

    def begin_part(self) -> None:
        self.part_start_s: Fraction | None = None
        self._first_section = len(self.sections)
        # samples before time 0 that remain to be dropped: FFmpeg before 8.1 keeps the priming of Matroska
        self._to_skip = 0
        self._end_ticks: int | None = None  # of the part's last packet, in the stream's time base

    @property
    def duration_s(self) -> float:
        return sum(section.duration_s for section in self.sections)

    def packet(self, packet) -> None:
        if packet.size:
            self.packets += 1
            if packet.pts is not None and packet.duration:
                self._end_ticks = packet.pts + packet.duration
        try:
            frames = packet.decode()
        except av.error.FFmpegError as error:
            if is_out_of_memory(error):
                raise
            self._damaged_packet(packet)
            return
        for frame in frames:
            self._frame(frame)

    def _damaged_packet(self, packet) -> None:
        """Replaces a packet that does not decode by silence of its duration."""
        self.damaged += 1
        if len(self.sections) > self._first_section and packet.duration and packet.time_base:
            section = self.sections[-1]
            count = round(packet.duration * packet.time_base * section.rate)
            check_bounds(section.channels, section.samples + count, section.rate, self.name)
            section.append(np.zeros((section.channels, count), np.float32))

    def _frame(self, frame) -> None:
        channels = frame.layout.nb_channels
        if self.part_start_s is None:
            check_format(channels, frame.sample_rate, self.name)
            self._start_part(frame)
        piece = samples_of(frame, self.name)
        section = self.sections[-1] if len(self.sections) > self._first_section else None
        if section is None or (frame.sample_rate, len(piece)) != (section.rate, section.channels):
            section = self._new_section(frame, len(piece))
        cut = min(self._to_skip, piece.shape[1])
        self._to_skip -= cut
        section.append(piece[:, cut:])
        if len(self.sections) > 1 and self.duration_s > sound_limits.MAX_DURATION_S:
            check_bounds(1, round(self.duration_s * 1000) + 1, 1000, self.name)

    def _start_part(self, frame) -> None:
        self.part_start_s = Fraction(0)
        if frame.pts is None or frame.time_base is None:
            return
        self.part_start_s = frame.pts * frame.time_base
        self._to_skip = max(0, round(-self.part_start_s * frame.sample_rate))
        if not self.sections:
            self.start_s = self.part_start_s

    def _new_section(self, frame, channels: int) -> Section:
        if len(self.sections) == MAX_SECTIONS:
            raise InputError(
                f"Convert the recording to WAV: {self.name} changes its sampling rate or channels too often."
            )
        check_format(channels, frame.sample_rate, self.name)
        self.sections.append(self._section(frame.sample_rate, channels, known_positions(frame.layout, channels)))
        return self.sections[-1]

    def _section(self, rate: int, channels: int, positions: tuple[str, ...]) -> Section:
        return Section(rate, channels, positions, self.name)

    def trim_to_packets(self, time_base: Fraction) -> None:
        """In MP4 only the last packet's duration declares the encoder's padding."""
        if self._end_ticks is None or self.truncated or len(self.sections) != self._first_section + 1:
            return
        section = self.sections[-1]
        length = round((self._end_ticks * time_base - max(self.part_start_s, 0)) * section.rate)
        section.samples = min(section.samples, max(length, 0))

    def delay(self, video_start_s: Fraction | None) -> None:
        if video_start_s is None or self.start_s is None or self.start_s <= video_start_s:
            return
        sound_limits.check_start(float(self.start_s - video_start_s), self.name)
        self.sections[0].prepend_silence(round((self.start_s - video_start_s) * self.sections[0].rate))

    def sound(self) -> tuple[np.ndarray, int, tuple[str, ...]]:
        """(waveform, rate, positions of its channels)."""
        first = self.sections[0]
        if len(self.sections) == 1:
            return first.waveform(), first.rate, first.positions
        widest = max(self.sections, key=lambda s: s.channels)
        counts = [-(-s.samples * first.rate // s.rate) for s in self.sections]
        check_bounds(widest.channels, sum(counts), first.rate, self.name)
        out = np.zeros((widest.channels, sum(counts)), np.float32)
        at = 0
        for section, count in zip(self.sections, counts, strict=True):
            _place(out[:, at : at + count], section, first.rate, widest.positions)
            at += count
        return out, first.rate, widest.positions

    def notes(self) -> tuple[str, ...]:
        notes = []
        changes = len(self.sections) - 1  # at each of these a decoder of MP3 or AAC may stumble over a part of a frame
        if self.damaged > changes:
            notes.append(f"{self.damaged} damaged parts of {self.name} were replaced by silence.")
        if self.truncated:
            notes.append(f"{self.name} is truncated: only its first {self.duration_s:.2f} s can be read.")
        if len({(s.rate, s.channels) for s in self.sections}) > 1:
            first, widest = self.sections[0], max(s.channels for s in self.sections)
            notes.append(
                f"{self.name} changes its sampling rate or channels on the way: all {self.duration_s:.2f} s were read, "
                f"and converted to {first.rate} Hz and {widest} channel{'s' if widest > 1 else ''}."
            )
        return tuple(notes)


class SpeechReader(Reader):
    """The same as mono at 16000 Hz, in the memory of that alone. `mixes`: the mixture of each section, found by a first
    reading; None for that."""

    def __init__(self, name: str, mixes: list[ChannelMix] | None = None):
        super().__init__(name)
        self._mixes = mixes
        self.speech = bytearray()  # float32 samples, one buffer that grows in place
        self._counts: list[int] = []

    def _section(self, rate: int, channels: int, positions: tuple[str, ...]) -> SpeechSection:
        if self.sections:
            self._finish_section()
        mix = None if self._mixes is None else self._mixes[len(self.sections)]
        return SpeechSection(rate, channels, positions, self.name, mix, self.speech)

    def _finish_section(self) -> None:
        """Cuts what the resampler gave beyond the section's end."""
        self._counts.append(self.sections[-1].finish())
        del self.speech[4 * sum(self._counts) :]

    def sound(self) -> tuple[np.ndarray, int, tuple[str, ...]]:
        self._finish_section()
        return np.frombuffer(self.speech, np.float32)[None], SPEECH_RATE_HZ, ("FC",)

    def mixes(self) -> list[ChannelMix]:
        return [section.meter.choose() for section in self.sections]


def _place(out: np.ndarray, section: Section, rate: int, positions: tuple[str, ...]) -> None:
    """Writes a section into `out` [channels, samples] at `rate`: each channel to its position, mono to the centre, or
    to left and right where there is none."""
    waveform = section.waveform()
    for i, channel in enumerate(waveform):
        resampled = (
            channel if section.rate == rate else _sonic.resample(np.ascontiguousarray(channel), section.rate, rate)
        )
        for target in _targets(i, section.positions, positions, len(out)):
            out[target, : len(resampled)] = resampled[: out.shape[1]]


def _targets(channel: int, own: tuple[str, ...], positions: tuple[str, ...], count: int) -> list[int]:
    name = own[channel] if own else None
    if name in positions:
        return [positions.index(name)]
    if own == ("FC",) and count > 1:
        return [0, 1]
    return [min(channel, count - 1)]
