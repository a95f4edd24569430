"""What a video file holds: size, rate and number of its frames, tags and sound, known before they are read."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from ..errors import InputError
from .audio import Sound, read_sound_at
from .files import regular_file
from .image_formats import HEAD_BYTES, VIDEO, name_format
from .provenance import manifest_bytes, packet_of
from .tags import copyable_tags
from .tracks import played_audio
from .video_reader import Orientations, decode, open_video, video_stream

FALLBACK_FPS = 25


@dataclass(frozen=True)
class ClipFile:
    """first_s: when the first frame is shown, on the file's clock. count: frames at `fps`, the mean rate. packet:
    XMP's, empty where there is none. is_signed: by C2PA."""

    path: str
    first_s: float
    height: int
    width: int
    count: int
    fps: Fraction
    tags: dict[str, str]
    has_sound: bool
    packet: bytes = b""
    is_signed: bool = False

    def sound(self) -> Sound | None:
        """From the first frame on; None for a file without sound."""
        if not self.has_sound:
            return None
        sound, start_s = read_sound_at(self.path)
        late = start_s - self.first_s
        if late < 0:
            return sound.part(-late, sound.duration_s) if -late < sound.duration_s else None
        silent = np.zeros((len(sound.waveform), round(late * sound.rate)), np.float32)
        return replace(sound, waveform=np.concatenate([silent, sound.waveform], axis=1)) if silent.size else sound


def open_clip(path: str | os.PathLike) -> ClipFile:
    """InputError, which names the file, when it is no video or none of its frames can be decoded."""
    name = repr(os.path.basename(os.fspath(path)))
    with regular_file(path, name) as file, open_video(file, name) as container:
        stream, audio = video_stream(container, name), played_audio(container)
        fps = Fraction(stream.average_rate or stream.guessed_rate or FALLBACK_FPS).limit_denominator(1001)
        with closing(decode(container, stream, (), name)) as frames:
            first = next(frames)
        size = (first.height, first.width)
        height, width = size[::-1] if Orientations().of(first).swapped else size
        return ClipFile(
            os.fspath(path),
            first.time or 0.0,
            height,
            width,
            frame_count(container, stream, fps),
            fps,
            copyable_tags(container),
            audio is not None and audio.codec_context is not None,
            packet_of(file),
            manifest_bytes(file) > 0,
        )


def is_clip(path: str | os.PathLike) -> bool:
    """Whether a file is a video by its first bytes; moving pictures, such as GIF, are not. False for what cannot be
    opened: whoever reads it says why."""
    try:
        with regular_file(path, repr(os.path.basename(os.fspath(path)))) as file:
            return name_format(file.read(HEAD_BYTES)) == VIDEO
    except InputError:
        return False


def frame_count(container, stream, fps: Fraction) -> int:
    """As the file declares it, at least 1: containers that do not count frames have a duration."""
    if stream.frames:
        return stream.frames
    seconds = stream.duration * stream.time_base if stream.duration else (container.duration or 0) / 1e6
    return max(1, round(seconds * fps))
