"""Files that are several recordings one behind the other: chained Ogg (RFC 3533, section 4), and WAV, AIFF, FLAC and
MP4 files that were joined byte by byte. FFmpeg reads the first alone, or fails where the format changes.

MP3, ADTS and MPEG-TS have no head; their decoders follow the changes by themselves.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

from ..errors import InputError

MAX_LINKS = 1000
MAX_HEADS = 1_000_000  # pages or boxes that are looked at: pages have 4 kB and more, of smaller ones files are not made
_SCAN = 1 << 20
_FLAC_HEAD = b"fLaC\0\0\0\x22"  # RFC 9639: the marker, and STREAMINFO, always first, of 34 bytes


class FilePart:
    """Bytes `start` to `end` of a file open for reading, as a file of its own."""

    def __init__(self, file: BinaryIO, start: int, end: int):
        self._file, self._start, self._end, self._at = file, start, end, 0

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._end - self._start - self._at)
        self._file.seek(self._start + self._at)
        found = self._file.read(left if size < 0 else min(size, left))
        self._at += len(found)
        return found

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._end - self._start}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    @property
    def size(self) -> int:
        return self._end - self._start


def parts(file: BinaryIO) -> list[FilePart]:
    """The recordings in an open file, in order; the whole file where there is one."""
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(12)
    find = _finder(head)
    starts = [0]
    for start in find(file, end) if find else ():
        starts.append(start)
        if len(starts) > MAX_LINKS:
            raise InputError("Convert the recording to WAV: it is more than 1000 recordings one behind the other.")
    file.seek(0)
    return [FilePart(file, a, b) for a, b in zip(starts, [*starts[1:], end], strict=True)]


def _finder(head: bytes):
    if head[:4] == b"OggS":
        return _ogg_links
    if head[:4] in (b"RIFF", b"FORM"):
        return _chunk_files
    if head[:4] == b"fLaC":
        return _flac_files
    if head[4:8] == b"ftyp":
        return _mp4_files
    return None


def _ogg_links(file: BinaryIO, end: int) -> Iterator[int]:
    """Where pages that begin a stream (flag 2) follow others."""
    at, beginning = 0, True
    for _ in range(MAX_HEADS):
        file.seek(at)
        page = file.read(27 + 255)
        if page[:4] != b"OggS" or len(page) < 27:
            return
        begins = bool(page[5] & 2)
        if begins and not beginning:
            yield at
        beginning = begins
        segments = page[26]
        at += 27 + segments + sum(page[27 : 27 + segments])


def _chunk_files(file: BinaryIO, end: int) -> Iterator[int]:
    """RIFF and FORM: the head has the length of the file."""
    file.seek(0)
    kind = file.read(4)
    at = 0
    while at + 12 <= end:
        file.seek(at + 4)
        size = int.from_bytes(file.read(4), "little" if kind == b"RIFF" else "big")
        at += 8 + size + size % 2
        file.seek(at)
        head = file.read(12)
        if head[:4] != kind or head[8:] not in (b"WAVE", b"AIFF", b"AIFC"):
            return
        yield at


def _flac_files(file: BinaryIO, end: int) -> Iterator[int]:
    at, kept = 4, b""
    file.seek(at)
    while block := file.read(_SCAN):
        data, base, found = kept + block, at - len(kept), -1
        while (found := data.find(_FLAC_HEAD, found + 1)) >= 0:
            yield base + found
            file.seek(at + len(block))  # the caller may have moved
        at += len(block)
        kept = data[-len(_FLAC_HEAD) + 1 :]


def _mp4_files(file: BinaryIO, end: int) -> Iterator[int]:
    """Where another `ftyp` box begins that a `moov` box follows."""
    at, begins = 0, None
    for _ in range(MAX_HEADS):
        file.seek(at)
        head = file.read(16)
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if at and head[4:8] == b"ftyp":
            begins = at
        if head[4:8] == b"moov" and begins is not None:
            yield begins
            begins = None
        if size < 8 or at + size >= end:
            return
        at += size
