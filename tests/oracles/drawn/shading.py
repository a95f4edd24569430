"""Smooth shading: gradients, ray-traced scenes, a portrait of ellipsoids."""

from __future__ import annotations

import numpy as np

from .canvas import chance, colour, levels, ordered, palette, size


def ramp(random: np.random.Generator, shape: tuple[int, int], held_out: bool) -> np.ndarray:
    """0..1 [H, W]: linear, radial, conic or diamond."""
    y, x = (np.mgrid[: shape[0], : shape[1]] + 0.5) / max(shape)
    kind = random.integers(0, 5 if held_out else 3)
    at_x, at_y = (
        random.uniform(0.1, 0.6, 2) if chance(random) else (0.5 * shape[1] / max(shape), 0.5 * shape[0] / max(shape))
    )
    if kind == 0:
        angle = random.choice([0, 0.5, 0.25, random.uniform(0, 2)]) * np.pi
        value = x * np.cos(angle) + y * np.sin(angle)
    elif kind == 1:
        value = np.hypot(x - at_x, y - at_y)
    elif kind == 2:
        value = np.arctan2(y - at_y, x - at_x)
    elif kind == 3:
        value = np.abs(x - at_x) + np.abs(y - at_y)
    else:
        value = np.maximum(np.abs(x - at_x), np.abs(y - at_y)) ** 2
    value = (value - value.min()) / (value.max() - value.min())
    return value ** random.uniform(0.6, 1.6) if held_out and chance(random) else value


def coloured_ramp(random: np.random.Generator, held_out: bool) -> np.ndarray:
    """Floats 0..255 [H, W, 3] between two to five colours."""
    value = ramp(random, size(random, held_out), held_out)
    stops = random.integers(2, 6 if held_out else 4)
    ends = palette(random, stops).astype(float)
    if chance(random, 0.3):
        ends = ends.mean(1, keepdims=True).repeat(3, 1)
    places = np.linspace(0, 1, stops)
    return np.stack([np.interp(value, places, ends[:, c]) for c in range(3)], 2)


def gradient(random: np.random.Generator, held_out: bool) -> np.ndarray:
    return levels(coloured_ramp(random, held_out))


def dithered_gradient(random: np.random.Generator, held_out: bool) -> np.ndarray:
    picture = coloured_ramp(random, held_out)
    kind = random.integers(0, 4)
    if kind == 0:
        return levels(picture + random.uniform(-0.5, 0.5, picture.shape))
    if kind == 1:
        return levels(picture + random.normal(0, random.uniform(0.5, 2), picture.shape[:2])[..., None])
    steps = float(random.choice([1, 3, 10] if held_out else [1, 2, 8]))
    return levels(ordered(picture, steps, int(random.integers(1, 4))))


def banded_gradient(random: np.random.Generator, held_out: bool) -> np.ndarray:
    """Few levels: 5-6-5 bits, posterised, or bands of equal width."""
    picture = coloured_ramp(random, held_out)
    if chance(random, 0.3):
        return levels(np.stack([np.rint(picture[..., c] / 255 * n) / n * 255 for c, n in enumerate((31, 63, 31))], 2))
    step = random.uniform(6, 40) if held_out else random.choice([4, 8, 12, 16, 32])
    return levels(np.rint(picture / step) * step)


def portrait(random: np.random.Generator, held_out: bool) -> np.ndarray:
    """A head of shaded ellipsoids in front of a gradient: no noise, no texture."""
    shape = size(random, held_out)
    y, x = np.mgrid[: shape[0], : shape[1]]
    picture = np.ones((*shape, 1)) * colour(random)
    picture = picture * (0.6 + 0.4 * (y / shape[0]))[..., None]
    unit, light = min(shape), random.normal(0, 0.5, 2)
    middle = np.array([shape[1], shape[0]]) / 2 + random.uniform(-0.05, 0.05, 2) * unit
    skin, hair = colour(random, 120, 250), colour(random, 10, 140)
    parts = [((0, 0.45), (0.42, 0.2), colour(random)), ((0, -0.1), (0.27, 0.36), hair), ((0, 0), (0.23, 0.3), skin)]
    parts += [((side * 0.09, -0.05), (0.045, 0.025), (240, 240, 240)) for side in (-1, 1)]
    parts += [((side * 0.09, -0.05), (0.018, 0.018), colour(random, 0, 90)) for side in (-1, 1)]
    parts += [((0, 0.04), (0.03, 0.06), skin), ((0, 0.14), (0.08, 0.025), colour(random, 90, 200))]
    sharp = random.uniform(0.6, 2.5) if held_out else 1.0
    for (u, v), (a, b), fill in parts:
        px, py = (x - middle[0] - u * unit) / (a * unit), (y - middle[1] - v * unit) / (b * unit)
        square = px**2 + py**2
        height = np.sqrt(np.clip(1 - square, 0, 1))
        shade = np.clip(0.35 + 0.65 * (px * light[0] + py * light[1] + height) / np.hypot(1, np.hypot(*light)), 0.15, 1)
        cover = np.clip((1 - np.sqrt(square)) * min(a, b) * unit * sharp + 0.5, 0, 1)[..., None]
        picture = (1 - cover) * picture + cover * shade[..., None] * fill
    return levels(picture)


def render(random: np.random.Generator, held_out: bool) -> np.ndarray:
    """Spheres on a chequered or plain floor under a sky, ray traced, four samples a pixel or one."""
    shape = size(random, held_out)
    over = 1 if chance(random, 0.4) else 2
    y, x = np.mgrid[: shape[0] * over, : shape[1] * over]
    unit = min(shape) * over
    direction = np.stack(
        [(x + 0.5 - shape[1] * over / 2) / unit, (shape[0] * over / 2 - y - 0.5) / unit, np.ones(x.shape)], 2
    )
    direction /= np.linalg.norm(direction, axis=2, keepdims=True)
    sun = np.array([random.uniform(-1, 1), random.uniform(0.5, 1.5), -1.0])
    sun /= np.linalg.norm(sun)
    sky = np.array(colour(random, 60), float) * (0.6 + 0.4 * np.clip(direction[..., 1:2] + 0.5, 0, 1))
    picture, depth = floor(random, direction, sky, held_out)
    for _ in range(random.integers(1, 9 if held_out else 5)):
        add_sphere(random, picture, depth, direction, sun)
    picture = picture.reshape(shape[0], over, shape[1], over, 3).mean((1, 3))
    return levels(255 * (picture / 255) ** (1 / 2.2) if held_out else picture)


def floor(random, direction, sky, held_out):
    """(picture, depth) of a floor one unit below the eye."""
    down = direction[..., 1]
    with np.errstate(divide="ignore"):
        depth = np.where(down < -1e-3, -1 / down, np.inf)
    near = np.where(np.isfinite(depth), depth, 0)
    u, v = direction[..., 0] * near, direction[..., 2] * near
    cell = random.uniform(0.3, 1.5)
    pattern = np.floor(u / cell) + np.floor(v / cell)
    odd = (pattern % 2 if not held_out or chance(random) else np.floor(u / cell) % 3 > 0)[..., None] > 0
    tone = np.where(odd, colour(random), colour(random)) if chance(random, 0.7) else np.array(colour(random))
    fog = np.exp(-near / 12)[..., None]
    return np.where(np.isfinite(depth)[..., None], fog * tone + (1 - fog) * sky, sky), depth


def add_sphere(random, picture, depth, direction, sun) -> None:
    centre = np.array([random.uniform(-1.2, 1.2), random.uniform(-0.8, 0.6), random.uniform(2, 5)])
    radius, fill = random.uniform(0.2, 0.9), np.array(colour(random), float)
    along = direction @ centre
    root = along**2 - centre @ centre + radius**2
    distance = along - np.sqrt(np.clip(root, 0, None))
    hit = (root > 0) & (distance > 0) & (distance < depth)
    normal = (distance[hit, None] * direction[hit] - centre) / radius
    diffuse = np.clip(normal @ sun, 0, 1)
    half = sun - direction[hit]
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    gloss = np.clip((normal * half).sum(1), 0, 1) ** random.uniform(10, 80)
    picture[hit] = np.clip((0.15 + 0.85 * diffuse)[:, None] * fill + 180 * gloss[:, None], 0, 255)
    depth[hit] = distance[hit]
