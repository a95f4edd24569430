"""The visible label: a line of text in a corner of the frames, drawn before they are encoded.

GB 45438-2025 asks of a video's label that it stands in the first picture, for at least two seconds, in letters of at
least 5 % of the picture's shorter side (docs/provenance.md has the sources). The text is drawn once, with a font that
ships or one of the system's, and put onto each frame by Pillow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from ..errors import UsageError
from ..printable import printable
from .fonts import REFERENCE, font_of
from .limits import CORNERS, DEFAULT_SIZE, MAX_SIZE, MIN_SIZE

MAX_CHARS = 100
SHOWN_S = 2.0
MARGIN, PADDING = 0.5, 0.35  # of the height of a letter
PLATE, INK = (0, 0, 0, 140), (255, 255, 255, 255)  # RGBA: a dark plate, so that the text is legible on any picture


@dataclass(frozen=True)
class Caption:
    """size: height of capital letters by the shorter side. always: in all frames, not in those of the first 2 s alone.
    font: a file, where neither the one that ships nor the system's is to be used."""

    text: str
    corner: str = CORNERS[0]
    size: float = DEFAULT_SIZE
    always: bool = False
    font: str | None = None

    def __post_init__(self):
        if not self.text.strip() or len(self.text) > MAX_CHARS:
            raise UsageError(f"Give the label a text of 1 to {MAX_CHARS} characters: it has {len(self.text)}.")
        if printable(self.text) != self.text:
            raise UsageError(f"Leave control characters out of the label's text: it is {self.text!r}.")
        if self.corner not in CORNERS:
            raise UsageError(f"Choose a corner, {', '.join(CORNERS)}: it is {self.corner!r}.")
        if not MIN_SIZE <= self.size <= MAX_SIZE:
            raise UsageError(f"Choose a size of the label from {MIN_SIZE} to {MAX_SIZE}: it is {self.size:g}.")

    def record(self) -> Mapping[str, object]:
        """For the comment of a video."""
        return {"text": self.text, "corner": self.corner, "size": self.size, "always": self.always}


class CaptionDrawer:
    """Puts a caption onto frames of one size. UsageError where it does not fit, or no font has its characters."""

    def __init__(self, caption: Caption, width: int, height: int, fps: float):
        self._until = math.inf if caption.always else math.ceil(SHOWN_S * fps)
        letter_px = math.ceil(caption.size * min(width, height))
        plate = _plate(caption, letter_px)
        margin = round(MARGIN * letter_px)
        if plate.width + 2 * margin > width or plate.height + 2 * margin > height:
            raise UsageError(
                f"Shorten the label's text, or choose a smaller size: it is {plate.width} pixels wide, and the frames "
                f"have {width}."
            )
        left = margin if caption.corner.endswith("left") else width - margin - plate.width
        top = margin if caption.corner.startswith("top") else height - margin - plate.height
        self._rows, self._columns = slice(top, top + plate.height), slice(left, left + plate.width)
        self._colours, self._opacity = plate.convert("RGB"), plate.getchannel("A")

    def drawn(self, frames: np.ndarray, first: int) -> np.ndarray:
        """Frames uint8 [n, H, W, 3], of which the first is number `first` of the clip, with the caption; the same array
        where none of them shows it."""
        shown = max(0, min(len(frames), self._until - first))
        if not shown:
            return frames
        frames = frames.copy()  # others may hold the same frames
        for frame in frames[:shown]:
            part = Image.fromarray(np.ascontiguousarray(frame[self._rows, self._columns]))
            part.paste(self._colours, mask=self._opacity)
            frame[self._rows, self._columns] = np.asarray(part)
        return frames


def _plate(caption: Caption, letter_px: int) -> Image.Image:
    """The text on its plate, RGBA. Its capital letters have at least `letter_px`."""
    font = font_of(caption.text, letter_px, caption.font and Path(caption.font))
    left, top, right, bottom = font.getbbox(caption.text)
    letter = font.getbbox(REFERENCE)  # so that plates of different texts are alike
    line_top, line_bottom = min(top, letter[1]), max(bottom, letter[3])
    padding = round(PADDING * letter_px)
    size = math.ceil(right - left) + 2 * padding, math.ceil(line_bottom - line_top) + 2 * padding
    plate = Image.new("RGBA", size, PLATE)
    ImageDraw.Draw(plate).text((padding - left, padding - line_top), caption.text, INK, font=font)
    return plate
