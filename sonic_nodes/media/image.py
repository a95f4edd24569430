"""Reads any picture that Pillow decodes safely, as 8-bit RGB.

The result is what a viewer shows: EXIF orientation applied, an embedded profile converted to sRGB, transparency
composited on white, the first frame of an animation. 16-bit and floating-point greys are scaled to 8 bits.
"""

from __future__ import annotations

import io
import os
import re
import threading
import warnings

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from ..errors import InputError, ResourceError
from .files import regular_file, unreadable

MAX_SIDE_PX = 32_767  # what csrc/face and OpenCV address
MAX_PIXELS = 89_478_485  # from here on Pillow warns of decompression bombs; 256 MB as RGB
MAX_FILE_BYTES = 1 << 30

# Not in the list: formats that run other programs (EPS, WMF), and obsolete ones.
FORMATS = (
    "JPEG",
    "MPO",
    "PNG",
    "WEBP",
    "AVIF",
    "TIFF",
    "GIF",
    "BMP",
    "DIB",
    "JPEG2000",
    "PPM",
    "TGA",
    "QOI",
    "ICO",
    "PSD",
)

WHITE = (255, 255, 255, 255)

_warnings_lock = threading.Lock()


def read_picture(source: str | os.PathLike | bytes) -> np.ndarray:
    """uint8 [H, W, 3] RGB of a file or of its bytes. InputError begins with the remedy."""
    return read_picture_and_alpha(source)[0]


def read_picture_and_alpha(
    source: str | os.PathLike | bytes, on_white: bool = True, name: str = "the picture"
) -> tuple[np.ndarray, np.ndarray | None]:
    """(uint8 [H, W, 3] RGB composited on white, alpha uint8 [H, W] or None when fully opaque).

    With on_white False the colours under transparent pixels stay, for files whose transparency is a painted mask.
    Errors call a file's bytes `name`.
    """
    name = name if isinstance(source, bytes) else repr(os.path.basename(os.fspath(source)) or os.fspath(source))
    data = source if isinstance(source, bytes) else _read_file(source, name)
    if not data:
        raise InputError(f"Choose a picture, for example PNG or JPEG: {name} is empty.")
    try:
        with _opened(data, name) as image:
            _check_size(image.size, name)
            return _pixels(_upright(image), on_white)
    except (InputError, ResourceError):
        raise
    except MemoryError:
        raise ResourceError(
            f"Choose a smaller picture or close other programs: there is not enough memory to decode {name}."
        ) from None
    except Exception as error:  # noqa: BLE001 (damaged files lead decoders to OSError, SyntaxError, struct.error, ...)
        raise InputError(
            f"Save the picture again, as PNG or JPEG: {name} is damaged or incomplete ({_reason(error)})."
        ) from None


def oriented_srgb(data: bytes, pixels: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3] RGB: `pixels`, which another decoder made of the file's bytes, with orientation and profile
    applied as in read_picture."""
    with _opened(data, "the picture") as header:
        image = Image.fromarray(pixels)
        image.info = {key: value for key, value in header.info.items() if key != "icc_profile" or header.mode == "RGB"}
    return np.array(_as_srgb(_upright(image)))


def _read_file(path, name: str) -> bytes:
    with regular_file(path, name) as file:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_FILE_BYTES:
            raise InputError(
                f"Choose a smaller file: {name} has {size >> 20} MB, and a picture may have {MAX_FILE_BYTES >> 20}."
            )
        try:
            return file.read(MAX_FILE_BYTES)
        except OSError as error:
            raise unreadable(name, error) from None


def _opened(data: bytes, name: str) -> Image.Image:
    """Reads only the header. Pillow's bomb warning is silenced: _check_size refuses such files."""
    Image.init()
    try:
        with _warnings_lock, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Image.open(io.BytesIO(data), formats=[f for f in FORMATS if f in Image.OPEN])
    except UnidentifiedImageError:
        raise InputError(f"Choose a picture, for example PNG or JPEG: {name} cannot be read as one.") from None
    except Image.DecompressionBombError as error:
        count = re.search(r"\((\d+) pixels", str(error))
        raise _too_large(f"{int(count[1]) / 1e6:.0f} million pixels" if count else "too many pixels", name) from None


def _check_size(size: tuple[int, int], name: str) -> None:
    """From the header, before anything is decoded."""
    if max(size) > MAX_SIDE_PX or size[0] * size[1] > MAX_PIXELS:
        raise _too_large(f"{size[0]} x {size[1]} pixels", name)
    if min(size) < 1:
        raise InputError(f"Choose a picture that has pixels: {name} is {size[0]} x {size[1]}.")


def _too_large(what: str, name: str) -> InputError:
    return InputError(
        f"Make the picture smaller, for example 4000 pixels wide: {name} has {what}, and the limit is "
        f"{MAX_PIXELS / 1e6:.0f} million and {MAX_SIDE_PX} a side."
    )


def _upright(image: Image.Image) -> Image.Image:
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 (unreadable EXIF says nothing about the picture)
        return image


def _pixels(image: Image.Image, on_white: bool) -> tuple[np.ndarray, np.ndarray | None]:
    if image.mode[0] in "IF":
        grey = _grey_8_bit(np.asarray(image), image.mode)
        return np.repeat(grey[..., None], 3, axis=2), None
    if not _may_be_transparent(image):
        return np.array(_as_srgb(image)), None
    rgba = image.convert("RGBA")
    alpha = np.array(rgba.getchannel("A"))
    if alpha.min() == 255 or not on_white:
        return np.array(rgba.convert("RGB")), None if alpha.min() == 255 else alpha
    return np.array(Image.alpha_composite(Image.new("RGBA", rgba.size, WHITE), rgba).convert("RGB")), alpha


def _may_be_transparent(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info


def _grey_8_bit(values: np.ndarray, mode: str) -> np.ndarray:
    """Scales 16-bit greys by their range, 32-bit integers like 16-bit ones, floats from 0..1; larger values by their
    maximum."""
    values = np.nan_to_num(values.astype(np.float32), nan=0, posinf=0, neginf=0)
    largest = float(values.max())
    full = 1.0 if mode == "F" else 65535.0
    if largest > full:
        full = 255.0 if mode == "F" and largest <= 255 else largest
    return np.clip(np.rint(values * (255 / full)), 0, 255).astype(np.uint8)


def _as_srgb(image: Image.Image) -> Image.Image:
    """RGB after conversion from an embedded profile (CMYK print, Display P3, Adobe RGB). An unusable profile is
    ignored."""
    profile = image.info.get("icc_profile")
    if profile and image.mode in ("RGB", "CMYK"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "srgb" not in ImageCms.getProfileDescription(source).lower():
                return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass
    return image.convert("RGB")


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).strip().rstrip(".")
