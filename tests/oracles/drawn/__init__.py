"""Pictures that were never compressed nor enlarged: drawings, renders, gradients, screenshots, patterns.

Each kind draws from a random generator and has two ranges of its parameters: those of the pictures that the gate's
limits were chosen on, and others (`held_out`), with further algorithms, that only check them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from . import documents, drawings, patterns, shading

KINDS = {
    "gradient": shading.gradient,
    "dithered gradient": shading.dithered_gradient,
    "banded gradient": shading.banded_gradient,
    "render": shading.render,
    "CGI portrait": shading.portrait,
    "vector drawing": drawings.vector,
    "cartoon": drawings.cartoon,
    "pixel art": drawings.pixel_art,
    "line drawing": drawings.lines,
    "map": drawings.chart_of_land,
    "screenshot": documents.screenshot,
    "chart": documents.chart,
    "text page": documents.page,
    "screentone": patterns.screentone,
    "tiles": patterns.tiles,
    "checkers and grids": patterns.grid,
    "few colours": patterns.few_colours,
}


def pictures(seed: int, count: int, held_out: bool = False) -> Iterator[tuple[str, np.ndarray]]:
    """(kind, picture u8 [H, W, 3]), `count` of each kind; the same seed gives the same pictures."""
    for number, (kind, make) in enumerate(KINDS.items()):
        for index in range(count):
            yield kind, make(np.random.default_rng([seed, number, index]), held_out)
