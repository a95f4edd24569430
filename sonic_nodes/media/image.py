"""Reads any picture that Pillow decodes safely, as 8-bit RGB.

The result is what a viewer shows: EXIF orientation applied, declared colours converted to sRGB, transparency
composited on white, the first frame of an animation. 16-bit and floating-point greys are scaled to 8 bits.
"""

from __future__ import annotations

import io
import os
import re
import threading
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..errors import InputError, ResourceError, is_out_of_memory
from .colour_profile import conversion_to_srgb
from .files import regular_file, unreadable
from .image_formats import RAW, REMEDIES, is_camera_raw, load_plugin, refusal, sizes_in_header
from .pixels import rgb_and_alpha

MAX_SIDE_PX = 32_767  # what csrc/face and OpenCV address
MAX_PIXELS = 89_478_485  # from here on Pillow warns of decompression bombs; 256 MB as RGB
MAX_FILE_BYTES = 1 << 30
MAX_DECODE_BYTES = 12 * MAX_PIXELS  # a file's bytes and what reading its pixels takes
# Bytes a pixel that reading takes at most beside the file: Pillow's image and ours, and what the decoder holds itself.
# Measured by bench/picture_memory.py; JPEG 2000's decoder holds 32 bits a channel.
READ_BYTES = {"WEBP": 11.7, "AVIF": 11.7, "JPEG2000": 23, "HEIF": 11.7}
READ_BYTES_USUAL = 7

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

_warnings_lock = threading.Lock()


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture as a viewer shows it."""

    pixels: np.ndarray  # uint8 [H, W, 3] sRGB
    alpha: np.ndarray | None  # opacity, uint8 [H, W]; None when opaque everywhere
    notes: list[str]  # sentences for the user, such as about a profile that was ignored


def read_picture(source: str | os.PathLike | bytes, name: str = "the picture") -> np.ndarray:
    """uint8 [H, W, 3] RGB of a file, or of its bytes, which errors call `name`. InputError begins with the remedy."""
    return load_picture(source, name=name).pixels


def read_picture_and_alpha(
    source: str | os.PathLike | bytes, on_white: bool = True, name: str = "the picture"
) -> tuple[np.ndarray, np.ndarray | None]:
    """(pixels, alpha) of load_picture."""
    picture = load_picture(source, on_white, name)
    return picture.pixels, picture.alpha


def load_picture(source: str | os.PathLike | bytes, on_white: bool = True, name: str = "the picture") -> Picture:
    """The picture in a file or in its bytes, transparency composited on white.

    With on_white False the colours under transparent pixels stay, for files whose transparency is a painted mask.
    Errors and notes call a file's bytes `name`. Memory: what Pillow decodes into (1 to 4 bytes a pixel) beside the
    result, and what its decoder needs.
    """
    name = name if isinstance(source, bytes) else display_name(source)
    data = source if isinstance(source, bytes) else _read_file(source, name)
    if not data:
        raise InputError(f"Choose a picture, for example PNG or JPEG: {name} is empty.")
    try:
        with _opened(data, name) as image:
            check_size(image.size, name)
            check_cost(image, len(data), name)
            release_early(image)
            conversion, notes = conversion_to_srgb(image, data, name)
            image.load()
            return Picture(*rgb_and_alpha(image, conversion, on_white), notes)
    except (InputError, ResourceError):
        raise
    except Exception as error:  # noqa: BLE001 (damaged files lead decoders to OSError, SyntaxError, struct.error, ...)
        if is_out_of_memory(error):
            raise ResourceError(
                f"Choose a smaller picture or close other programs: there is not enough memory to decode {name}."
            ) from None
        raise InputError(
            f"Save the picture again, as PNG or JPEG: {name} is damaged or incomplete ({_reason(error)})."
        ) from None


def oriented_srgb(data: bytes, pixels: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3] RGB: `pixels`, which another decoder made of the file's bytes, with orientation and profile
    applied as in read_picture."""
    with _opened(data, "the picture") as header:
        conversion, _ = conversion_to_srgb(header, data, "the picture")
        is_grey = conversion is not None and conversion.table is not None
        image = Image.fromarray(pixels[..., 1] if is_grey else pixels)
        image.info = {"exif": header.info["exif"]} if "exif" in header.info else {}
    return rgb_and_alpha(image, conversion)[0]


def display_name(path: str | os.PathLike) -> str:
    """What sentences call a file or an address: its name without the folder, in quotes."""
    path = os.fspath(path)
    return repr(os.path.basename(path.split("?")[0] if "://" in path else path) or path)


def _read_file(path, name: str) -> bytes:
    with regular_file(path, name) as file:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_FILE_BYTES:
            raise InputError(
                f"Choose a smaller file: {name} has {size >> 20} MB, and a picture may have {MAX_FILE_BYTES >> 20}."
            )
        try:
            return file.read(size)  # Python takes the memory that is asked for, and Windows counts it as used
        except OSError as error:
            raise unreadable(name, error) from None


def _opened(data: bytes, name: str) -> Image.Image:
    """Reads only the header. Pillow's bomb warning is silenced: check_size refuses such files."""
    if is_camera_raw(data):
        raise InputError(REMEDIES[RAW].format(name=name))
    for size in sizes_in_header(data):
        check_size(size, name)
    Image.init()
    plugin = load_plugin(data)
    try:
        with _warnings_lock, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Image.open(io.BytesIO(data), formats=[f for f in (*FORMATS, plugin) if f in Image.OPEN])
    except UnidentifiedImageError:
        raise InputError(refusal(data, name)) from None
    except Image.DecompressionBombError as error:
        count = re.search(r"\((\d+) pixels", str(error))
        raise _too_large(f"{int(count[1]) / 1e6:.0f} million pixels" if count else "too many pixels", name) from None


def check_size(size: tuple[int, int], name: str) -> None:
    """From the header, before anything is decoded."""
    if max(size) > MAX_SIDE_PX or size[0] * size[1] > MAX_PIXELS:
        raise _too_large(f"{size[0]} x {size[1]} pixels", name)
    if min(size) < 1:
        raise InputError(f"Choose a picture that has pixels: {name} is {size[0]} x {size[1]}.")


def check_cost(image: Image.Image, file_bytes: int, name: str) -> None:
    """From the header: formats whose decoders need much memory are read up to fewer pixels."""
    pixels = image.width * image.height
    if file_bytes + pixels * READ_BYTES.get(image.format, READ_BYTES_USUAL) > MAX_DECODE_BYTES:
        raise InputError(
            f"Make the picture smaller, or save it as PNG or JPEG: {name} has {image.width} x {image.height} pixels in "
            f"{file_bytes >> 20} MB of {image.format}, and reading that would take more than "
            f"{MAX_DECODE_BYTES >> 20} MB of memory."
        )


class FirstFrame:
    """Stands for the decoder of one of Pillow's animated formats and frees it once a frame is taken."""

    def __init__(self, decoder):
        self._decoder = decoder

    def __getattr__(self, name):
        return getattr(self._decoder, name)

    def get_next(self):
        return self._taken(self._decoder.get_next())

    def get_frame(self, number):
        return self._taken(self._decoder.get_frame(number))

    def _taken(self, frame):
        self._decoder = None
        return frame


def release_early(image: Image.Image) -> None:
    """WebP's decoder holds two pictures, AVIF's one, until Pillow's image is closed: too late for a large one."""
    if image.format in ("WEBP", "AVIF") and hasattr(image, "_decoder"):
        image._decoder = FirstFrame(image._decoder)


def _too_large(what: str, name: str) -> InputError:
    return InputError(
        f"Make the picture smaller, for example 4000 pixels wide: {name} has {what}, and the limit is "
        f"{MAX_PIXELS / 1e6:.0f} million and {MAX_SIDE_PX} a side."
    )


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).strip().rstrip(".")
