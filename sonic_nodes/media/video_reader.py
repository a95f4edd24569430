"""The pictures of a video file as it is read, packet by packet: which track, what is damaged, which side is up."""

from __future__ import annotations

from collections.abc import Iterator

import av
import numpy as np
from av.stream import Disposition

from ..errors import InputError
from .tags import ANY_ENCODING

MAX_SIDE_PX = 8192


def open_video(file, name: str):
    """An open file as PyAV container. Playlists and the like are refused: no protocol is allowed for the files they
    point to."""
    try:
        return av.open(file, mode="r", options={"protocol_whitelist": "none"}, **ANY_ENCODING)
    except (OSError, av.error.FFmpegError) as error:
        raise InputError(f"Choose a video file: {name} cannot be read as one ({error.strerror or error}).") from None


def picture_stream(container, name: str) -> av.VideoStream:
    """The first video track that is not a cover picture; InputError when there is none or it cannot be decoded."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            break
    else:
        raise InputError(f"Choose a video: {name} contains no moving pictures.")
    if stream.codec_context is None:
        raise InputError(
            f"Convert the video to H.264 in MP4: the pictures of {name} have a format that cannot be decoded."
        )
    check_size(stream.codec_context.width, stream.codec_context.height, name)
    return stream


def check_size(width: int, height: int, name: str) -> None:
    if max(width, height) > MAX_SIDE_PX:
        raise InputError(
            f"Choose a smaller video: {name} has {width} x {height} pixels, {MAX_SIDE_PX} a side can be read."
        )


def decoded(
    container, video: av.VideoStream, sound: av.AudioStream | None, name: str
) -> Iterator[av.VideoFrame | av.Packet]:
    """Pictures of `video`, and between them the packets of `sound`. Damaged packets are passed over; a file that breaks
    off ends there. InputError when there is no picture at all."""
    packets, found = iter(container.demux([video, *([] if sound is None else [sound])])), False
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.error.FFmpegError):
            break
        if packet.stream.index != video.index:
            if packet.size:
                yield packet
            continue
        try:
            pictures = packet.decode()
        except av.error.FFmpegError:
            continue
        for picture in pictures:
            check_size(picture.width, picture.height, name)
            found = True
            yield picture
    if not found:
        raise InputError(f"Choose an intact video: no picture of {name} can be decoded.")


def rgb_of(picture: av.VideoFrame, name: str, **options) -> np.ndarray:
    """uint8 [H, W, 3] of a picture, contiguous, turned as the file asks; `options` are those of `reformat`."""
    try:
        rgb = picture.reformat(format="rgb24", **options).to_ndarray()
    except (OSError, ValueError, av.error.FFmpegError) as error:
        raise InputError(
            f"Convert the video to H.264 first: pixels of {name} ({picture.format.name}) cannot be read ({error})."
        ) from None
    turns = round(getattr(picture, "rotation", 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(rgb, turns)) if turns else rgb
