"""The frames of a video file at 25 a second, forwards and backwards, a few in memory at a time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import av
import numpy as np

from ..errors import InputError
from ..media.files import regular_file
from ..media.video_reader import Orientations, decode, open_video, to_rgb, video_stream
from ..models.constants import FPS

HELD_BYTES = 192 << 20  # frames kept for a way back, or for the next round of a short clip
UNSPECIFIED, HDR_TRANSFERS = 2, (16, 18)  # ITU-T H.273: PQ and HLG
HD_LINES = 720


@dataclass(frozen=True)
class Decoded:
    """A frame of the file. place: its number in the file; None after a jump into it."""

    place: int | None
    pts: int | None
    time_s: float
    pixels: np.ndarray  # uint8 [H, W, 3], as it is shown


class Clip:
    """Frame k is the one that the file shows in the middle of the k-th 25th of a second after its first frame.

    path: of a video file. Raises InputError for a file without a video track, or one that cannot be decoded."""

    def __init__(self, path: str | os.PathLike):
        self.path, self.name = os.fspath(path), repr(os.path.basename(os.fspath(path)))
        self.is_hdr = False
        self._shown: list[tuple[int, int | None]] = []  # of each frame: its place in the file and its pts
        self._held: dict[int, np.ndarray] = {}
        with closing(self._decoded()) as frames:
            self.height, self.width = next(frames).pixels.shape[:2]

    @property
    def frame_bytes(self) -> int:
        return 3 * self.height * self.width

    def scan(self, count: int) -> Iterator[np.ndarray]:
        """Up to `count` frames, uint8 [H, W, 3], from the first on. Only what was scanned can be read afterwards."""
        self._shown, self._held = [], {}
        with closing(self._on_grid(count)) as frames:
            for frame in frames:
                self._shown.append((frame.place, frame.pts))
                yield frame.pixels

    def read(self, order: Iterable[int]) -> Iterator[np.ndarray]:
        """The frames that `order` names, one after the other. Of a clip longer than HELD_BYTES, those on a way back are
        decoded in blocks of that size."""
        wanted = [int(k) for k in order]
        if len(set(wanted)) * self.frame_bytes <= HELD_BYTES:
            yield from self._from_memory(wanted)
            return
        for run in runs(wanted):
            yield from self._forwards(run) if run[-1] >= run[0] else self._backwards(run)

    def _from_memory(self, wanted: list[int]) -> Iterator[np.ndarray]:
        missing = iter(sorted(set(wanted) - set(self._held)))
        made = self._forwards(sorted(set(wanted) - set(self._held)))
        for k in wanted:
            while k not in self._held:
                self._held[next(missing)] = next(made)
            yield self._held[k]

    def _backwards(self, run: list[int]) -> Iterator[np.ndarray]:
        size = max(1, HELD_BYTES // self.frame_bytes)
        for start in range(0, len(run), size):
            yield from list(self._forwards(run[start : start + size][::-1]))[::-1]

    def _forwards(self, run: list[int]) -> Iterator[np.ndarray]:
        """The frames of an ascending run, whose numbers may be repeated."""
        at = 0
        with closing(self._decoded(*(self._shown[run[0]] if run else ()))) as frames:
            while at < len(run):
                frame = next(frames, None)
                if frame is None:
                    raise InputError(f"Leave {self.name} alone while it is read: some of its frames are gone.")
                while at < len(run) and self._is_shown(run[at], frame):
                    yield frame.pixels
                    at += 1

    def _is_shown(self, k: int, frame: Decoded) -> bool:
        place, pts = self._shown[k]
        return pts == frame.pts if frame.place is None else place == frame.place

    def _on_grid(self, count: int) -> Iterator[Decoded]:
        done, shown, first_s, step_s = 0, None, None, 1 / FPS
        with closing(self._decoded()) as frames:
            for frame in frames:
                first_s = frame.time_s if first_s is None else first_s
                while shown is not None and done < count and (done + 0.5) / FPS < frame.time_s - first_s:
                    yield shown
                    done += 1
                if done == count:
                    return
                step_s = frame.time_s - shown.time_s if shown is not None else step_s
                shown = frame
        while done < count and (done == 0 or (done + 0.5) / FPS < shown.time_s - first_s + step_s):
            yield shown
            done += 1

    def _decoded(self, place: int = 0, pts: int | None = None) -> Iterator[Decoded]:
        """Frames from the file's beginning, or from one before the frame `place` with that `pts`, if the file can be
        entered there."""
        if place and pts is not None:
            with self._opened() as (container, stream):
                start = self._entered(container, stream, pts)
                if start is not None:
                    yield from start
                    return
        with self._opened() as (container, stream):
            yield from self._from(container, stream, 0)

    @contextmanager
    def _opened(self):
        with regular_file(self.path, self.name) as file, open_video(file, self.name) as container:
            stream = video_stream(container, self.name)
            stream.thread_type = "AUTO"
            yield container, stream

    def _entered(self, container, stream, pts: int) -> Iterator[Decoded] | None:
        """Frames from a key frame at or before `pts`; None where there is no way to it."""
        try:
            container.seek(pts, stream=stream, backward=True)
            frames = self._from(container, stream, None)
            first = next(frames)
        except (OSError, av.error.FFmpegError, InputError):
            return None
        if first.pts is None or first.pts > pts:
            frames.close()
            return None
        return with_first(first, frames)

    def _from(self, container, stream, place: int | None) -> Iterator[Decoded]:
        orientations, last_s = Orientations(), 0.0
        step_s = float(1 / stream.average_rate) if stream.average_rate else 1 / FPS
        with closing(decode(container, stream, (), self.name)) as frames:
            for frame in frames:
                last_s = frame.time if frame.time is not None else last_s + step_s
                yield Decoded(place, frame.pts, last_s, self._pixels(stream, frame, orientations))
                place = None if place is None else place + 1

    def _pixels(self, stream, frame: av.VideoFrame, orientations: Orientations) -> np.ndarray:
        # undeclared colours mean BT.709 from 720 lines on, as in players
        is_hd = frame.colorspace == UNSPECIFIED and frame.height >= HD_LINES
        matrix = {"src_colorspace": "ITU709"} if is_hd else {}
        self.is_hdr = stream.codec_context.color_trc in HDR_TRANSFERS
        pixels = to_rgb(frame, self.name, orientations.of(frame), **matrix)
        if hasattr(self, "height") and pixels.shape != (self.height, self.width, 3):
            raise InputError("Convert the video to frames of one size: its frames change their size.")
        return pixels


def with_first(first: Decoded, rest: Iterator[Decoded]) -> Iterator[Decoded]:
    with closing(rest):
        yield first
        yield from rest


def runs(numbers: list[int]) -> Iterator[list[int]]:
    """`numbers` cut where they turn back or jump: each run ascends, or descends by steps of at most a few."""
    start = 0
    while start < len(numbers):
        end, direction = start + 1, 0
        while end < len(numbers):
            step = numbers[end] - numbers[end - 1]
            if step and direction and (step > 0) != (direction > 0):
                break
            direction, end = direction or step, end + 1
        yield numbers[start:end]
        start = end
