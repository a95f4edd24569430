"""The pictures of a video file, one at a time, with the moments at which they are shown."""
from __future__ import annotations

import os
from collections.abc import Iterator

import av
import numpy as np
from av.stream import Disposition

from ..errors import InputError
from ..media.files import regular_file
from ..media.tags import ANY_ENCODING

MAX_SIDE_PX = 8192


def picture_stream(container, name: str):
    """The first video track that is not a cover picture."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    raise InputError(f"Choose a video: {name} contains no moving pictures.")


def pictures(path: str | os.PathLike) -> Iterator[tuple[float, np.ndarray]]:
    """(seconds on the file's clock, uint8 [H, W, 3]) for each picture, turned as the file asks; edit lists are honoured by FFmpeg."""
    name = repr(os.path.basename(os.fspath(path)) or os.fspath(path))
    with regular_file(path, name) as file:
        try:
            with av.open(file, mode="r", options={"protocol_whitelist": "none"}, **ANY_ENCODING) as container:
                yield from _decoded(container, name)
        except av.error.FFmpegError as error:
            raise InputError(f"Choose a video that can be read: {name} cannot be ({error.strerror or error}).") from None


def _decoded(container, name: str) -> Iterator[tuple[float, np.ndarray]]:
    stream = picture_stream(container, name)
    if stream.codec_context is None:
        raise InputError(f"Convert the video to H.264 in MP4: the pictures of {name} have a format that cannot be decoded.")
    if max(stream.codec_context.width, stream.codec_context.height) > MAX_SIDE_PX:
        raise InputError(f"Choose a smaller video: {name} has sides of more than {MAX_SIDE_PX} px.")
    stream.thread_type = "AUTO"
    last, step = None, float(1 / stream.average_rate) if stream.average_rate else 0.04
    for frame in container.decode(stream):
        if max(frame.width, frame.height) > MAX_SIDE_PX:
            raise InputError(f"Choose a smaller video: {name} has sides of more than {MAX_SIDE_PX} px.")
        time_s = frame.time if frame.time is not None else (0.0 if last is None else last + step)
        last = time_s
        picture = frame.to_ndarray(format="rgb24")
        turns = round(getattr(frame, "rotation", 0) / 90) % 4
        yield time_s, np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture
