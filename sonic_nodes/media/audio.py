"""Reads the sound of any file that PyAV opens, checks sound from other nodes, and converts it to the engines' mono
16 kHz.

Timing is exact. The decoder drops what encoders add at the start (AAC and Opus priming, LAME's gapless tag) and at the
end (Opus and LAME padding, the last packet's duration in MP4), where the file declares it; raw ADTS and MPEG-TS do not.
When the sound of a video starts after its frames, the gap is kept as silence, so that both stay in sync.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

import av
from av.stream import Disposition

from ..errors import InputError, is_out_of_memory
from ..extension.native import _sonic
from .files import regular_file
from .tags import ANY_ENCODING

MAX_DURATION_S = 1800
MIN_DURATION_S = 0.04  # one frame at 25 fps
MAX_CHANNELS = 16
MAX_RATE_HZ = 768_000
MAX_VALUES = 400_000_000  # channels x samples: 1.6 GB; half an hour of stereo at 96 kHz fits
MAX_PEAK = 16.0  # 24 dB above full scale; larger values are unscaled integers

SPEECH_RATE_HZ = 16_000
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Sound:
    """Sound in memory: `waveform` float32 [channels, samples], nominally -1..1, at `rate` Hz.

    `notes` are sentences for the user about problems in the file.
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
        """The first `seconds` (at least one sample), or the whole sound when it is shorter."""
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

    InputError: more than one clip in the batch, no samples, NaN or infinite samples, unscaled integers, or a sound
    outside the limits of this module.
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
    """The first audio track of a sound or video file. InputError, with the file's name, for any problem with it."""
    name = repr(os.path.basename(os.fspath(path)) or os.fspath(path))
    with regular_file(path, name) as file, _container(file, name) as container:
        return _decoded(container, _Reader(name))[0]


def read_sound_at(path: str | os.PathLike) -> tuple[Sound, float]:
    """(the sound as in read_sound, but without silence before it; when it starts, in seconds on the clock of the video
    track)."""
    name = repr(os.path.basename(os.fspath(path)) or os.fspath(path))
    with regular_file(path, name) as file, _container(file, name) as container:
        return _decoded(container, _Reader(name), at_its_start=True)


def read_speech_at(path: str | os.PathLike) -> tuple[Sound, float]:
    """As read_sound_at, but mono at 16000 Hz and in the memory of that alone: the sound is resampled while it is
    read."""
    name = repr(os.path.basename(os.fspath(path)) or os.fspath(path))
    with regular_file(path, name) as file, _container(file, name) as container:
        return _decoded(container, _SpeechReader(name), at_its_start=True)


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
            f"Convert the recording to 48000 Hz stereo, or cut it: {name} does not fit in memory "
            f"with {channels} channels at {rate} Hz."
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
    """The file as PyAV container. Playlists are refused: no protocol is allowed for the files they refer to."""
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


def _decoded(container, reader: _Reader, at_its_start: bool = False) -> tuple[Sound, float]:
    """(sound, presentation time of its first sample in seconds)."""
    name = reader.name
    if not container.streams.audio:
        raise InputError(f"Choose a recording: {name} contains no sound.")
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        raise InputError(
            f"Convert the recording to WAV or MP3: the sound in {name} has a format that cannot be decoded."
        )
    _check_declared(container, stream, name)
    _read_packets(reader, container, stream)
    if reader.rate == 0:
        raise InputError(f"Choose a recording that contains sound: nothing in {name} can be decoded.")
    if reader.damaged * 2 > reader.packets:
        raise InputError(
            f"Choose an intact recording: {reader.damaged} of {reader.packets} parts of {name} are damaged."
        )
    if container.format.name.startswith("mov,"):
        reader.trim_to_packets(stream.time_base)
    if not at_its_start:
        reader.delay(_video_start_s(container))
    return _checked(*reader.sound(), name, reader.notes()), float(max(reader.start_s or 0, 0))


def _check_declared(container, stream, name: str) -> None:
    """Refuses declared durations above the limit before decoding. (Those of MP3 and ADTS are estimates.)"""
    if stream.duration is None or stream.time_base is None or container.format.name in ("mp3", "aac"):
        return
    duration_s = float(stream.duration * stream.time_base)
    if duration_s > MAX_DURATION_S + 1:
        raise InputError(
            f"Cut the recording to at most {MAX_DURATION_S // 60} minutes: {name} lasts {duration_s / 60:.1f} minutes."
        )


def _read_packets(reader: _Reader, container, stream) -> None:
    try:
        for packet in container.demux(stream):
            reader.packet(packet)
    except av.error.FFmpegError as error:
        if is_out_of_memory(error):
            raise
        reader.truncated = True


def _video_start_s(container) -> Fraction | None:
    """Time of the first frame; None without a video track (cover pictures do not count)."""
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
        self.truncated = False
        self.start_s: Fraction | None = None  # presentation time of the first decoded sample
        # samples before time 0 that remain to be dropped: FFmpeg before 8.1 keeps the priming of Matroska
        self.to_skip = 0
        self.end_ticks: int | None = None  # of the last packet, in the stream's time base

    def packet(self, packet) -> None:
        if packet.size:
            self.packets += 1
            if packet.pts is not None and packet.duration:
                self.end_ticks = packet.pts + packet.duration
        try:
            frames = packet.decode()
        except av.error.FFmpegError as error:
            if is_out_of_memory(error):
                raise
            self.damaged_packet(packet)
            return
        for frame in frames:
            self.frame(frame)

    def damaged_packet(self, packet) -> None:
        """Replaces a packet that does not decode by silence of its duration."""
        self.damaged += 1
        if self.rate and packet.duration and packet.time_base:
            self.append(np.zeros((self.channels, round(packet.duration * packet.time_base * self.rate)), np.float32))

    def frame(self, frame) -> None:
        piece = _floats(frame, self.name)
        if self.rate == 0:
            self.rate, self.channels = frame.sample_rate, piece.shape[0]
            if frame.pts is not None and frame.time_base is not None:
                self.start_s = frame.pts * frame.time_base
                self.to_skip = max(0, round(-self.start_s * self.rate))
        if (frame.sample_rate, piece.shape[0]) != (self.rate, self.channels):
            raise InputError(f"Convert the recording to WAV: {self.name} changes its sampling rate or channels.")
        cut = min(self.to_skip, piece.shape[1])
        self.to_skip -= cut
        self.append(piece[:, cut:])

    def append(self, piece: np.ndarray) -> None:
        self.samples += piece.shape[1]
        _check_bounds(self.channels, self.samples, self.rate, self.name)
        self.pieces.append(piece)

    def trim_to_packets(self, time_base: Fraction) -> None:
        """In MP4 only the last packet's duration declares the encoder's padding."""
        if self.end_ticks is not None and self.start_s is not None and not self.truncated:
            length = round((self.end_ticks * time_base - max(self.start_s, 0)) * self.rate)
            self.samples = min(self.samples, max(length, 0))

    def delay(self, video_start_s: Fraction | None) -> None:
        if video_start_s is None or self.start_s is None or self.start_s <= video_start_s:
            return
        count = round((self.start_s - video_start_s) * self.rate)
        _check_bounds(self.channels, self.samples + count, self.rate, self.name)
        self.pieces.insert(0, np.zeros((self.channels, count), np.float32))
        self.samples += count

    def sound(self) -> tuple[np.ndarray, int]:
        """(waveform, rate). Joins the pieces, releasing each once it is copied, so memory holds the sound only once."""
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
        if self.truncated:
            notes.append(f"{self.name} is truncated: only its first {self.samples / self.rate:.2f} s can be read.")
        return tuple(notes)


class _SpeechReader(_Reader):
    """Resamples to mono 16 kHz while reading, in blocks of 10 s with 1 s of context on either side. The resampler's
    kernel is shorter, so the result equals the whole sound resampled at once."""

    BLOCK_S = 10

    def __init__(self, name: str):
        super().__init__(name)
        self.speech = bytearray()  # float32 samples, one buffer that grows in place
        self.held = self.resampled = 0  # samples in `pieces`; input samples already in `speech`

    def append(self, piece: np.ndarray) -> None:
        self.samples += piece.shape[1]
        _check_bounds(1, self.samples, self.rate, self.name)
        _check_values(piece, self.rate, self.name)
        self.pieces.append(piece.mean(axis=0, dtype=np.float32))
        self.held += piece.shape[1]
        while self._first() + self.held >= self.resampled + (self.BLOCK_S + 1) * self.rate:
            self._resample_block(self.BLOCK_S * SPEECH_RATE_HZ)

    def _first(self) -> int:
        return max(0, self.resampled - self.rate)

    def _resample_block(self, count: int) -> None:
        """Appends `count` output samples, and releases the input except for context."""
        samples = np.concatenate(self.pieces)
        speech = samples if self.rate == SPEECH_RATE_HZ else _sonic.resample(samples, self.rate, SPEECH_RATE_HZ)
        start = (self.resampled - self._first()) // self.rate * SPEECH_RATE_HZ
        self.speech += memoryview(speech[start : start + count]).cast("B")
        before = self._first()
        self.resampled += self.BLOCK_S * self.rate
        context = samples[self._first() - before :].copy()
        self.pieces, self.held = [context], len(context)

    def sound(self) -> tuple[np.ndarray, int]:
        left = -(-(self.samples - self.resampled) * SPEECH_RATE_HZ // self.rate)
        if left > 0:
            self._resample_block(left)
        count = -(-self.samples * SPEECH_RATE_HZ // self.rate)
        return np.frombuffer(self.speech, np.float32)[None, :count], SPEECH_RATE_HZ


def _floats(frame, name: str) -> np.ndarray:
    """float32 [channels, samples] of a decoded frame; integers are scaled by their range."""
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
