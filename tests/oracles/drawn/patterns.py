"""Patterns: screentones, tiles, checkers, grids, few colours. Many have periods of 8 pixels by design."""

from __future__ import annotations

import numpy as np

from .canvas import blobs, chance, colour, levels, ordered, palette, size
from .shading import coloured_ramp, portrait, render


def screentone(random: np.random.Generator, held_out: bool) -> np.ndarray:
    """Dots, lines or waves that grow with the tone of a render or of flat areas, as in print and manga."""
    shape = size(random, held_out)
    tone = random.uniform(0.2, 0.8) + 0.3 * blobs(random, shape, random.uniform(60, 250))
    if chance(random):
        tone = np.floor(4 * np.clip(tone, 0, 0.99)) / 4 + 0.1
    period = random.uniform(3.5, 14) if held_out else random.choice([4, 5, 6, 8, 4 * 2**0.5, 8 * 2**0.5, 16])
    angle = random.uniform(0, np.pi) if held_out else random.choice([0, np.pi / 4, np.pi / 12])
    y, x = np.mgrid[: shape[0], : shape[1]]
    u = (x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period
    v = (y * np.cos(angle) - x * np.sin(angle)) * 2 * np.pi / period
    kind = random.integers(0, 3)
    wave = (np.cos(u) + np.cos(v)) / 2 if kind == 0 else np.cos(u) if kind == 1 else np.cos(u + np.sin(v / 4))
    contrast = random.uniform(2, 8) if chance(random) else 400
    cover = np.clip((wave / 2 + 0.5 - tone) * contrast + 0.5, 0, 1)[..., None]
    return levels(cover * np.array(colour(random, 0, 80)) + (1 - cover) * np.array(colour(random, 180)))


def tile(random: np.random.Generator, held_out: bool) -> np.ndarray:
    """One tile, u8 [h, w, 3]."""
    side = [int(v) for v in random.choice([12, 20, 24, 40, 64] if held_out else [8, 16, 32, 64], 2)]
    kind = random.integers(0, 4)
    if kind == 0:
        return random.integers(0, 256, (*side, 3)).astype(np.uint8)
    if kind == 1:
        return palette(random, 4)[random.integers(0, 4, side)]
    y, x = np.mgrid[: side[0], : side[1]]
    wave = np.cos(2 * np.pi * (x / side[1] * random.integers(1, 4) + y / side[0] * random.integers(0, 4)))
    if kind == 2:
        return levels(128 + 100 * wave[..., None] * random.uniform(-1, 1, 3))
    brick = levels(np.ones((*side, 1)) * colour(random))
    brick[-2:] = brick[: side[0] // 2, :2] = brick[side[0] // 2 :, side[1] // 2 : side[1] // 2 + 2] = colour(
        random, 150
    )
    return brick


def tiles(random: np.random.Generator, held_out: bool) -> np.ndarray:
    """A texture of one or several tiles, plain or shaded."""
    shape = size(random, held_out)
    first = tile(random, held_out)
    chosen = [first]
    if chance(random):
        chosen += [np.rot90(first, 2), first[::-1], levels(0.7 * first)]
    rows, columns = (-(-shape[i] // first.shape[i]) for i in (0, 1))
    index = random.integers(0, len(chosen), (rows, columns))
    whole = np.concatenate([np.concatenate([chosen[k] for k in row], 1) for row in index])[: shape[0], : shape[1]]
    if chance(random, 0.4):
        whole = whole * (0.6 + 0.4 * np.linspace(0, 1, shape[1]))[None, :, None]
    return levels(whole)


def grid(random: np.random.Generator, held_out: bool) -> np.ndarray:
    """Checkers, ruled grids, mosaics of equal cells, dots; cells of 8 and 16 pixels among others."""
    shape = size(random, held_out)
    cell = int(random.choice([6, 8, 10, 12, 24, 32] if held_out else [4, 8, 16]))
    down, right = random.integers(0, cell, 2) if chance(random) else (0, 0)
    y, x = np.mgrid[: shape[0], : shape[1]]
    row, column = (y + down) // cell, (x + right) // cell
    kind = random.integers(0, 4)
    if kind == 0:
        return palette(random, 2)[(row + column) % 2]
    if kind == 1:
        rules = ((y + down) % cell == 0) | ((x + right) % cell == 0)
        return levels(np.where(rules[..., None], colour(random), coloured_ramp_like(random, shape)))
    if kind == 2:
        return palette(random, 1 + int(row.max() + 1) * int(column.max() + 1))[row * int(column.max() + 1) + column]
    return palette(random, 2)[((y + down) % cell < cell // 2).astype(int) * ((x + right) % cell < cell // 2)]


def coloured_ramp_like(random: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    if chance(random):
        return np.ones((*shape, 1)) * colour(random)
    ends = palette(random, 2).astype(float)
    share = np.linspace(0, 1, shape[1])[None, :, None]
    return (ends[0] * (1 - share) + ends[1] * share) * np.ones((shape[0], 1, 1))


def few_colours(random: np.random.Generator, held_out: bool) -> np.ndarray:
    """A render, portrait or gradient in 2 to 64 colours or with ordered dithering, as in GIF files."""
    whole = (render, portrait, coloured_ramp)[random.integers(0, 3)](random, held_out)
    if chance(random, 0.4):
        steps = 255 / random.integers(1, 7)
        return levels(ordered(whole.astype(float), steps, int(random.integers(1, 4))))
    from PIL import Image

    how = Image.Dither.FLOYDSTEINBERG if chance(random) else Image.Dither.NONE
    count = int(random.choice([3, 6, 12, 40, 100] if held_out else [2, 4, 8, 16, 64]))
    image = Image.fromarray(levels(whole)).quantize(count, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    return np.asarray(Image.fromarray(levels(whole)).quantize(palette=image, dither=how).convert("RGB"))
