"""Drawing the heat map: the picture dimmed to grey, JPEG traces over it in red to yellow."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

TILE_PX = 32  # SONIC_REGION_TILE_PX of csrc/gate/region_map.h
DIMMED = 0.35  # share of the brightness that is left where there is no trace
THUMBNAIL_PX = 144
THUMBNAIL_QUALITY = 78


def enlarged(tiles: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """u8 [H, W], interpolated from one value for each 32 x 32 pixels; 0 when the picture is smaller than that."""
    height, width = shape[:2]
    if not tiles.size:
        return np.zeros((height, width), np.uint8)
    covered = Image.fromarray(tiles).resize(
        (tiles.shape[1] * TILE_PX, tiles.shape[0] * TILE_PX), Image.Resampling.BILINEAR
    )
    return np.pad(np.asarray(covered), ((0, height - covered.height), (0, width - covered.width)), mode="edge")


def drawn(picture: np.ndarray, tiles: np.ndarray) -> np.ndarray:
    """The picture u8 [H, W, 3] with its heat map over it, of the same size."""
    return np.array(_overlay(Image.fromarray(picture), Image.fromarray(enlarged(tiles, picture.shape))))


def _overlay(picture: Image.Image, heat: Image.Image) -> Image.Image:
    grey = picture.convert("L").point([round(level * DIMMED) for level in range(256)])
    hot = Image.merge(
        "RGB", [heat.point([255] * 256), heat.point([level * 4 // 5 for level in range(256)]), heat.point([0] * 256)]
    )
    return Image.composite(hot, Image.merge("RGB", [grey] * 3), heat)


def thumbnails(picture: np.ndarray, tiles: np.ndarray) -> tuple[bytes, bytes]:
    """(the picture, its heat map) as small JPEG files."""
    small = Image.fromarray(picture)
    small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX), reducing_gap=2.0)
    heat = Image.fromarray(enlarged(tiles, picture.shape)).resize(small.size, Image.Resampling.BOX)
    return _saved(small, "JPEG", quality=THUMBNAIL_QUALITY), _saved(
        _overlay(small, heat), "JPEG", quality=THUMBNAIL_QUALITY
    )


def png(picture: np.ndarray, tiles: np.ndarray) -> bytes:
    """`drawn` as a PNG file."""
    return _saved(Image.fromarray(drawn(picture, tiles)), "PNG", compress_level=3)


def _saved(image: Image.Image, kind: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()
