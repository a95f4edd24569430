"""Pictures that never were JPEGs are left as they are."""

import numpy as np
import pytest

from sonic_nodes.gate.repair import repair_picture
from tests.oracles.drawn import KINDS


@pytest.mark.parametrize("kind", ["gradient", "tiles", "checkers and grids", "screentone", "pixel art"])
def test_a_drawing_is_not_repaired(kind):
    picture = KINDS[kind](np.random.default_rng(35), False)[:256, :256]
    repaired, report = repair_picture(picture)
    assert not report.repaired and np.array_equal(repaired, picture)
    assert "no JPEG compression" in report.reason
