"""From a decoded Pillow image to uint8 arrays, strip by strip: besides the image and the result, only a strip is held.

EXIF orientation is applied by where a strip is written, colours by colour_profile.py, transparency by compositing.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

from ..errors import is_out_of_memory
from .colour_profile import Conversion

STRIP_PIXELS = 1 << 17
WHITE = (255, 255, 255, 255)
ORIENTATION = 0x0112  # EXIF tag


def rgb_and_alpha(
    image: Image.Image, conversion: Conversion | None, on_white: bool = True
) -> tuple[np.ndarray, np.ndarray | None]:
    """(uint8 [H, W, 3] sRGB, opacity uint8 [H, W] or None when opaque everywhere) of a loaded image.

    With on_white False the colours under transparent pixels stay.
    """
    orientation, (width, height) = orientation_of(image), image.size
    shape = (width, height) if orientation > 4 else (height, width)
    out, full = np.empty((*shape, 3), np.uint8), full_scale(image)
    rows = as_stored(out, orientation)
    alpha = np.empty(shape, np.uint8) if may_be_transparent(image) else None
    alpha_rows = None if alpha is None else as_stored(alpha, orientation)
    for y, strip in strips(image):
        here = slice(y, y + strip.height)
        if alpha_rows is None:
            rows[here] = colours(strip, conversion, full)
        else:
            rows[here], alpha_rows[here] = colours_and_alpha(strip, conversion, full, on_white)
    return out, None if alpha is None or alpha.min() == 255 else alpha


def orientation_of(image: Image.Image) -> int:
    """1 to 8 as in EXIF 2.32; 1 where nothing is said."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except Exception as error:  # noqa: BLE001 (unreadable EXIF says nothing about the picture)
        if is_out_of_memory(error):
            raise
        return 1
    return value if value in range(1, 9) else 1


def as_stored(upright: np.ndarray, orientation: int) -> np.ndarray:
    """A view of an upright [H, W, ...] array, whose rows are those of a file with this orientation."""
    turned = upright.swapaxes(0, 1) if orientation > 4 else upright
    rows = -1 if orientation in (3, 4, 6, 7) else 1  # 6: the first stored row is the right edge
    columns = -1 if orientation in (2, 3, 7, 8) else 1  # 8: the first stored column is the lower edge
    return turned[::rows, ::columns]


def strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """(first row, rows) from top to bottom."""
    width, height = image.size
    rows = max(1, STRIP_PIXELS // width)
    for y in range(0, height, rows):
        yield y, image.crop((0, y, width, min(y + rows, height)))


def may_be_transparent(image: Image.Image) -> bool:
    if image.mode[0] in "IF":
        return False
    return image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info


def full_scale(image: Image.Image) -> float:
    """The level of greys of 16 and more bits that becomes white: 65535 for integers, 1 for floats, and the largest
    value where that is larger (255 for floats up to there)."""
    if image.mode[0] not in "IF":
        return 255.0
    full = 1.0 if image.mode == "F" else 65535.0
    largest = max(float(finite(strip).max()) for _, strip in strips(image))
    if largest > full:
        return 255.0 if image.mode == "F" and largest <= 255 else largest
    return full


def finite(strip: Image.Image) -> np.ndarray:
    return np.nan_to_num(np.asarray(strip).astype(np.float32), nan=0, posinf=0, neginf=0)


def colours(strip: Image.Image, conversion: Conversion | None, full: float) -> np.ndarray | Image.Image:
    """sRGB [h, w, 3] of an opaque strip; greys may be [h, w, 1]."""
    if strip.mode[0] in "IF":
        return greys(finite(strip), conversion, full)[..., None]
    if conversion is None:
        return np.asarray(strip.convert("RGB"))
    if conversion.table is not None:
        return conversion.table[np.asarray(strip.convert("L")).astype(np.uint16) * 257][..., None]
    return np.asarray(conversion.rgb(strip if strip.mode == conversion.mode else strip.convert(conversion.mode)))


def greys(values: np.ndarray, conversion: Conversion | None, full: float) -> np.ndarray:
    if conversion is None:
        return np.clip(np.rint(values * (255 / full)), 0, 255).astype(np.uint8)
    return conversion.table[np.clip(np.rint(values * (65535 / full)), 0, 65535).astype(np.uint16)]


def colours_and_alpha(
    strip: Image.Image, conversion: Conversion | None, full: float, on_white: bool
) -> tuple[np.ndarray, np.ndarray]:
    """(sRGB [h, w, 3], opacity [h, w]) of a strip. Colours are converted before they are laid on white."""
    rgba = strip if strip.mode == "RGBA" else strip.convert("RGBA")
    alpha = rgba.getchannel("A")
    if conversion is not None:
        shown = colours(rgba.convert("RGB") if conversion.table is None else rgba.getchannel("R"), conversion, full)
        rgba = Image.fromarray(np.broadcast_to(shown, (*shown.shape[:2], 3)).copy())
        rgba.putalpha(alpha)
    levels = np.asarray(alpha)
    if on_white and levels.min() < 255:
        rgba = Image.alpha_composite(Image.new("RGBA", rgba.size, WHITE), rgba)
    return np.asarray(rgba)[..., :3], levels
