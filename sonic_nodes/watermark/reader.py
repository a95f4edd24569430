"""Reads the invisible watermark of a video: `find_watermarks(path)`."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from ..extension.native import _sonic
from ..media.video_reader import timed_frames

WINDOW_S = 4.0
LEAST_S = 1.0  # a shorter rest at the end is not read, unless it is the whole clip
SEARCHES = 12  # windows without a mark in which crops and scales are tried; one takes 0.1 s
LONGEST_S = 1200.0


@dataclass(frozen=True)
class Watermark:
    """payload: 8 hexadecimal digits, the digest of the ProduceID (marker.payload_of). first_s: where the first window
    with it begins. windows: how many of 4 s have it. pilots: how far the known part of the pattern stands out, in
    standard deviations, at most. scale: 1 for a whole frame, 0.9 for one that was cropped to 90 %."""

    payload: str
    first_s: float
    windows: int
    pilots: float
    scale: float


class Reader:
    """Frames of a few seconds in, a payload out."""

    def __init__(self):
        self._native, self.shape = _sonic.watermark_reader_create(), None

    def add(self, frame: np.ndarray) -> None:
        """uint8 [H, W, 3], sides of 1 to 8192 px; of one size until the next `read`."""
        _sonic.watermark_reader_add(self._native, frame)
        self.shape = frame.shape

    def read(self, search: bool = True) -> dict:
        """{"found", "payload", "pilots", "scale", "x", "y"} of csrc/watermark/detect.h for the frames since the last
        call."""
        self.shape = None
        return _sonic.watermark_reader_read(self._native, search)


def find_watermarks(path: str | os.PathLike, check: Callable[[], object] = lambda: None) -> list[Watermark]:
    """Those of a video file, in the order in which they appear; empty where there is none. The first 20 minutes are
    read, in windows of 4 s. check() is called for each frame; what it raises ends the work. InputError, which names
    the file, when it is no video."""
    reader, found, searches = Reader(), {}, 0

    def read(begin_s: float) -> None:
        nonlocal searches
        result = reader.read(search=searches < SEARCHES)
        if not result["found"]:
            searches += 1
            return
        payload = f"{result['payload']:08x}"
        before = found.get(payload, Watermark(payload, begin_s, 0, 0.0, result["scale"]))
        pilots = max(before.pilots, result["pilots"])
        found[payload] = Watermark(payload, before.first_s, before.windows + 1, pilots, before.scale)

    begin_s = end_s = 0.0
    read_any = False
    with closing(timed_frames(path)) as frames:
        for time_s, frame in frames:
            check()
            if reader.shape is not None and (frame.shape != reader.shape or time_s - begin_s >= WINDOW_S):
                read(begin_s)
                read_any = True
            if time_s >= LONGEST_S:
                break
            begin_s = time_s if reader.shape is None else begin_s
            end_s = time_s
            reader.add(frame)
    if reader.shape is not None and (end_s - begin_s >= LEAST_S or not read_any):
        read(begin_s)
    return list(found.values())
