"""Converts a picture's colours to sRGB, as the profile that applies says (colour_tags.py), by LittleCMS.

What a profile does decides, never its name: one that changes no test colour is not applied, so sRGB pictures keep
their bits.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms

from ..errors import is_out_of_memory
from . import colour_space
from .colour_tags import Declared, declared_colours

GREY, RGB, CMYK, LAB = "GRAY", "RGB", "CMYK", "Lab"  # as profiles call their colour spaces
SAME_LEVELS = 2  # of 255; sRGB profiles of several makers differ by up to 1, and a gamma of 2.2 by 8
PROFILE_BYTES_MAX = 16 << 20  # what a JPEG file can hold; profiles of printers have 3 MB
EXACT = 0x0100  # cmsFLAGS_NOOPTIMIZE: LittleCMS's tables of grey curves are inexact in the shadows otherwise
LEVELS_16 = 65536


class Unusable(Exception):
    """Why a declared colour space is not applied."""


@dataclass(frozen=True, eq=False)
class Conversion:
    """To sRGB: of greys by `table` (uint8 [65536], of 16-bit levels), of `mode` ("RGB", "CMYK", "LAB") by
    `transform`."""

    mode: str
    table: np.ndarray | None = None
    transform: ImageCms.ImageCmsTransform | None = None

    def rgb(self, strip: Image.Image) -> Image.Image:
        """An RGB picture of one in `mode`."""
        return ImageCms.applyTransform(strip, self.transform)


def conversion_to_srgb(image: Image.Image, data: bytes, name: str) -> tuple[Conversion | None, list[str]]:
    """(conversion of an opened picture, or None when its levels are sRGB already; notes for the user)."""
    space, notes = colour_model(image.mode), []
    for declared in declared_colours(image, data):
        try:
            conversion = _conversion(declared, space)
        except (Unusable, ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
            if is_out_of_memory(error):
                raise
            why = str(error) if isinstance(error, Unusable) else "is damaged"
            notes.append(
                f"Save {name} again with an sRGB profile if its colours look wrong: its {declared.what} {why} and was "
                "ignored."
            )
            continue
        if declared.space and declared.space.is_hdr:
            notes.append(f"Check how {name} looks: it is an HDR picture, and its highlights were compressed.")
        return conversion, notes
    return (Conversion(LAB.upper(), transform=_transform(None, "LAB")) if space == LAB else None), notes


def colour_model(mode: str) -> str:
    """The kind of profile that fits Pillow's mode."""
    if mode in ("1", "L", "LA", "La") or mode[0] in "IF":
        return GREY
    return {"CMYK": CMYK, "LAB": LAB}.get(mode, RGB)


def _conversion(declared: Declared, space: str) -> Conversion | None:
    profile = _checked_profile(declared, space)
    if space == GREY:
        table = _grey_table(profile)
        levels = np.arange(256)
        return None if np.abs(table[levels * 257] - levels).max() <= SAME_LEVELS else Conversion(GREY, table)
    mode = space.upper()
    # Lab needs no profile of a device: one that is embedded only says that it is Lab
    conversion = Conversion(mode, transform=_transform(None if space == LAB else profile, mode))
    return None if mode == RGB and _changes_nothing(conversion) else conversion


def _checked_profile(declared: Declared, space: str) -> bytes:
    """The ICC profile that a declaration means for a picture of this colour model."""
    if declared.space:
        if space not in (GREY, RGB):
            raise Unusable(f"is for RGB and the picture is {space}")
        return declared.space.profile(space == GREY)
    profile = declared.profile
    if not profile:
        raise Unusable("is damaged or not known here")
    if len(profile) > PROFILE_BYTES_MAX:
        raise Unusable(f"is larger than {PROFILE_BYTES_MAX >> 20} MB")
    header = _opened(profile).profile
    found = header.xcolor_space.strip()
    if header.device_class.strip() in ("link", "nmcl"):
        raise Unusable("describes no picture")
    if found != space and (found, space) != (RGB, GREY):
        raise Unusable(f"is for {found} and the picture is {space}")
    return profile


def _opened(profile: bytes) -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(io.BytesIO(profile))


def _transform(profile: bytes | None, mode: str, flags: int = 0) -> ImageCms.ImageCmsTransform:
    """From a profile, or Lab without one, to sRGB; perceptual intent, as viewers do."""
    source = ImageCms.createProfile("LAB") if profile is None else _opened(profile)
    return ImageCms.buildTransform(
        source, ImageCms.createProfile("sRGB"), mode, "RGB", ImageCms.Intent.PERCEPTUAL, flags
    )


def _grey_table(profile: bytes) -> np.ndarray:
    """uint8 [65536]: the sRGB level of each 16-bit grey level, by a grey profile or by the grey axis of an RGB one."""
    curve = colour_space.grey_curve(profile)
    if curve is not None:  # LittleCMS would do the same, but not every Pillow gives it 16-bit greys
        return colour_space.srgb_levels(curve(np.arange(LEVELS_16) / (LEVELS_16 - 1)))
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    mode = "RGB" if _opened(profile).profile.xcolor_space.strip() == RGB else "L"
    shown = ImageCms.applyTransform(ramp.convert(mode), _transform(profile, mode, EXACT))
    return np.rint(np.interp(np.arange(LEVELS_16) / 257, np.arange(256), np.asarray(shown)[0, :, 1])).astype(np.uint8)


def _changes_nothing(conversion: Conversion) -> bool:
    """Judged by colours on a lattice and by all greys."""
    steps = np.linspace(0, 255, 9).round()
    lattice = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(-1, 3)
    colours = np.concatenate([lattice, np.repeat(np.arange(256)[:, None], 3, 1)]).astype(np.uint8)[None]
    shown = np.asarray(conversion.rgb(Image.fromarray(colours)))
    return bool(np.abs(shown.astype(int) - colours).max() <= SAME_LEVELS)
