"""From a file or a picture to the evidence about it, and from there to the verdict."""
from __future__ import annotations

import functools
import os

import numpy as np

from ..errors import InputError, SonicError
from ..face import check_picture as checked
from ..media.files import regular_file
from ..media.image import MAX_FILE_BYTES, read_picture
from ..native import _sonic
from .verdict import judge

JPEG_START = b"\xff\xd8\xff"


@functools.cache
def tables():
    """The likelihood tables of csrc/gate, 1 MB; read only, so threads share them."""
    return _sonic.gate_tables()


def check_picture(picture: np.ndarray, profile: str = "portrait", min_score: float = 0.0, path: str = "") -> dict:
    """The verdict on u8 [H, W, 3] RGB pixels (verdict.judge). Raises InputError for what is no such picture."""
    return judge(evidence_of_picture(picture), None, profile, min_score, path)


def check_file(path: str | os.PathLike, profile: str = "portrait", min_score: float = 0.0) -> dict:
    """The verdict on a file; one that cannot be read has the verdict "unreadable" and the error's text as its only reason."""
    name = os.fspath(path)
    try:
        data = read_bytes(name)
        container = evidence_of_container(data)
        return judge(evidence_of_picture(read_picture(data)), container, profile, min_score, name)
    except SonicError as error:
        return unreadable(name, str(error))


def unreadable(path: str, text: str) -> dict:
    reason = {"name": "unreadable", "verdict": "unreadable", "value": None, "threshold": None, "confidence": 1.0, "advice": text}
    return {"path": path, "verdict": "unreadable", "score": 0.0, "passed": False, "jpeg_quality": None, "reasons": [reason], "evidence": {}}


def read_bytes(path: str) -> bytes:
    name = repr(os.path.basename(path) or path)
    with regular_file(path, name) as file:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_FILE_BYTES:
            raise InputError(f"Choose a smaller file: {name} has {size >> 20} MB, and a picture may have {MAX_FILE_BYTES >> 20}.")
        data = file.read(MAX_FILE_BYTES)
    if not data:
        raise InputError(f"Choose a picture, for example PNG or JPEG: {name} is empty.")
    return data


def evidence_of_picture(picture: np.ndarray) -> dict[str, float]:
    """Everything that csrc/gate/evidence.h measures in the pixels."""
    try:
        return _sonic.gate_evidence(tables(), checked(picture))
    except ValueError as error:
        raise InputError(str(error)) from None


def evidence_of_container(data: bytes) -> dict[str, float] | None:
    """What csrc/gate/jpeg.h reads in a JPEG file; None for other formats."""
    if not data.startswith(JPEG_START):
        return None
    try:
        return _sonic.gate_jpeg(data)
    except ValueError as error:
        raise InputError(str(error)) from None
