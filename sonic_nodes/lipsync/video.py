"""The pictures of a video file, one at a time, with the moments at which they are shown."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np

from ..media.files import regular_file
from ..media.video_reader import decoded, open_video, picture_stream, rgb_of


def pictures(path: str | os.PathLike) -> Iterator[tuple[float, np.ndarray]]:
    """(seconds on the file's clock, uint8 [H, W, 3]) for each picture, turned as the file asks; edit lists are honoured
    by FFmpeg."""
    name = repr(os.path.basename(os.fspath(path)) or os.fspath(path))
    with regular_file(path, name) as file, open_video(file, name) as container:
        yield from _timed(container, name)


def _timed(container, name: str) -> Iterator[tuple[float, np.ndarray]]:
    stream = picture_stream(container, name)
    stream.thread_type = "AUTO"
    last, step = None, float(1 / stream.average_rate) if stream.average_rate else 0.04
    for frame in decoded(container, stream, None, name):
        time_s = frame.time if frame.time is not None else (0.0 if last is None else last + step)
        last = time_s
        yield time_s, rgb_of(frame, name)
