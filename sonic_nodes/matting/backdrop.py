"""What stands behind the person: a colour, a picture, the frame's own background blurred, or nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from ..errors import InputError
from ..media.image import read_picture

GREEN = "#00b140"  # the green of studio screens
KINDS = {"colour": 0, "picture": 1, "blur": 2, "transparent": 3}  # sonic_backdrop_kind of csrc/matting/compose.h
COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True, eq=False)
class Backdrop:
    """colour: red, green, blue, of kind "colour". picture: uint8 [H, W, 3] of any size, of kind "picture"."""

    kind: str
    colour: tuple[int, int, int] = (0, 0, 0)
    picture: np.ndarray | None = None

    @property
    def channels(self) -> int:
        """Of the frames before it."""
        return 4 if self.kind == "transparent" else 3

    def fitted(self, height: int, width: int) -> Backdrop:
        """Its picture scaled to cover frames of that size, the surplus cut off evenly."""
        if self.picture is None or self.picture.shape[:2] == (height, width):
            return self
        covering = ImageOps.fit(Image.fromarray(self.picture), (width, height), Image.Resampling.LANCZOS)
        return Backdrop(self.kind, self.colour, np.asarray(covering))


def colour_of(text: str, option: str) -> tuple[int, int, int]:
    """InputError for what is no colour; `option` names the setting."""
    text = GREEN if text == "green" else text
    if not COLOUR.fullmatch(text):
        raise InputError(
            f"Write the colour of {option} as # and six hexadecimal digits, such as {GREEN} for green: it is {text!r}."
        )
    return tuple(bytes.fromhex(text[1:]))


def is_picture(text: str | None) -> bool:
    """Whether that is the path of a picture, of what read_backdrop takes."""
    return text is not None and text not in ("blur", "transparent", "green") and not text.startswith("#")


def read_backdrop(text: str, option: str = "--background") -> Backdrop:
    """The backdrop that a user wrote: green, #rrggbb, blur, transparent or the path of a picture. InputError for what
    is none of them, or a picture that cannot be read."""
    if not is_picture(text):
        return Backdrop(text) if text in ("blur", "transparent") else Backdrop("colour", colour_of(text, option))
    try:
        return Backdrop("picture", picture=read_picture(text, "the background"))
    except InputError as error:
        raise InputError(
            f"Write green, #rrggbb, blur, transparent or the name of a picture after {option}: {error}"
        ) from None
