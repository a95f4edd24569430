"""What a picture file declares about its colours, in the order of precedence.

PNG chunks: PNG, third edition (W3C, 2025), 4.3 and 11.3.2: cICP before iCCP before sRGB before gAMA and cHRM. Boxes
`colr` of AVIF and JPEG 2000: ISO/IEC 14496-12, 12.1.5, and ISO/IEC 15444-1, I.5.3.3. BMP with a profile: Microsoft's
BITMAPV5HEADER. EXIF without a profile: DCF 2.0, where interoperability "R03" means Adobe RGB.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from ..errors import is_out_of_memory
from . import colour_space
from .colour_space import ColourSpace

PNG_START = b"\x89PNG\r\n\x1a\n"
SRGB_GAMMA, GAMMA_RANGE, SAME_GAMMA = 0.45455, (0.1, 10), 0.05
BOXES_MAX = 1000


@dataclass(frozen=True)
class Declared:
    """One statement of a file; what says in words where it stands. Without profile and space it cannot be used."""

    what: str
    profile: bytes | None = None  # ICC
    space: ColourSpace | None = None


def declared_colours(image: Image.Image, data: bytes) -> Iterator[Declared]:
    """What an opened picture, whose file begins with `data`, declares; the first that can be used applies."""
    readers = {"PNG": _of_png, "AVIF": _of_boxes, "HEIF": _of_boxes, "JPEG2000": _of_boxes, "BMP": _of_bmp}
    yield from readers.get(image.format, _of_profile)(image, data)
    if image.format in ("JPEG", "MPO", "TIFF", "WEBP") and _is_dcf_adobe_rgb(image):
        yield Declared("EXIF data (Adobe RGB)", space=colour_space.ADOBE_RGB)


def _of_profile(image: Image.Image, _: bytes) -> Iterator[Declared]:
    """Pillow notes None for a profile that it found but could not put together."""
    if "icc_profile" in image.info and image.info["icc_profile"] != b"":
        yield Declared("colour profile", image.info["icc_profile"])


def _of_png(image: Image.Image, data: bytes) -> Iterator[Declared]:
    chunks = png_chunks(data)
    if len(chunks.get(b"cICP", b"")) == 4:
        primaries, transfer, matrix, full_range = chunks[b"cICP"]
        if (primaries, transfer) != (2, 2):  # unspecified
            space = colour_space.coded_space(primaries, transfer, bool(full_range)) if matrix == 0 else None
            yield Declared("colour code (cICP)", space=space)
    yield from _of_profile(image, data)
    if b"sRGB" in chunks:
        yield Declared("sRGB mark", space=colour_space.SRGB)
    elif b"gAMA" in chunks or b"cHRM" in chunks:
        yield Declared("gamma and primaries (gAMA, cHRM)", space=_gamma_space(chunks))


def png_chunks(data: bytes) -> dict[bytes, bytes]:
    """The chunks about colour that stand before the pixels, by their type. Pillow has compared the checksums."""
    found, at = {}, len(PNG_START)
    while data.startswith(PNG_START) and at + 12 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if kind in (b"IDAT", b"IEND"):
            break
        if kind in (b"cICP", b"sRGB", b"gAMA", b"cHRM"):
            found.setdefault(kind, data[at + 8 : at + 8 + min(size, 33)])
        at += 12 + size
    return found


def _gamma_space(chunks: dict[bytes, bytes]) -> ColourSpace | None:
    """gAMA: the exponent from light to level; cHRM: white, red, green, blue. Both in units of 1/100000. What is missing
    is that of sRGB, whose curve is close to a gamma of 0.45455."""
    curve, primaries = colour_space.SRGB_CURVE, colour_space.SRGB_PRIMARIES
    if len(chunks.get(b"gAMA", b"")) == 4:
        gamma = int.from_bytes(chunks[b"gAMA"], "big") / 100000
        if not GAMMA_RANGE[0] <= gamma <= GAMMA_RANGE[1]:
            return None
        if abs(gamma / SRGB_GAMMA - 1) > SAME_GAMMA:
            curve = colour_space.parametric(1 / gamma)
    if len(chunks.get(b"cHRM", b"")) == 32:
        x = [value / 100000 for value in struct.unpack(">8I", chunks[b"cHRM"])]
        primaries = ((x[2], x[3]), (x[4], x[5]), (x[6], x[7]), (x[0], x[1]))
    return ColourSpace(primaries, curve)


def _of_boxes(image: Image.Image, data: bytes) -> Iterator[Declared]:
    """The profile, else the code points; of several, those of the first box `colr`. The pixels are already RGB in full
    range: the decoder has applied matrix and range."""
    boxes = list(_colr_boxes(data, 0, len(data)))
    profiles = [box[4:] for box in boxes if box[:4] in (b"prof", b"rICC")]
    profiles += [box[3:] for box in boxes if box[:1] in (b"\2", b"\3") and data[4:8] == b"jP  "]
    if image.info.get("icc_profile") or profiles:
        yield Declared("colour profile", image.info.get("icc_profile") or profiles[0])
    for box in boxes:
        if box[:4] == b"nclx" and len(box) >= 8:
            primaries, transfer = struct.unpack_from(">HH", box, 4)
            if primaries != 2 and transfer != 2:  # unspecified
                yield Declared("colour code (nclx)", space=colour_space.coded_space(primaries, transfer))
            return


# boxes that contain others: bytes of their own before those (`meta` is a full box)
CONTAINERS = {b"meta": 4, b"iprp": 0, b"ipco": 0, b"jp2h": 0}


def _colr_boxes(data: bytes, at: int, end: int) -> Iterator[bytes]:
    for _ in range(BOXES_MAX):
        if at + 8 > end:
            return
        size, kind = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if size == 1 and at + 16 <= end:
            size, start = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        stop = end if size == 0 else min(at + size, end)
        if stop < start:
            return
        if kind == b"colr":
            yield data[start:stop]
        elif kind in CONTAINERS:
            yield from _colr_boxes(data, start + CONTAINERS[kind], stop)
        at = stop


def _of_bmp(image: Image.Image, data: bytes) -> Iterator[Declared]:
    """BITMAPV5HEADER: bV5CSType "MBED" at 56, offset of the profile from the header's beginning at 112, its size at
    116."""
    if data[14:18] == (124).to_bytes(4, "little") and data[14 + 56 : 14 + 60] == b"DEBM":
        at, size = struct.unpack_from("<II", data, 14 + 112)
        yield Declared("colour profile", data[14 + at : 14 + at + size] or None)


def _is_dcf_adobe_rgb(image: Image.Image) -> bool:
    try:
        index = image.getexif().get_ifd(0xA005).get(1)
    except Exception as error:  # noqa: BLE001 (unreadable EXIF says nothing about the picture)
        if is_out_of_memory(error):
            raise
        return False
    return isinstance(index, (str, bytes)) and index[:3] in ("R03", b"R03")
