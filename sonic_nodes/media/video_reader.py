"""Reads video files frame by frame: chooses the track, skips damaged packets, turns and mirrors frames as the file
asks."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.sidedata.sidedata import Type as SideData
from av.stream import Disposition

from ..errors import InputError, is_out_of_memory
from . import boxes
from .files import regular_file
from .tags import ANY_ENCODING

MAX_SIDE_PX = 8192


def timed_frames(path: str | os.PathLike) -> Iterator[tuple[float, np.ndarray]]:
    """(seconds on the file's clock, uint8 [H, W, 3]) of each frame, upright as in to_rgb; FFmpeg applies edit lists."""
    name = repr(os.path.basename(os.fspath(path)) or os.fspath(path))
    with regular_file(path, name) as file, open_video(file, name) as container:
        stream = video_stream(container, name)
        stream.thread_type = "AUTO"
        last, step = None, float(1 / stream.average_rate) if stream.average_rate else 0.04
        orientations = Orientations()
        for frame in decode(container, stream, (), name):
            time_s = frame.time if frame.time is not None else (0.0 if last is None else last + step)
            last = time_s
            yield time_s, to_rgb(frame, name, orientations.of(frame))


def open_video(file, name: str):
    """An open file as PyAV container. Playlists are refused: no protocol is allowed for the files they refer to."""
    boxes.check_metadata(file, name)
    try:
        return av.open(file, mode="r", options={"protocol_whitelist": "none"}, **ANY_ENCODING)
    except (OSError, av.error.FFmpegError) as error:
        raise InputError(f"Choose a video file: {name} cannot be read as one ({error.strerror or error}).") from None


def video_stream(container, name: str) -> av.VideoStream:
    """The first video track that is not a cover picture; InputError when there is none or it cannot be decoded."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            break
    else:
        raise InputError(f"Choose a video: {name} has no video track.")
    if stream.codec_context is None:
        raise InputError(f"Convert the video to H.264 in MP4: the video track of {name} cannot be decoded.")
    check_size(stream.codec_context.width, stream.codec_context.height, name)
    return stream


def check_size(width: int, height: int, name: str) -> None:
    if max(width, height) > MAX_SIDE_PX:
        raise InputError(
            f"Choose a smaller video: {name} has {width} x {height} pixels; sides of up to {MAX_SIDE_PX} can be read."
        )


def decode(
    container, video: av.VideoStream, others: Sequence[av.stream.Stream], name: str
) -> Iterator[av.VideoFrame | av.Packet]:
    """Frames of `video`, with the packets of `others` between them. Damaged packets are skipped; a truncated file ends
    there. InputError when no frame can be decoded."""
    packets, found = iter(container.demux([video, *others])), False
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            break
        except av.error.FFmpegError as error:
            if is_out_of_memory(error):
                raise
            break
        if packet.stream.index != video.index:
            if packet.size:
                yield packet
            continue
        try:
            frames = packet.decode()
        except av.error.FFmpegError as error:
            if is_out_of_memory(error):
                raise
            continue
        for frame in frames:
            check_size(frame.width, frame.height, name)
            found = True
            yield frame
    if not found:
        raise InputError(f"Choose an intact video: no frame of {name} can be decoded.")


@dataclass(frozen=True)
class Orientation:
    """How a stored picture is shown: rows and columns swapped first, then columns and rows reversed. `off_degrees`: the
    angle between the matrix and the nearest of these eight."""

    swapped: bool = False
    columns_reversed: bool = False
    rows_reversed: bool = False
    off_degrees: float = 0.0

    def upright(self, picture: np.ndarray) -> np.ndarray:
        """[H, W, 3] as it is shown, contiguous."""
        shown = picture.swapaxes(0, 1) if self.swapped else picture
        columns, rows = (
            slice(None, None, -1 if flag else None) for flag in (self.columns_reversed, self.rows_reversed)
        )
        return np.ascontiguousarray(shown[rows, columns])


def orientation_from_matrix(a: float, b: float, c: float, d: float) -> Orientation:
    """The nearest right angle, mirrored or not, of the matrix {a, b, u, c, d, v, x, y, w} of ISO/IEC 14496-12, 8.3.2:
    column x and row y of the stored picture are shown at column a x + c y and row b x + d y."""
    straight, crossed = np.hypot(a, d), np.hypot(b, c)
    if not straight + crossed > 0:
        return Orientation()
    if crossed > straight:
        return Orientation(True, c < 0, b < 0, float(np.degrees(np.arctan2(straight, crossed))))
    return Orientation(False, a < 0, d < 0, float(np.degrees(np.arctan2(crossed, straight))))


def orientation(frame: av.VideoFrame) -> Orientation:
    """From the frame's display matrix, which FFmpeg takes from the container, or from H.264 and HEVC's SEI message."""
    matrix = frame.side_data.get(SideData.DISPLAYMATRIX)
    if matrix is None:
        return Orientation()
    values = np.frombuffer(bytes(matrix), np.int32)
    return orientation_from_matrix(*(float(values[i]) for i in (0, 1, 3, 4))) if len(values) >= 9 else Orientation()


class Orientations:
    """Of the frames of one clip, in order. In PyAV a frame and its side data refer to each other and stay until the
    garbage collector comes by, so they are read from the first frame and where the angle changes."""

    def __init__(self):
        self._angle: float | None = None
        self._last = Orientation()

    def of(self, frame: av.VideoFrame) -> Orientation:
        angle = getattr(frame, "rotation", 0)
        if angle != self._angle:
            self._angle, self._last = angle, orientation(frame)
        return self._last


def to_rgb(frame: av.VideoFrame, name: str, shown: Orientation, **options) -> np.ndarray:
    """uint8 [H, W, 3], contiguous, turned and mirrored as `shown` says; `options` are those of `reformat`."""
    try:
        rgb = frame.reformat(format="rgb24", **options).to_ndarray()
    except (OSError, ValueError, av.error.FFmpegError) as error:
        raise InputError(
            f"Convert the video to H.264 first: pixels of {name} ({frame.format.name}) cannot be read ({error})."
        ) from None
    return shown.upright(rgb)


def clock_origin_s(streams: list) -> Fraction:
    """Seconds to subtract from the times of an open container's streams. Broadcasts start at any time, and an MP4 with
    such times shows nothing until then; starts within 1 s of 0 are kept."""
    starts = [
        stream.start_time * stream.time_base for stream in streams if stream.start_time is not None and stream.time_base
    ]
    first = min(starts, default=Fraction(0))
    return first if first > 1 else Fraction(0)


def shift_timestamps(packet: av.Packet, origin_s: Fraction) -> None:
    """Subtracts `origin_s` from the packet's times."""
    origin = round(origin_s / packet.time_base)
    packet.pts = None if packet.pts is None else packet.pts - origin
    packet.dts = None if packet.dts is None else packet.dts - origin
