"""The top-level boxes of an MP4 file, each a 32-bit size, a four-letter type and a payload (ISO/IEC 14496-12, 4.2)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

from ..errors import InputError

MAX_METADATA_BYTES = 16 << 20  # a workflow of ComfyUI with a mask painted into it has a few
MAX_BOXES = 1_000_000  # ten hours of fragments of a second have 72,000


def box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + kind + content


def is_mp4(file: BinaryIO) -> bool:
    """Whether an open file begins as an MP4 or QuickTime file does."""
    file.seek(4)
    return file.read(4) == b"ftyp"


def walk(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """(type, offset of the payload, its bytes) of each top-level box. InputError when a box extends past the end of the
    file."""
    yield from _boxes(file, 0, file.seek(0, os.SEEK_END))


def check_metadata(file: BinaryIO, name: str) -> None:
    """InputError when the tags of an MP4 take more than MAX_METADATA_BYTES, which FFmpeg would read into memory. The
    file is at its beginning afterwards. Files of other formats pass: FFmpeg has limits of its own for their tags."""
    total = 0
    try:
        for size in _metadata_sizes(file, 0, file.seek(0, os.SEEK_END), (b"moov", b"trak")):
            total += size
    except InputError:
        pass  # another format, or cut short: what stands before the end counts
    file.seek(0)
    if total > MAX_METADATA_BYTES:
        raise InputError(
            f"Choose another video: the metadata of {name} take {total / 1e6:.0f} MB, and at most "
            f"{MAX_METADATA_BYTES / 1e6:.0f} MB are read."
        )


def _metadata_sizes(file: BinaryIO, at: int, end: int, holders: tuple[bytes, ...]) -> Iterator[int]:
    """holders: the type of boxes to look into, and in those in turn. Boxes of a type are not looked for in their own
    kind, so that no file nests them deeply."""
    for kind, payload, size in _boxes(file, at, end):
        if holders and kind == holders[0]:
            yield from _metadata_sizes(file, payload, payload + size, holders[1:])
        elif kind in (b"udta", b"meta"):
            yield size


def _boxes(file: BinaryIO, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    for _ in range(MAX_BOXES):
        if at >= end:
            return
        file.seek(at)
        head = file.read(16)
        size, header = int.from_bytes(head[:4], "big"), 8
        if size == 1:
            size, header = int.from_bytes(head[8:16], "big"), 16
        elif size == 0:
            size = end - at
        if len(head) < 8 or size < header or at + size > end:
            raise InputError("Choose an intact MP4 file: this one is truncated.")
        yield head[4:8], at + header, size - header
        at += size
    raise InputError(f"Choose another MP4 file: this one consists of more than {MAX_BOXES} parts.")
