"""Documents: screenshots, charts, pages of text."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from .canvas import Canvas, chance, colour, font, size, words


def written(image: Image.Image, at, text: str, px: float, fill) -> None:
    ImageDraw.Draw(image).text(tuple(float(v) for v in at), text, font=font(px), fill=fill)


def screenshot(random: np.random.Generator, held_out: bool) -> np.ndarray:
    """Windows with title bars, buttons, lists and text; positions on a grid of pixels as in programs."""
    shape = size(random, held_out)
    dark = chance(random, 0.4)
    image = Image.fromarray(np.full((*shape, 3), colour(random, 0, 60) if dark else colour(random, 170), np.uint8))
    draw, snap = ImageDraw.Draw(image), int(random.choice([1, 5, 6] if held_out else [1, 4, 8]))
    ink, panel = ((230,) * 3, colour(random, 30, 80)) if dark else ((20,) * 3, colour(random, 225))
    for _ in range(random.integers(1, 4)):
        x, y = (int(v) // snap * snap for v in random.uniform(0, 0.4, 2) * shape[::-1])
        w, h = (int(v) // snap * snap for v in random.uniform(0.4, 0.7, 2) * shape[::-1])
        draw.rectangle((x, y, x + w, y + h), fill=panel, outline=colour(random))
        draw.rectangle((x, y, x + w, y + 24), fill=colour(random))
        written(image, (x + 8, y + 4), words(random, 3), 12, ink)
        for row in range(y + 36, y + h - 20, int(random.choice([18, 22, 27] if held_out else [16, 20, 24]))):
            kind = random.integers(0, 4)
            if kind == 0:
                draw.rounded_rectangle((x + 10, row, x + 80, row + 15), 4, fill=colour(random), outline=ink)
                written(image, (x + 20, row), words(random, 1), 11, ink)
            elif kind == 1:
                draw.rectangle((x + 10, row, x + 20, row + 10), outline=ink)
                written(image, (x + 28, row - 2), words(random, 3), 11, ink)
            else:
                written(image, (x + 10, row), words(random, 5), random.choice([10, 11, 12, 13]), ink)
    return np.asarray(image).copy()


def chart(random: np.random.Generator, held_out: bool) -> np.ndarray:
    """Axes with bars, lines, points or sectors, with or without a grid and anti-aliasing."""
    shape = size(random, held_out)
    draw = Canvas(shape, (255, 255, 255) if chance(random, 0.7) else colour(random, 220), chance(random, 0.7))
    left, top, right, bottom = 40, 24, shape[1] - 16, shape[0] - 32
    if chance(random, 0.7):
        step = random.uniform(17, 60) if held_out else random.choice([16, 20, 24, 32, 40])
        for x in np.arange(left, right, step):
            draw("line", [(x, top), (x, bottom)], fill=(210,) * 3, width=1)
        for y in np.arange(top, bottom, step):
            draw("line", [(left, y), (right, y)], fill=(210,) * 3, width=1)
    count, kind = int(random.integers(4, 40 if held_out else 24)), random.integers(0, 4)
    x, fill = np.linspace(left, right, count, endpoint=False), colour(random)
    if kind == 0:
        for at in x:
            high = random.uniform(top, bottom - 2)
            draw("rectangle", [(at + 1, high), (at + 0.7 * (right - left) / count + 1, bottom)], fill=fill)
    elif kind == 1:
        for _ in range(random.integers(1, 5)):
            draw("line", np.stack([x, random.uniform(top, bottom, count)], 1), fill=colour(random), width=2)
    elif kind == 2:
        for _ in range(8 * count):
            at = random.uniform((left, top), (right, bottom))
            draw("ellipse", [at - 3, at + 3], fill=colour(random))
    else:
        middle, radius, ends = np.array([(left + right) / 2, (top + bottom) / 2]), 0.4 * min(shape), 0
        for _ in range(5):
            start, ends = ends, ends + random.uniform(20, 90)
            draw("pieslice", [middle - radius, middle + radius], start=start, end=ends, fill=colour(random))
    draw("line", [(left, top), (left, bottom), (right, bottom)], fill=(0, 0, 0), width=1)
    image = Image.fromarray(draw.picture())
    for k in range(6):
        written(image, (4, top + k * (bottom - top) / 6), f"{random.integers(0, 999)}", 11, (0, 0, 0))
        written(image, (left + k * (right - left) / 6, bottom + 6), words(random, 1), 11, (0, 0, 0))
    return np.asarray(image)


def page(random: np.random.Generator, held_out: bool) -> np.ndarray:
    """Lines of text in one or two columns."""
    shape = size(random, held_out)
    paper, ink = ((255,) * 3, (0,) * 3) if chance(random) else (colour(random, 200), colour(random, 0, 90))
    paper, ink = (ink, paper) if held_out and chance(random, 0.3) else (paper, ink)
    image = Image.fromarray(np.full((*shape, 3), paper, np.uint8))
    px = float(random.uniform(8, 26) if held_out else random.choice([10, 12, 14, 16, 20]))
    spacing = px * 1.5 if held_out else max(16, int(px * 1.4) // 8 * 8)
    columns = random.integers(1, 3)
    for column in range(columns):
        left, width = 16 + column * (shape[1] - 24) // columns, (shape[1] - 48) // columns
        for y in np.arange(16, shape[0] - px - 8, spacing):
            if random.random() < 0.92:
                text = words(random, 30)
                written(image, (left, y), text[: max(2, int(width / (0.55 * px)))], px, ink)
    return np.asarray(image)
