"""What the kinds share: sizes, colours, anti-aliased drawing, dithering."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont


def size(random: np.random.Generator, held_out: bool) -> tuple[int, int]:
    """Height and width in pixels; half of the sides are multiples of 8."""
    low, high = (360, 620) if held_out else (256, 512)
    sides = random.integers(low, high, 2)
    return tuple(int(side // 8 * 8 if random.random() < 0.5 else side) for side in sides)


def colour(random: np.random.Generator, low: int = 0, high: int = 256) -> tuple[int, int, int]:
    return tuple(int(v) for v in random.integers(low, high, 3))


def palette(random: np.random.Generator, count: int) -> np.ndarray:
    """u8 [count, 3]"""
    return random.integers(0, 256, (count, 3)).astype(np.uint8)


def chance(random: np.random.Generator, share: float = 0.5) -> bool:
    return bool(random.random() < share)


def levels(picture: np.ndarray) -> np.ndarray:
    """u8 of floats 0..255, rounded; grey becomes RGB."""
    picture = picture if picture.ndim == 3 else picture[..., None].repeat(3, 2)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


class Canvas:
    """ImageDraw in pixels of the picture; smooth: drawn `over` times larger and averaged, which anti-aliases edges."""

    def __init__(self, shape: tuple[int, int], background, smooth: bool, over: int = 4):
        self.over = over if smooth else 1
        self.image = Image.new("RGB", (shape[1] * self.over, shape[0] * self.over), background)
        self.draw = ImageDraw.Draw(self.image)

    def __call__(self, shape: str, points, width: float = 0, **options) -> None:
        """ImageDraw's method `shape` at points [n, 2] of (x, y)."""
        flat = [tuple(float(v) * self.over for v in p) for p in points]
        if width:
            options["width"] = max(1, round(width * self.over))
        getattr(self.draw, shape)(flat, **options)

    def picture(self) -> np.ndarray:
        small = self.image.reduce(self.over) if self.over > 1 else self.image
        return np.asarray(small).copy()


def font(px: float) -> ImageFont.ImageFont:
    """Pillow's default font."""
    return ImageFont.load_default(px)


def words(random: np.random.Generator, count: int) -> str:
    letters = list("etaoinshrdlucmfwypvbgk")
    return " ".join("".join(random.choice(letters, random.integers(2, 10))) for _ in range(count))


def bayer(order: int) -> np.ndarray:
    """Threshold map of ordered dithering (B. Bayer, 1973), 2**order a side, 0..1."""
    map_ = np.zeros((1, 1))
    for _ in range(order):
        map_ = np.block([[4 * map_, 4 * map_ + 2], [4 * map_ + 3, 4 * map_ + 1]])
    return (map_ + 0.5) / map_.size


def ordered(picture: np.ndarray, steps: float, order: int) -> np.ndarray:
    """Rounds floats 0..255 to multiples of `steps`, dithered."""
    pattern = bayer(order)
    rows, columns = (-(-side // len(pattern)) for side in picture.shape[:2])
    pattern = np.tile(pattern, (rows, columns))[: picture.shape[0], : picture.shape[1]]
    pattern = pattern[..., None] if picture.ndim == 3 else pattern
    return np.clip(np.floor(picture / steps + pattern) * steps, 0, 255)


def blobs(random: np.random.Generator, shape: tuple[int, int], wavelength: float, waves: int = 24) -> np.ndarray:
    """A smooth random field of about -1..1: a sum of plane waves no shorter than `wavelength` pixels."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    angle, offset = random.uniform(0, 2 * np.pi, (2, waves))
    cycles = random.uniform(0.2, 1, waves) / wavelength
    total = sum(
        np.cos(2 * np.pi * f * (x * np.cos(a) + y * np.sin(a)) + p)
        for f, a, p in zip(cycles, angle, offset, strict=True)
    )
    return total / np.sqrt(waves / 2) / 2
