"""Evidence and verdict of a file or of pixels."""

from __future__ import annotations

import functools
import os

import numpy as np

from .. import portrait
from ..errors import InputError, SonicError
from ..extension.native import _sonic
from ..face import Face, find_faces
from ..face import check_picture as checked
from ..media.files import regular_file
from ..media.image import MAX_FILE_BYTES, display_name, read_picture_and_alpha
from .heat import TILE_PX, enlarged
from .verdict import judge

JPEG_START = b"\xff\xd8\xff"


@functools.cache
def tables():
    """The likelihood tables of csrc/gate, 1 MB; threads share them, since nothing writes to them."""
    return _sonic.gate_tables()


def check_picture(
    picture: np.ndarray, profile: str = "portrait", min_score: float = 0.0, path: str = "", face_box=None
) -> dict:
    """The verdict (verdict.judge) on u8 [H, W, 3] RGB pixels.

    face_box: x0, y0, x1, y1 in pixels, or a Face; "find" for the largest face that is found; None to judge the picture
    as a whole.
    Raises InputError for other arrays and for pictures that are too small.
    """
    return judged(checked(picture), None, profile, min_score, path, face_box)[0]


def check_file(path: str | os.PathLike, profile: str = "portrait", min_score: float = 0.0, face_box="find") -> dict:
    """The verdict on a file: "unreadable" when it cannot be read, with the error's text as its only reason."""
    name = os.fspath(path)
    try:
        data = read_bytes(name)
        picture, alpha = read_picture_and_alpha(data, name=display_name(name))
        container = evidence_of_container(data)
        del data  # up to 4 bytes a pixel, while the picture is judged
        return judged(picture, container, profile, min_score, name, face_box, alpha)[0]
    except SonicError as error:
        return unreadable(name, str(error))


def judged(
    picture: np.ndarray,
    container: dict | None = None,
    profile: str = "portrait",
    min_score: float = 0.0,
    path: str = "",
    face_box="find",
    alpha: np.ndarray | None = None,
) -> tuple[dict, np.ndarray]:
    """(verdict, tiles of the heat map u8 [H // 32, W // 32]) of u8 [H, W, 3], in one pass. container: the facts of
    evidence_of_container; alpha: opacity u8 [H, W] of a picture with transparent parts, None when it is opaque."""
    tiles = np.zeros((picture.shape[0] // TILE_PX, picture.shape[1] // TILE_PX), np.uint8)
    evidence = evidence_of_picture(picture, face_box, tiles, alpha)
    return judge(evidence, container, profile, min_score, path), tiles


def unreadable(path: str, text: str) -> dict:
    """The verdict on a file that cannot be read; text: what the user can do."""
    reason = {
        "name": "unreadable",
        "verdict": "unreadable",
        "value": None,
        "threshold": None,
        "confidence": 1.0,
        "advice": text,
    }
    return {
        "path": path,
        "verdict": "unreadable",
        "score": 0.0,
        "passed": False,
        "jpeg_quality": None,
        "reasons": [reason],
        "evidence": {},
    }


def read_bytes(path: str) -> bytes:
    """A file's content; raises InputError for what is no file, empty, or larger than MAX_FILE_BYTES."""
    name = repr(os.path.basename(path) or path)
    with regular_file(path, name) as file:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_FILE_BYTES:
            raise InputError(
                f"Choose a smaller file: {name} has {size >> 20} MB, and the limit is {MAX_FILE_BYTES >> 20} MB."
            )
        data = file.read(size)  # not the limit: _read_file in media/image.py
    if not data:
        raise InputError(f"Choose a picture, for example PNG or JPEG: {name} is empty.")
    return data


def evidence_of_picture(
    picture: np.ndarray, face_box=None, heat: np.ndarray | None = None, alpha: np.ndarray | None = None
) -> dict[str, float]:
    """All measurements of csrc/gate/evidence.h; face_side_px and those of portrait.measure when there is a face, of
    portrait.measure_box when there is only its box. heat: receives the tiles of the heat map."""
    picture = checked(picture)
    face = largest(picture) if isinstance(face_box, str) else face_box
    box = face.hull_xyxy if isinstance(face, Face) else face
    whole = (0, 0, 0, 0) if box is None else tuple(round(float(v)) for v in box)
    try:
        evidence = _sonic.gate_evidence(tables(), picture, whole, heat, alpha)
    except ValueError as error:
        raise InputError(str(error)) from None
    if box is None:
        return evidence
    evidence["face_side_px"] = float(min(whole[2] - whole[0], whole[3] - whole[1]))
    looks = portrait.measure if isinstance(face, Face) else portrait.measure_box
    return evidence | looks(picture, face, alpha)


def largest_face(picture: np.ndarray) -> np.ndarray | None:
    """x0, y0, x1, y1 of the largest face that a quick search finds, pixels; None without one."""
    face = largest(picture)
    return None if face is None else face.hull_xyxy


def largest(picture: np.ndarray) -> Face | None:
    """The largest face that a quick search finds."""
    return next(iter(find_faces(picture, thorough=False)), None)


def heat_map(picture: np.ndarray) -> np.ndarray:
    """u8 [H, W] of a picture u8 [H, W, 3]: strength of the JPEG traces, 0 none to 255 the strongest.

    Interpolated from one value for 32 x 32 pixels; 0 for smaller pictures.
    """
    return enlarged(judged(checked(picture), face_box=None)[1], picture.shape)


def evidence_of_container(data: bytes) -> dict[str, float] | None:
    """The facts of a JPEG file (csrc/gate/jpeg.h); None for other formats. Raises InputError for broken headers."""
    if not data.startswith(JPEG_START):
        return None
    try:
        return _sonic.gate_jpeg(data)
    except ValueError as error:
        raise InputError(str(error)) from None
