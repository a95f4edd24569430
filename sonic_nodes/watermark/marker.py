"""Marks the frames of a video while it is encoded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import numpy as np

from ..errors import InputError
from ..extension.native import _sonic
from ..face import find_faces
from ..media.provenance import record_of, with_record

DETECT_EVERY = 25  # frames between searches for faces, whose lips and eyes stay free
RECORD_KEY = "watermark"  # in the label: the payload, 8 hexadecimal digits


class Marker:
    """Frames of one clip, in order, in chunks of any length: the result is the same. Equal payloads and frames give
    equal results; the strength is fixed (csrc/watermark/embed.h)."""

    def __init__(self, payload: int):
        """payload: 0 to 2^32 - 1"""
        if not 0 <= payload < 1 << 32:
            raise ValueError(f"payload must have 32 bits: {payload}")
        self.payload = payload
        self._native, self._done = None, 0

    def apply(self, frames: np.ndarray) -> np.ndarray:
        """uint8 [n, H, W, 3] of one size; the result is a new array. InputError for sizes that cannot be marked."""
        marked = np.array(frames, np.uint8, order="C")
        if marked.ndim != 4 or marked.shape[3] != 3:
            raise ValueError(f"frames must be uint8 [n, height, width, 3], not {list(marked.shape)}")
        for frame in marked:
            self._prepare(frame)
            _sonic.watermark_apply(self._native, frame)
        return marked

    def _prepare(self, frame: np.ndarray) -> None:
        """Looks for faces in the frame as it came, when their turn has come."""
        if self._native is None:
            height, width = frame.shape[:2]
            try:
                self._native = _sonic.watermark_create(width, height, self.payload)
            except ValueError as error:
                raise InputError(str(error)) from None
        if self._done % DETECT_EVERY == 0:
            meshes = [found.mesh for found in find_faces(frame, thorough=False)]
            if meshes:  # a face that is missed for a second stays spared where it was
                _sonic.watermark_spare(self._native, np.stack(meshes[:64]).astype(np.float32))
        self._done += 1


def payload_of(produce_id: str) -> int:
    """The first 32 bits of SHA-256 of an identifier."""
    return int.from_bytes(hashlib.sha256(produce_id.encode()).digest()[:4], "big")


def with_watermark(tags: Mapping[str, str]) -> tuple[dict[str, str], Marker | None]:
    """(tags, what marks the frames) of a video with these tags. Frames of a labelled video get the digest of its
    ProduceID (the tag AIGC, GB 45438-2025), without one that of its label, and the label names it. None where there is
    no label of ours, or where it names a watermark: then the frames have it already."""
    tags, record = dict(tags), record_of(tags)
    if record is None or RECORD_KEY in record:
        return tags, None
    payload = payload_of(_produce_id(tags) or tags["comment"])
    return with_record(tags, **{RECORD_KEY: f"{payload:08x}"}), Marker(payload)


def _produce_id(tags: Mapping[str, str]) -> str:
    try:
        found = json.loads(tags.get("AIGC", ""))["ProduceID"]
    except (ValueError, KeyError, TypeError):
        return ""
    return found if isinstance(found, str) else ""
