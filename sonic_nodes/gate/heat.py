"""The heat map as people see it: the picture dimmed to grey, traces of JPEG blocks over it in red to yellow."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

CELL_PX = 32  # csrc/gate/region_map.h
DIMMED = 0.35  # of the picture's brightness where there is no trace
THUMBNAIL_PX = 144
THUMBNAIL_QUALITY = 78


def enlarged(cells: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """u8 [H, W] from one value for each 32 x 32 pixels, smooth between them; 0 where the picture is smaller than
    that."""
    height, width = shape[:2]
    if not cells.size:
        return np.zeros((height, width), np.uint8)
    covered = Image.fromarray(cells).resize(
        (cells.shape[1] * CELL_PX, cells.shape[0] * CELL_PX), Image.Resampling.BILINEAR
    )
    return np.pad(np.asarray(covered), ((0, height - covered.height), (0, width - covered.width)), mode="edge")


def drawn(picture: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """u8 [H, W, 3] of the picture's size."""
    return np.array(_drawn(Image.fromarray(picture), Image.fromarray(enlarged(cells, picture.shape))))


def _drawn(picture: Image.Image, heat: Image.Image) -> Image.Image:
    grey = picture.convert("L").point([round(level * DIMMED) for level in range(256)])
    hot = Image.merge(
        "RGB", [heat.point([255] * 256), heat.point([level * 4 // 5 for level in range(256)]), heat.point([0] * 256)]
    )
    return Image.composite(hot, Image.merge("RGB", [grey] * 3), heat)


def thumbnails(picture: np.ndarray, cells: np.ndarray) -> tuple[bytes, bytes]:
    """(the picture, its heat map) as small JPEG files."""
    small = Image.fromarray(picture)
    small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX), reducing_gap=2.0)
    heat = Image.fromarray(enlarged(cells, picture.shape)).resize(small.size, Image.Resampling.BOX)
    return _saved(small, "JPEG", quality=THUMBNAIL_QUALITY), _saved(
        _drawn(small, heat), "JPEG", quality=THUMBNAIL_QUALITY
    )


def png(picture: np.ndarray, cells: np.ndarray) -> bytes:
    """`drawn` as a PNG file."""
    return _saved(Image.fromarray(drawn(picture, cells)), "PNG", compress_level=3)


def _saved(image: Image.Image, kind: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()
