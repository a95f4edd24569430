"""The images of a VIDEO as a clip to be dubbed, without a file."""

from fractions import Fraction

import numpy as np

from ..models.constants import FPS
from .frame_streams import ImageFrames
from .lazy import lazy_import


class ImageClip:
    """As dub.clip.Clip."""

    is_hdr = False

    def __init__(self, frames: ImageFrames):
        self.frames, self.height, self.width, self.frame_bytes = frames, frames.height, frames.width, frames.frame_bytes

    def frame(self, index: int) -> np.ndarray:
        """uint8 [H, W, 3], shown in the middle of a 25th of a second."""
        source = min(self.frames.count - 1, int((index + Fraction(1, 2)) / FPS * self.frames.fps))
        return lazy_import("nodes.comfy_types").uint8_from_image(self.frames.images[source : source + 1])[0]

    def scan(self, count: int):
        return map(self.frame, range(min(count, max(1, round(self.frames.count / self.frames.fps * FPS)))))

    def read(self, order):
        return (self.frame(int(index)) for index in order)
