"""Drawings: flat shapes, cartoons, pixel art, ink, maps."""

from __future__ import annotations

import numpy as np

from .canvas import Canvas, blobs, chance, colour, levels, palette, size


def polygon(random: np.random.Generator, shape: tuple[int, int], corners: int, radius: float) -> np.ndarray:
    """[corners, 2] of (x, y), star-shaped about a random middle."""
    angle = np.sort(random.uniform(0, 2 * np.pi, corners))
    reach = radius * random.uniform(0.4, 1, corners)
    return np.stack([np.cos(angle), np.sin(angle)], 1) * reach[:, None] + random.uniform(0, 1, 2) * shape[::-1]


def vector(random: np.random.Generator, held_out: bool) -> np.ndarray:
    """Polygons, ellipses, boxes and lines in flat colours, with or without outlines."""
    shape = size(random, held_out)
    draw = Canvas(shape, colour(random), chance(random, 0.6), 3 if held_out else 4)
    outline = colour(random, 0, 60) if chance(random) else None
    for _ in range(random.integers(6, 60 if held_out else 30)):
        radius = random.uniform(0.03, 0.35) * min(shape)
        points = polygon(random, shape, int(random.integers(3, 9)), radius)
        kind, fill = random.integers(0, 4), colour(random)
        if kind == 0:
            draw("polygon", points, fill=fill)
            if outline:
                draw("line", [*points, points[0]], fill=outline, width=random.uniform(1, 4))
        elif kind == 3:
            draw("line", points[:2], fill=fill, width=random.uniform(1, 9))
        else:
            box = [points[0] - radius * random.uniform(0.2, 1, 2), points[0] + radius * random.uniform(0.2, 1, 2)]
            draw("ellipse" if kind == 1 else "rectangle", box, fill=fill, outline=outline, width=2 if outline else 0)
    return draw.picture()


def cartoon(random: np.random.Generator, held_out: bool) -> np.ndarray:
    """A face with outlines and two or three tones a colour, before a flat or striped background."""
    shape = size(random, held_out)
    draw, unit = Canvas(shape, colour(random, 80), chance(random, 0.6)), min(shape)
    middle = np.array(shape[::-1]) / 2 + random.uniform(-0.08, 0.08, 2) * unit
    ink, line, skin = colour(random, 0, 50), random.uniform(1.5, 5), np.array(colour(random, 130))
    for stripe in range(0, shape[1], int(random.integers(20, 60))) if chance(random) else ():
        draw("rectangle", [(stripe, 0), (stripe + 9, shape[0])], fill=colour(random, 100))

    def oval(u, v, a, b, fill, width=line):
        at, reach = middle + np.array([u, v]) * unit, np.array([a, b]) * unit
        draw("ellipse", [at - reach, at + reach], fill=tuple(int(c) for c in fill), outline=ink, width=width)

    oval(0, 0.55, 0.4, 0.25, colour(random))
    hair = np.array(colour(random))
    oval(0, -0.08, 0.29, 0.36, hair)
    oval(0, 0, 0.24, 0.3, skin)
    for tone in range(int(random.integers(1, 3 + held_out))):
        oval(
            -0.03 * (tone + 1),
            -0.03 * (tone + 1),
            0.2 - 0.05 * tone,
            0.25 - 0.06 * tone,
            np.clip(skin + 18 * (tone + 1), 0, 255),
            0.01,
        )
    for side in (-1, 1):
        oval(side * 0.09, -0.04, 0.05, 0.04, (255, 255, 255))
        oval(side * 0.09, -0.04, 0.025, 0.03, colour(random), 1)
        oval(side * 0.09 - 0.01, -0.05, 0.008, 0.008, (255, 255, 255), 0.01)
    for lock in range(int(random.integers(3, 12))):
        base = middle + np.array([(lock / 6 - 1) * 0.2, -0.36]) * unit
        points = [base, base + random.uniform(-0.1, 0.1, 2) * unit, base + np.array([0.06, 0.14]) * unit]
        draw("polygon", points, fill=tuple(int(c) for c in hair), outline=ink)
    mouth = middle + np.array([0, 0.12]) * unit
    draw("arc", [mouth - 0.08 * unit, mouth + 0.06 * unit], start=20, end=160, fill=ink, width=line)
    return draw.picture()


def sprite(random: np.random.Generator, side: int, colours: np.ndarray) -> np.ndarray:
    """Indices [side, side] of a symmetric figure; 0 is the background."""
    half = random.integers(0, len(colours), (side, -(-side // 2)))
    half[random.random(half.shape) < 0.4] = 0
    grown = np.concatenate([half, half[:, : side // 2][:, ::-1]], 1)
    if chance(random):  # larger fields of one colour
        grown[1::2] = grown[: -1 if side % 2 else None : 2][: grown[1::2].shape[0]]
    return grown


def pixel_art(random: np.random.Generator, held_out: bool) -> np.ndarray:
    """Sprites at native size, free or on the tile grid of a game."""
    shape = size(random, held_out)
    colours = palette(random, int(random.integers(4, 33 if held_out else 17)))
    side = int(random.choice([10, 12, 24, 8] if held_out else [8, 16, 32]))
    sprites = [sprite(random, side, colours) for _ in range(random.integers(4, 48 if held_out else 24))]
    picture, grid = np.zeros(shape, int), chance(random)
    for top in range(0, shape[0] - side, side):
        for left in range(0, shape[1] - side, side):
            if random.random() < 0.85:
                down, right = (0, 0) if grid else random.integers(0, side, 2)
                part = picture[top + down : top + down + side, left + right : left + right + side]
                figure = sprites[random.integers(len(sprites))][: part.shape[0], : part.shape[1]]
                np.copyto(part, figure, where=figure > 0)
    return colours[picture]


def curve(random: np.random.Generator, shape: tuple[int, int], count: int = 60) -> np.ndarray:
    """[count, 2] of (x, y) along a cubic Bezier curve."""
    a, b, c, d = random.uniform(-0.1, 1.1, (4, 2)) * shape[::-1]
    t = np.linspace(0, 1, count)[:, None]
    return (1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t**2 * (1 - t) * c + t**3 * d


def lines(random: np.random.Generator, held_out: bool) -> np.ndarray:
    """Ink: curves, ovals, and hatching at one or two angles."""
    shape = size(random, held_out)
    paper = (255, 255, 255) if chance(random) else colour(random, 200)
    draw, ink = Canvas(shape, paper, chance(random, 0.7)), colour(random, 0, 70)
    for _ in range(random.integers(8, 70 if held_out else 40)):
        draw("line", curve(random, shape), fill=ink, width=random.uniform(0.6, 4), joint="curve")
    for _ in range(random.integers(0, 8)):
        middle, reach = random.uniform(0, 1, 2) * shape[::-1], random.uniform(15, 90)
        spacing, angle = (
            random.uniform(3, 10) if held_out else random.integers(3, 9),
            random.choice([0, 0.5, 0.25, 1.9]),
        )
        along = np.array([np.cos(angle * np.pi), np.sin(angle * np.pi)])
        for k in np.arange(-reach, reach, spacing):
            start = middle + k * along[::-1] * (-1, 1)
            draw("line", [start - reach * along, start + reach * along], fill=ink, width=1)
    return draw.picture()


def chart_of_land(random: np.random.Generator, held_out: bool) -> np.ndarray:
    """A map: land and water in flat tones or hill shading, contours, roads, square fields."""
    shape = size(random, held_out)
    height = blobs(random, shape, random.uniform(60, 200)) + 0.3 * blobs(random, shape, random.uniform(20, 60))
    bands = int(random.integers(3, 14 if held_out else 8))
    index = np.clip(((height + 1) / 2 * bands).astype(int), 0, bands - 1)
    picture = palette(random, bands)[index].astype(float)
    if chance(random):
        down, right = np.gradient(height)
        picture *= np.clip(1 + 8 * (down + right), 0.5, 1.3)[..., None]
    if chance(random):
        edge = (np.diff(index, axis=0, prepend=index[:1]) != 0) | (np.diff(index, axis=1, prepend=index[:, :1]) != 0)
        picture[edge] = colour(random, 0, 90)
    draw = Canvas(shape, 0, True)
    for _ in range(random.integers(2, 12)):
        draw("line", curve(random, shape), fill=(255, 255, 255), width=random.uniform(1, 5))
    cover = draw.picture()[..., :1] / 255.0
    return levels((1 - cover) * picture + cover * np.array(colour(random, 150)))
