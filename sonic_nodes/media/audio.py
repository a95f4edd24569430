"""Sound: reading any file that PyAV opens, checking what other nodes hand over, and the mono 16 kHz that the engines
hear.

Time is exact. The decoder drops what encoders add in front (AAC and Opus priming, LAME's gapless tag) and behind (Opus
and LAME padding, the last packet's duration in MP4), as far as the file says so; raw ADTS and MPEG-TS do not say it.
When a video's sound begins after its pictures, the difference is kept as silence, so that the sound still fits those
pictures.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction

import av
import numpy as np
from av.stream import Disposition

from ..errors import InputError
from ..extension.native import _sonic
from .files import regular_file
from .tags import ANY_ENCODING

MAX_DURATION_S = 1800
MIN_DURATION_S = 0.04  # one frame at 25 fps
MAX_CHANNELS = 16
MAX_RATE_HZ = 768_000
MAX_VALUES = 400_000_000  # channels x samples: 1.6 GB; half an hour of stereo at 96 kHz fits
MAX_PEAK = 16.0  # 24 dB above full scale; more is integer samples that were never scaled

SPEECH_RATE_HZ = 16_000
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Sound:
    """Sound in memory: `waveform` float32 [channels, samples], nominally -1..1, at `rate` Hz.

    `notes` are sentences for the user about what was mended while reading.
    """

    waveform: np.ndarray
    rate: int
    notes: tuple[str, ...] = ()

    @property
    def samples(self) -> int:
        return self.waveform.shape[1]

    @property
    def duration_s(self) -> float:
        return self.samples / self.rate

    def trimmed(self, seconds: float) -> Sound:
        """The first `seconds` (at least one sample); the whole sound when it is not longer."""
        if not seconds > 0:
            raise InputError(f"Choose a duration above 0 s: {seconds} was asked for.")
        count = max(1, round(min(seconds, self.duration_s) * self.rate))
        return self if count >= self.samples else replace(self, waveform=self.waveform[:, :count])

    def mono_16k(self) -> np.ndarray:
        """float32 [ceil(samples * 16000 / rate)]: the arithmetic mean of the channels, resampled."""
        mono = self.mono()
        return mono if self.rate == SPEECH_RATE_HZ else _sonic.resample(mono, self.rate, SPEECH_RATE_HZ)

    def mono(self) -> np.ndarray:
        """float32 [samples], contiguous: the arithmetic mean of the channels."""
        if self.waveform.shape[0] == 1:
            return np.ascontiguousarray(self.waveform[0])
        return self.waveform.mean(axis=0, dtype=np.float32)


def sound_from_array(waveform, rate: int, name: str = "the audio input") -> Sound:
    """Sound from samples: a NumPy array or torch tensor of ComfyUI's shape [1, channels, samples], [channels, samples]
    or [samples].

    Refused with an InputError: more than one clip in the batch, no samples, samples that are not numbers, values that
    are integers never scaled to -1..1, and what lies outside the limits of this module.
    """
    if waveform is None:
        raise InputError(f"Connect a recording: {name} carries no samples.")
    if hasattr(waveform, "detach"):
        waveform = waveform.detach().float().cpu().numpy()
    array = np.asarray(waveform)
    if array.ndim == 3:
        if array.shape[0] > 1:
            raise InputError(f"Send one recording at a time: {name} is a batch of {array.shape[0]}.")
        array = array[0] if array.shape[0] else array.reshape(0, 0)
    if array.ndim not in (1, 2):
        raise InputError(
            f"Connect a recording of shape [1, channels, samples]: {name} has the shape {list(array.shape)}."
        )
    if array.dtype.kind not in "f":
        raise InputError(f"Scale the samples to decimal numbers from -1 to 1: {name} holds {array.dtype} numbers.")
    return _checked(np.ascontiguousarray(np.atleast_2d(array), dtype=np.float32), rate, name)


def read_sound(path: str | os.PathLike) -> Sound:
    """The first sound track of a sound or video file. Whatever is wrong with the file ends in an InputError that names
    it."""
    name = repr(os.path.basename(os.fspath(path)) or os.fspath(path))
    with regular_file(path, name) as file, _container(file, name) as container:
        return _decoded(container, _Reader(name))[0]


def read_sound_at(path: str | os.PathLike) -> tuple[Sound, float]:
    """(the sound as read_sound reads it, but without silence in front; when it begins, in seconds on the clock of the
    file's pictures)."""
    name = repr(os.path.basename(os.fspath(path)) or os.fspath(path))
    with regular_file(path, name) as file, _container(file, name) as container:
        return _decoded(container, _Reader(name), on_its_own=True)


def read_speech_at(path: str | os.PathLike) -> tuple[Sound, float]:
    """As read_sound_at, but mono at 16000 Hz, in the memory of that alone: the sound is resampled as it is read."""
    name = repr(os.path.basename(os.fspath(path)) or os.fspath(path))
    with regular_file(path, name) as file, _container(file, name) as container:
        return _decoded(container, _SpeechReader(name), on_its_own=True)


def _checked(waveform: np.ndarray, rate: int, name: str, notes: tuple[str, ...] = ()) -> Sound:
    channels, samples = waveform.shape
    _check_bounds(channels, samples, rate, name)
    if channels == 0 or samples == 0:
        raise InputError(f"Choose a recording that contains sound: {name} has no samples.")
    if samples < MIN_DURATION_S * rate:
        raise InputError(f"Choose a recording of at least {MIN_DURATION_S} s: {name} lasts {samples / rate:.3f} s.")
    _check_values(waveform, rate, name)
    return Sound(waveform, int(rate), notes)


def _check_bounds(channels: int, samples: int, rate: int, name: str) -> None:
    if not 1 <= rate <= MAX_RATE_HZ:
        raise InputError(f"Convert the recording to 48000 Hz: {name} has {rate} Hz, 1 to {MAX_RATE_HZ} Hz can be read.")
    if channels > MAX_CHANNELS:
        raise InputError(
            f"Mix the recording down to stereo: {name} has {channels} channels, {MAX_CHANNELS} can be read."
        )
    if samples > MAX_DURATION_S * rate:
        raise InputError(f"Cut the recording to at most {MAX_DURATION_S // 60} minutes: {name} is longer.")
    if channels * samples > MAX_VALUES:
        raise InputError(
            f"Convert the recording to 48000 Hz stereo, or cut it: {name} does not fit in memory with {channels} channels at {rate} Hz."
        )


def _check_values(waveform: np.ndarray, rate: int, name: str) -> None:
    """One pass in blocks: no temporary array of the sound's size."""
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


@contextmanager
def _container(file, name: str):
    """The file as PyAV container. Playlists and the like are refused: no protocol is allowed for the files they point
    to."""
    try:
        container = av.open(file, mode="r", options={"protocol_whitelist": "none"}, **ANY_ENCODING)
    except av.error.FFmpegError as error:
        if os.fstat(file.fileno()).st_size == 0:
            raise InputError(f"Choose a recording that contains sound: {name} is an empty file.") from None
        raise InputError(
            f"Choose a sound or video file, for example WAV or MP3: {name} cannot be read as one ({_reason(error)})."
        ) from None
    try:
        yield container
    finally:
        container.close()


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")


def _decoded(container, reader: _Reader, on_its_own: bool = False) -> tuple[Sound, float]:
    """(sound, presentation time of its first sample in seconds)."""
    name = reader.name
    if not container.streams.audio:
        raise InputError(f"Choose a recording: {name} contains no sound, only a picture or a silent video.")
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        raise InputError(
            f"Convert the recording to WAV or MP3: the sound in {name} has a format that cannot be decoded."
        )
    _check_declared(container, stream, name)
    _run(reader, container, stream)
    if reader.rate == 0:
        raise InputError(f"Choose a recording that contains sound: nothing in {name} can be decoded.")
    if reader.damaged * 2 > reader.packets:
        raise InputError(
            f"Choose an intact recording: {reader.damaged} of {reader.packets} parts of {name} are damaged."
        )
    if container.format.name.startswith("mov,"):
        reader.trim_to_packets(stream.time_base)
    if not on_its_own:
        reader.delay(_pictures_start_s(container))
    return _checked(*reader.sound(), name, reader.notes()), float(max(reader.start_s or 0, 0))


def _check_declared(container, stream, name: str) -> None:
    """Refuses what says itself that it is too long, before anything is decoded. (MP3 and ADTS durations are only
    guesses.)"""
    if stream.duration is None or stream.time_base is None or container.format.name in ("mp3", "aac"):
        return
    seconds = float(stream.duration * stream.time_base)
    if seconds > MAX_DURATION_S + 1:
        raise InputError(
            f"Cut the recording to at most {MAX_DURATION_S // 60} minutes: {name} lasts {seconds / 60:.1f} minutes."
        )


def _run(reader: _Reader, container, stream) -> None:
    try:
        for packet in container.demux(stream):
            reader.packet(packet)
    except av.error.FFmpegError:
        reader.broken_off = True


def _pictures_start_s(container) -> Fraction | None:
    """When the first picture is shown; None without a video track (a cover picture is none)."""
    for stream in container.streams.video:
        if (
            not stream.disposition & Disposition.attached_pic
            and stream.start_time is not None
            and stream.time_base is not None
        ):
            return stream.start_time * stream.time_base
    return None


class _Reader:
    """Collects decoded frames as float32 [channels, samples] pieces, within the limits."""

    def __init__(self, name: str):
        self.name = name
        self.pieces: list[np.ndarray] = []
        self.rate = self.channels = self.samples = 0
        self.packets = self.damaged = 0
        self.broken_off = False
        self.start_s: Fraction | None = None  # presentation time of the first decoded sample
        # samples before time 0, still to be dropped: Matroska's priming, which FFmpeg before 8.1 leaves in
        self.unheard = 0
        self.end_ticks: int | None = None  # of the last packet, in the stream's time base

    def packet(self, packet) -> None:
        if packet.size:
            self.packets += 1
            if packet.pts is not None and packet.duration:
                self.end_ticks = packet.pts + packet.duration
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            self.lost(packet)
            return
        for frame in frames:
            self.frame(frame)

    def lost(self, packet) -> None:
        """A packet that does not decode is silence of the same length."""
        self.damaged += 1
        if self.rate and packet.duration and packet.time_base:
            self.append(np.zeros((self.channels, round(packet.duration * packet.time_base * self.rate)), np.float32))

    def frame(self, frame) -> None:
        piece = _floats(frame, self.name)
        if self.rate == 0:
            self.rate, self.channels = frame.sample_rate, piece.shape[0]
            if frame.pts is not None and frame.time_base is not None:
                self.start_s = frame.pts * frame.time_base
                self.unheard = max(0, round(-self.start_s * self.rate))
        if (frame.sample_rate, piece.shape[0]) != (self.rate, self.channels):
            raise InputError(
                f"Convert the recording to WAV: {self.name} changes its sampling rate or channels on the way."
            )
        cut = min(self.unheard, piece.shape[1])
        self.unheard -= cut
        self.append(piece[:, cut:])

    def append(self, piece: np.ndarray) -> None:
        self.samples += piece.shape[1]
        _check_bounds(self.channels, self.samples, self.rate, self.name)
        self.pieces.append(piece)

    def trim_to_packets(self, time_base: Fraction) -> None:
        """In MP4 the encoder's padding is told by the last packet's duration only."""
        if self.end_ticks is not None and self.start_s is not None and not self.broken_off:
            length = round((self.end_ticks * time_base - max(self.start_s, 0)) * self.rate)
            self.samples = min(self.samples, max(length, 0))

    def delay(self, pictures_start_s: Fraction | None) -> None:
        if pictures_start_s is None or self.start_s is None or self.start_s <= pictures_start_s:
            return
        count = round((self.start_s - pictures_start_s) * self.rate)
        _check_bounds(self.channels, self.samples + count, self.rate, self.name)
        self.pieces.insert(0, np.zeros((self.channels, count), np.float32))
        self.samples += count

    def sound(self) -> tuple[np.ndarray, int]:
        """(waveform, rate). Joins the pieces; each is released as soon as it is copied, so that the sound is held
        once."""
        out = np.empty((self.channels, self.samples), np.float32)
        at = 0
        for i, piece in enumerate(self.pieces):
            count = min(piece.shape[1], self.samples - at)
            out[:, at : at + count] = piece[:, :count]
            self.pieces[i] = None
            at += count
        return out, self.rate

    def notes(self) -> tuple[str, ...]:
        notes = []
        if self.damaged:
            notes.append(f"{self.damaged} damaged parts of {self.name} were replaced by silence.")
        if self.broken_off:
            notes.append(f"{self.name} breaks off: only its first {self.samples / self.rate:.2f} s can be read.")
        return tuple(notes)


class _SpeechReader(_Reader):
    """Turns what it is given into mono 16 kHz, ten seconds at a time with a second of its neighbours on either side,
    which is more than the resampler's kernel reaches: the samples are those of the whole sound resampled at once."""

    BLOCK_S = 10

    def __init__(self, name: str):
        super().__init__(name)
        self.speech = bytearray()  # float32: one block that grows in place
        self.held = self.turned = 0  # samples in `pieces`; samples from the sound's beginning that are in `speech`

    def append(self, piece: np.ndarray) -> None:
        self.samples += piece.shape[1]
        _check_bounds(1, self.samples, self.rate, self.name)
        _check_values(piece, self.rate, self.name)
        self.pieces.append(piece.mean(axis=0, dtype=np.float32))
        self.held += piece.shape[1]
        while self._first() + self.held >= self.turned + (self.BLOCK_S + 1) * self.rate:
            self._turn(self.BLOCK_S * SPEECH_RATE_HZ)

    def _first(self) -> int:
        return max(0, self.turned - self.rate)

    def _turn(self, count: int) -> None:
        """Resamples `count` samples more, and forgets what is no neighbour any longer."""
        samples = np.concatenate(self.pieces)
        speech = samples if self.rate == SPEECH_RATE_HZ else _sonic.resample(samples, self.rate, SPEECH_RATE_HZ)
        start = (self.turned - self._first()) // self.rate * SPEECH_RATE_HZ
        self.speech += memoryview(speech[start : start + count]).cast("B")
        before = self._first()
        self.turned += self.BLOCK_S * self.rate
        rest = samples[self._first() - before :].copy()
        self.pieces, self.held = [rest], len(rest)

    def sound(self) -> tuple[np.ndarray, int]:
        left = -(-(self.samples - self.turned) * SPEECH_RATE_HZ // self.rate)
        if left > 0:
            self._turn(left)
        wanted = -(-self.samples * SPEECH_RATE_HZ // self.rate)
        return np.frombuffer(self.speech, np.float32)[None, :wanted], SPEECH_RATE_HZ


def _floats(frame, name: str) -> np.ndarray:
    """float32 [channels, samples] of a decoded frame; integers are scaled by their full range."""
    try:
        values = frame.to_ndarray()
    except ValueError:
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
