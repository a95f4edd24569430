"""What covers a mouth, painted onto a portrait: masks, a hand, a microphone, a cup and more, with known ground truth.

Every cover takes its place and size from the face's mesh and its light from the picture; colours and patterns are
drawn at random. Hands are made of the face's own skin, the hardest case for a detector that looks at colours.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from sonic_nodes.face import LANDMARKS

OVAL = LANDMARKS["face_oval"]
JAW = OVAL[9:28]  # from below one ear along the chin to below the other


class Place:
    """Sizes of a face, pixels, and its axes in the picture."""

    def __init__(self, mesh: np.ndarray):
        points = mesh[:, :2].astype(float)
        eyes = [points[list(LANDMARKS[f"eye_{side}"])].mean(0) for side in ("left", "right")]
        self.points, self.right = points, (eyes[1] - eyes[0]) / np.linalg.norm(eyes[1] - eyes[0])
        self.down = np.array([-self.right[1], self.right[0]])
        self.width = float(np.ptp(points @ self.right))
        self.mouth = points[list(LANDMARKS["lips_outer"])].mean(0)

    def at(self, x: float, y: float) -> np.ndarray:
        """A point beside the mouth: x to the right, y down, in widths of the face."""
        return self.mouth + self.width * (x * self.right + y * self.down)

    def outline(self, points) -> list[tuple[float, float]]:
        return [tuple(self.at(x, y)) for x, y in points]

    def ring(self, x: float, y: float, width: float, height: float, tilt: float = 0.0) -> list[tuple[float, float]]:
        """An ellipse of half axes `width` and `height`."""
        t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        a, b = width * np.cos(t), height * np.sin(t)
        turned = np.c_[x + a * np.cos(tilt) - b * np.sin(tilt), y + a * np.sin(tilt) + b * np.cos(tilt)]
        return self.outline(turned)


def mask_outline(place: Place, random) -> list[tuple[float, float]]:
    """From the middle of the nose along the cheeks to below the chin."""
    jaw = [tuple(place.points[i] + place.width * 0.04 * place.down) for i in JAW]
    top = random.uniform(0.26, 0.36)
    return [*jaw, *place.outline([(-0.3, -top + 0.08), (-0.1, -top), (0.1, -top), (0.3, -top + 0.08)])]


def painted(picture: np.ndarray, outlines, colours: np.ndarray, softness: float) -> np.ndarray:
    """The picture with `colours` [H, W, 3] inside the outlines, soft at their edges by `softness` pixels."""
    area = Image.new("L", picture.shape[1::-1])
    for outline in outlines:
        ImageDraw.Draw(area).polygon(outline, fill=255)
    share = np.asarray(area.filter(ImageFilter.GaussianBlur(softness)), float)[..., None] / 255
    return np.clip(np.rint(picture * (1 - share) + colours * share), 0, 255).astype(np.uint8)


def blurred(picture: np.ndarray, radius: float) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius)), float)


def lit(picture: np.ndarray, place: Place, colour, random, depth: float = 0.6) -> np.ndarray:
    """A colour in the light of the picture (its blurred luma), with grain: [H, W, 3]."""
    light = blurred(picture, 0.12 * place.width) @ [0.299, 0.587, 0.114]
    light = 1 - depth + depth * light / max(np.percentile(light, 90), 1)
    grain = random.normal(0, random.uniform(1, 4), picture.shape[:2])
    return np.asarray(colour, float) * light[..., None] + grain[..., None]


def axes(picture: np.ndarray, place: Place) -> tuple[np.ndarray, np.ndarray]:
    """x, y of each pixel beside the mouth, in widths of the face."""
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    beside = np.stack([columns, rows], -1) - place.mouth
    return beside @ place.right / place.width, beside @ place.down / place.width


def patterned(picture: np.ndarray, place: Place, colours: np.ndarray, random) -> np.ndarray:
    """Colours with stripes, dots, checks or blotches of another colour."""
    x, y = axes(picture, place)
    pitch, turn = random.uniform(0.05, 0.16), random.uniform(0, np.pi)
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    kind = random.integers(4)
    if kind == 0:
        second = np.sin(2 * np.pi * u / pitch) > 0
    elif kind == 1:
        second = (u % pitch - pitch / 2) ** 2 + (v % pitch - pitch / 2) ** 2 < (0.3 * pitch) ** 2
    elif kind == 2:
        second = (np.sin(2 * np.pi * u / pitch) > 0) ^ (np.sin(2 * np.pi * v / pitch) > 0)
    else:
        second = blurred(random.integers(0, 256, picture.shape, np.uint8), 0.25 * pitch * place.width)[..., 0] > 128
    return np.where(second[..., None], lit(picture, place, random.uniform(0, 255, 3), random), colours)


def pleated(picture: np.ndarray, place: Place, colours: np.ndarray, random) -> np.ndarray:
    """Darker folds across, as surgical masks have."""
    _, y = axes(picture, place)
    fold = np.abs((y / random.uniform(0.09, 0.13)) % 1 - 0.5) < 0.06
    return colours * np.where(fold, random.uniform(0.8, 0.95), 1)[..., None]


def surgical_mask(picture, place, random):
    colour = np.array([(120, 180, 220), (240, 242, 245), (150, 205, 190), (170, 200, 225)][random.integers(4)])
    colours = lit(picture, place, colour + random.normal(0, 12, 3), random)
    return painted(picture, [mask_outline(place, random)], pleated(picture, place, colours, random), 1)


def plain_mask(picture, place, random):
    """Of one flat colour, as in a drawing."""
    flat = np.broadcast_to(random.uniform(0, 255, 3), picture.shape)
    return painted(picture, [mask_outline(place, random)], flat, 0.5)


def black_mask(picture, place, random):
    colours = lit(picture, place, random.uniform(15, 60) + random.normal(0, 4, 3), random)
    return painted(picture, [mask_outline(place, random)], colours, 1)


def cloth_mask(picture, place, random):
    colours = patterned(picture, place, lit(picture, place, random.uniform(0, 255, 3), random), random)
    return painted(picture, [mask_outline(place, random)], colours, 1)


def skin_of(picture, place) -> np.ndarray:
    """The median colour of the upper cheeks."""
    points = np.rint(place.points[list(LANDMARKS["cheeks"])]).astype(int)
    inside = np.clip(points, 0, np.array(picture.shape[1::-1]) - 1)
    return np.median(picture[inside[:, 1], inside[:, 0]], 0)


def skin_mask(picture, place, random):
    """A mask of about the colour of the skin."""
    colours = lit(picture, place, skin_of(picture, place) * random.uniform(0.85, 1.2) + random.normal(0, 8, 3), random)
    return painted(picture, [mask_outline(place, random)], pleated(picture, place, colours, random), 1)


def hand(picture, place, random):
    """Three or four fingers across the mouth, of the face's skin, with dark gaps between them."""
    skin, out, tilt = skin_of(picture, place) * random.uniform(0.75, 1.1), picture, random.uniform(-0.5, 0.5)
    gap = np.broadcast_to(skin * 0.5, picture.shape)
    out = painted(out, [place.ring(0, 0.04, 0.42, 0.22, tilt)], gap, 2)
    for i in range(4):
        offset = -0.13 + 0.1 * i
        finger = place.ring(-offset * np.sin(tilt), offset * np.cos(tilt) + 0.03, 0.42, 0.047, tilt)
        out = painted(out, [finger], lit(picture, place, skin * random.uniform(0.92, 1.08), random), 1.5)
    return out


def microphone(picture, place, random):
    colours = lit(picture, place, random.uniform(20, 90) + random.normal(0, 5, 3), random)
    x, y = axes(picture, place)
    mesh = (np.sin(2 * np.pi * (x + y) / 0.03) > 0.6) | (np.sin(2 * np.pi * (x - y) / 0.03) > 0.6)
    colours = np.where(mesh[..., None], colours * 1.6 + 15, colours)
    side = random.choice([-1, 1])
    head = place.ring(0.04 * side, 0.06, random.uniform(0.2, 0.26), random.uniform(0.16, 0.22))
    handle = place.outline([(0.1 * side, 0.1), (0.22 * side, 0.04), (0.6 * side, 0.8), (0.45 * side, 0.85)])
    return painted(picture, [handle, head], colours, 1)


def cup(picture, place, random):
    colour = [(245, 245, 240), (200, 60, 50), (60, 90, 160), (120, 80, 50)][random.integers(4)]
    x, _ = axes(picture, place)
    colours = lit(picture, place, colour, random) * (1 - 0.6 * np.clip(np.abs(x) / 0.35, 0, 1) ** 2)[..., None]
    return painted(picture, [place.outline([(-0.3, -0.14), (0.3, -0.14), (0.25, 0.4), (-0.25, 0.4)])], colours, 1)


def scarf(picture, place, random):
    colours = patterned(picture, place, lit(picture, place, random.uniform(0, 255, 3), random), random)
    _, y = axes(picture, place)
    colours = colours * (1 - 0.25 * (np.sin(2 * np.pi * y / 0.17) > 0.7))[..., None]
    outline = [(-0.65, -0.15), (-0.3, -0.2), (0, -0.13), (0.3, -0.2), (0.65, -0.15), (0.7, 0.7), (-0.7, 0.7)]
    return painted(picture, [place.outline(outline)], colours, 1)


def ellipse(picture, place, random):
    flat = np.broadcast_to(random.uniform(0, 255, 3), picture.shape)
    return painted(picture, [place.ring(0, 0.02, random.uniform(0.22, 0.35), random.uniform(0.12, 0.2))], flat, 0.5)


def bar(picture, place, random):
    shade = np.broadcast_to(random.choice([0.0, 255.0, 128.0]), picture.shape)
    half = random.uniform(0.1, 0.16)
    return painted(picture, [place.outline([(-0.6, -half), (0.6, -half), (0.6, half), (-0.6, half)])], shade, 0.5)


MASKS: dict[str, Callable] = {
    "surgical mask": surgical_mask,
    "plain mask": plain_mask,
    "black mask": black_mask,
    "cloth mask": cloth_mask,
    "skin-coloured mask": skin_mask,
}
THINGS: dict[str, Callable] = {
    "hand": hand,
    "microphone": microphone,
    "cup": cup,
    "scarf": scarf,
    "ellipse": ellipse,
    "bar": bar,
}
COVERS = MASKS | THINGS


def covered(picture: np.ndarray, mesh: np.ndarray, kind: str, seed: int) -> np.ndarray:
    """picture u8 [H, W, 3] with a cover of COVERS over the mouth of the face `mesh` [468, 3]."""
    place, size = Place(mesh), np.array(picture.shape[1::-1])
    x0, y0 = np.clip(place.mouth - 1.2 * place.width, 0, size - 1).astype(int)
    x1, y1 = np.clip(place.mouth + 1.2 * place.width, 1, size).astype(int)
    out, near = picture.copy(), Place(mesh - np.float32([x0, y0, 0]))
    out[y0:y1, x0:x1] = COVERS[kind](picture[y0:y1, x0:x1], near, np.random.default_rng(seed))
    return out
