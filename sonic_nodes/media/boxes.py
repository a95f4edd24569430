"""The top-level boxes of an MP4 file, each a 32-bit size, a four-letter type and a payload (ISO/IEC 14496-12, 4.2)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

from ..errors import InputError


def box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + kind + content


def walk(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """(type, offset of the payload, its bytes) of each top-level box. InputError when a box extends past the end of the
    file."""
    end = file.seek(0, os.SEEK_END)
    at = 0
    while at < end:
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
