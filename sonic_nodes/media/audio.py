"""Reads the sound of any file that PyAV opens, checks sound from other nodes, and converts it to the engines' mono
16 kHz.

Timing is exact. The decoder drops what encoders add at the start (AAC and Opus priming, LAME's gapless tag) and at the
end (Opus and LAME padding, the last packet's duration in MP4), where the file declares it; raw ADTS and MPEG-TS do not.
When the sound of a video starts after its frames, the gap is kept as silence, so that both stay in sync.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

import av
import numpy as np
from av.stream import Disposition

from ..errors import InputError, is_out_of_memory
from ..extension.native import _sonic
from . import sound_limits
from .channels import BLOCK_S, ChannelMeter, ChannelMix
from .files import regular_file
from .links import parts
from .sound_limits import check_bounds, check_format, check_values
from .sound_reader import SPEECH_RATE_HZ, Reader, SpeechReader
from .tags import ANY_ENCODING
from .tracks import has_video, played_audio, unused_audio_note


@dataclass(frozen=True)
class Sound:
    """Sound in memory: `waveform` float32 [channels, samples], nominally -1..1, at `rate` Hz.

    `notes` are sentences for the user about problems in the file; `positions`, where the channels are placed
    (channels.py), () where that is not known.
    """

    waveform: np.ndarray
    rate: int
    notes: tuple[str, ...] = ()
    positions: tuple[str, ...] = ()

    @property
    def samples(self) -> int:
        return self.waveform.shape[1]

    @property
    def duration_s(self) -> float:
        return self.samples / self.rate

    def trimmed(self, seconds: float) -> Sound:
        """The first `seconds` (at least one sample), or the whole sound when it is shorter."""
        return self.part(0.0, seconds)

    def part(self, start_s: float, seconds: float) -> Sound:
        """`seconds` (at least one sample) from start_s on, or what there is of them. InputError if none."""
        if not (seconds > 0 and 0 <= start_s < self.duration_s):
            raise InputError(
                f"Choose a duration above 0 s and a start below {self.duration_s:.2f} s: {seconds} s from {start_s} s "
                "were asked for."
            )
        first = min(round(start_s * self.rate), self.samples - 1)
        count = max(1, round(min(seconds, self.duration_s) * self.rate))
        if first == 0 and count >= self.samples:
            return self
        return replace(self, waveform=self.waveform[:, first : first + count])

    @cached_property
    def mix(self) -> ChannelMix:
        """The mixture of the channels that keeps the voice: their mean, unless that cancels or covers it."""
        meter, block = ChannelMeter(self.rate, len(self.waveform), self.positions), max(1, round(BLOCK_S * self.rate))
        for start in range(0, self.samples, block):
            meter.add(self.waveform[:, start : start + block])
        return meter.choose()

    def mono_16k(self) -> np.ndarray:
        """float32 [ceil(samples * 16000 / rate)]: `mono`, resampled."""
        mono = self.mono()
        return mono if self.rate == SPEECH_RATE_HZ else _sonic.resample(mono, self.rate, SPEECH_RATE_HZ)

    def mono(self) -> np.ndarray:
        """float32 [samples], contiguous: what the mouth follows (`mix`)."""
        return self.mix.mono(self.waveform)


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
    """The audio track that players choose of a sound or video file. InputError, with the file's name, for any problem
    with it."""
    return _read(path, Reader)[0]


def read_sound_at(path: str | os.PathLike) -> tuple[Sound, float]:
    """(the sound as in read_sound, but without silence before it; when it starts, in seconds on the clock of the video
    track)."""
    return _read(path, Reader, at_its_start=True)


def read_speech_at(path: str | os.PathLike) -> tuple[Sound, float]:
    """As read_sound_at, but mono at 16000 Hz and in the memory of that alone: the sound is resampled while it is read.
    Where the mean of the channels does not do, the file is read a second time."""
    first: list[SpeechReader] = []

    def make(name: str, mixes: list[ChannelMix] | None = None) -> SpeechReader:
        first.append(SpeechReader(name, mixes))
        return first[-1]

    found = _read(path, make, at_its_start=True)
    mixes = first[0].mixes()
    if all(mix.weights is None for mix in mixes):
        return found
    sound, start_s = _read(path, lambda name: make(name, mixes), at_its_start=True)
    return replace(sound, notes=(*sound.notes, *dict.fromkeys(mix.note for mix in mixes if mix.note))), start_s


def _checked(
    waveform: np.ndarray, rate: int, name: str, notes: tuple[str, ...] = (), positions: tuple[str, ...] = ()
) -> Sound:
    channels, samples = waveform.shape
    check_bounds(channels, samples, rate, name)
    if channels == 0 or samples == 0:
        raise InputError(f"Choose a recording that contains sound: {name} has no samples.")
    if samples < sound_limits.MIN_DURATION_S * rate:
        raise InputError(
            f"Choose a recording of at least {sound_limits.MIN_DURATION_S} s: {name} lasts {samples / rate:.3f} s."
        )
    check_values(waveform, rate, name)
    return Sound(waveform, int(rate), notes, positions)


def _read(path: str | os.PathLike, make_reader: Callable[[str], Reader], at_its_start: bool = False):
    """(sound, presentation time of its first sample in seconds)."""
    name = repr(os.path.basename(os.fspath(path)) or os.fspath(path))
    with regular_file(path, name) as file:
        links, reader, notes = parts(file), make_reader(name), []
        for number, part in enumerate(links):
            reader.begin_part()
            try:
                with _container(part, name) as container:
                    if number == 0:
                        notes = _read_first(container, reader, at_its_start, len(links))
                        if has_video(container):
                            break  # players show the first alone
                    else:
                        _read_part(container, reader)
            except InputError as error:
                if number == 0:
                    raise
                raise InputError(
                    f"Convert the recording to WAV, whole: {name} is {len(links)} recordings one behind the other, and "
                    f"number {number + 1} cannot be read ({error})"
                ) from None
        waveform, rate, positions = reader.sound()
        return (
            _checked(waveform, rate, name, (*reader.notes(), *notes), positions),
            float(max(reader.start_s or 0, 0)),
        )


@contextmanager
def _container(file, name: str):
    """A part of a file as PyAV container. Playlists are refused: no protocol is allowed for the files they refer to."""
    try:
        container = av.open(file, mode="r", options={"protocol_whitelist": "none"}, **ANY_ENCODING)
    except av.error.FFmpegError as error:
        if is_out_of_memory(error):
            raise
        if file.size == 0:
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


def _read_first(container, reader: Reader, at_its_start: bool, links: int) -> list[str]:
    """Reads the first recording of a file, and says what is not read."""
    stream = _read_part(container, reader)
    if not at_its_start:
        reader.delay(_video_start_s(container))
    note = unused_audio_note(container, stream, reader.name)
    notes = [note] if note else []
    if has_video(container) and links > 1:
        notes.append(f"{reader.name} is {links} videos one behind the other: the first is used.")
    return notes


def _read_part(container, reader: Reader) -> av.AudioStream:
    name, stream = reader.name, played_audio(container)
    if stream is None:
        raise InputError(f"Choose a recording: {name} contains no sound.")
    if stream.codec_context is None:
        raise InputError(
            f"Convert the recording to WAV or MP3: the sound in {name} has a format that cannot be decoded."
        )
    _check_declared(container, stream, name)
    before, packets, damaged = len(reader.sections), reader.packets, reader.damaged
    samples = sum(section.samples for section in reader.sections)
    _read_packets(reader, container, stream)
    if len(reader.sections) == before and sum(section.samples for section in reader.sections) == samples:
        raise InputError(f"Choose a recording that contains sound: nothing in {name} can be decoded.")
    packets, damaged = reader.packets - packets, reader.damaged - damaged
    if damaged * 2 > packets:
        raise InputError(f"Choose an intact recording: {damaged} of {packets} parts of {name} are damaged.")
    if container.format.name.startswith("mov,"):
        reader.trim_to_packets(stream.time_base)
    return stream


def _check_declared(container, stream, name: str) -> None:
    """Refuses formats and durations beyond the limits before decoding. (Durations of MP3 and ADTS are estimates.)"""
    context = stream.codec_context
    if context.sample_rate and context.layout.nb_channels:
        check_format(context.layout.nb_channels, context.sample_rate, name)
    if stream.duration is None or stream.time_base is None or container.format.name in ("mp3", "aac"):
        return
    duration_s = float(stream.duration * stream.time_base)
    if duration_s > sound_limits.MAX_DURATION_S + 1:
        raise InputError(
            f"Cut the recording to at most {sound_limits.MAX_DURATION_S // 60} minutes: {name} lasts "
            f"{duration_s / 60:.1f} minutes."
        )


def _read_packets(reader: Reader, container, stream) -> None:
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
