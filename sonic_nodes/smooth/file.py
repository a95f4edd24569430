"""A video file through the smoother. Pictures keep their times, the sound is copied as it is where MP4 can hold it."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction

import av
import numpy as np
from tqdm import tqdm

from ..errors import InputError
from ..media.files import copy_video, regular_file
from ..media.tags import tags_of
from ..media.video_reader import decoded, open_video, picture_stream, rgb_of
from ..media.video_writer import VideoWriter, clock_origin, count_from
from .frames import Smoother
from .sound import Converted

COPIED_SOUND = ("aac", "mp3", "ac3", "eac3", "opus", "flac", "alac")
LEAST_FRAMES_PER_S = 8  # pictures further apart than this have no steps that could be told from movement
_UNSPECIFIED = 2  # ITU-T H.273


class _Unchanged(Exception):
    """Ends the writing of a video in which nothing was mended."""


def smooth_file(
    path: str, output: str, strength: float = 0.5, protect_mouth: bool = True, lossless: bool = False
) -> dict:
    """Writes `output`; what was done as {"output", "changed", "reason", "frames", ...}.

    An MP4 in which nothing is mended is copied byte for byte, unless `lossless` asks for its exact pictures.
    """
    name = repr(os.path.basename(path) or path)
    with regular_file(path, name) as file:
        try:
            with _Source(file, name) as source:
                too_slow = source.fps < LEAST_FRAMES_PER_S
                smoother = Smoother(0.0 if too_slow else strength, protect_mouth)
                note, rate = "", float(source.fps)
                _transfer(source, smoother, output, lossless)
                note = source.note
        except _Unchanged:
            file.seek(0)
            copy_video(file, output)
    found = smoother.report()
    changed = any(found[kind] for kind in ("shaken", "flickering", "noisy"))
    reason = (
        smoother.words()
        if not too_slow
        else (
            f"Nothing was changed: {rate:.3g} pictures a second are too few to tell shake from movement, {LEAST_FRAMES_PER_S} are needed."
        )
    )
    return {"output": os.path.abspath(output), "changed": changed, "reason": reason + note, **found}


def _transfer(source: _Source, smoother: Smoother, output: str, lossless: bool) -> None:
    first = source.first()
    height, width = first.shape[:2]
    copied = source.sound if source.sound is not None and source.sound.codec_context.name in COPIED_SOUND else None
    converted = Converted(source.sound, source.origin_s) if source.sound is not None and copied is None else None
    with (
        VideoWriter(
            output,
            width,
            height,
            source.fps,
            None,
            lossless,
            tags_of(source.container),
            time_base=source.time_base,
            copied_sound=copied,
            fed_sound=converted and (converted.rate, converted.channels),
            colours=source.colours(),
        ) as writer,
        tqdm(desc="smoothing", total=source.video.frames or None, file=sys.stderr, disable=None, leave=False) as bar,
    ):
        times: list[int] = []

        def pass_sound(packet: av.Packet) -> None:
            if converted is None:
                count_from(packet, source.origin_s)
                writer.write_sound(packet)
            else:
                for piece in converted.pieces(packet):
                    writer.write_sound(piece)

        for frame in smoother.run(source.frames(first, times, pass_sound)):
            writer.write(frame, times.pop(0))
            bar.update()
        found = smoother.report()
        if not lossless and source.is_mp4 and not (found["shaken"] or found["flickering"] or found["noisy"]):
            raise _Unchanged


class _Source:
    """Pictures as RGB, upright, with their times; packets of the sound go past them to the writer."""

    def __init__(self, file, name: str):
        self.name = name
        self.container = open_video(file, name)
        try:
            self.video = picture_stream(self.container, name)
        except InputError:
            self.container.close()
            raise
        self.video.thread_type = "AUTO"
        sounds = [s for s in self.container.streams.audio if s.codec_context is not None]
        self.sound = sounds[0] if sounds else None
        left_out = len(self.container.streams.audio) - len(sounds[:1])
        self.note = f" Tracks of sound that the output does not have: {left_out}." if left_out else ""
        self.fps = Fraction(self.video.average_rate or self.video.guessed_rate or 25)
        self.time_base = Fraction(self.video.time_base)
        self.is_mp4 = self.container.format.name.startswith("mov,")
        self.origin_s = clock_origin([self.video, *sounds[:1]])
        # one for all: what a packet holds beyond the picture that is asked for is not lost
        self._items = decoded(self.container, self.video, self.sound, name)
        self._held: list = []
        self._last: int | None = None

    def __enter__(self) -> _Source:
        return self

    def __exit__(self, kind, error, traceback) -> None:
        self.container.close()

    def colours(self) -> tuple[int, int] | None:
        """Primaries and transfer of ITU-T H.273, where the video says both."""
        found = self.video.codec_context.color_primaries, self.video.codec_context.color_trc
        return None if _UNSPECIFIED in found or 0 in found else found

    def first(self) -> np.ndarray:
        """The first picture; the sound before it is held."""
        for item in self._items:
            self._held.append(item)
            if not isinstance(item, av.Packet):
                return self._rgb(item)
        raise AssertionError("`decoded` ends with an error or with pictures")

    def frames(
        self, first: np.ndarray, times: list[int], pass_sound: Callable[[av.Packet], None]
    ) -> Iterator[np.ndarray]:
        """Every picture, the time of each appended to `times`; packets of the sound to `pass_sound`."""
        held, self._held = self._held, []
        for item in itertools.chain(held, self._items):
            if isinstance(item, av.Packet):
                pass_sound(item)
                continue
            times.append(self._time(item))
            yield self._rgb(item) if first is None else first
            first = None

    def _time(self, picture) -> int:
        """In units of the stream's time base, always later than the one before."""
        step = max(1, round(1 / self.fps / self.time_base))
        early = round(self.origin_s / self.time_base)
        at = picture.pts - early if picture.pts is not None else 0 if self._last is None else self._last + step
        if self._last is not None and at <= self._last:
            at = self._last + 1
        self._last = at
        return at

    def _rgb(self, picture) -> np.ndarray:
        # Who says nothing means BT.709 from 720 lines on, as players take it.
        matrix = {"src_colorspace": "ITU709"} if picture.colorspace == _UNSPECIFIED and picture.height >= 720 else {}
        context = self.video.codec_context
        return rgb_of(picture, self.name, width=context.width, height=context.height, **matrix)
