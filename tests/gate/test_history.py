"""What the pixels tell of earlier compressions."""

import numpy as np
import pytest

from sonic_nodes.gate.check import evidence_of_picture
from sonic_nodes.gate.findings import history_quality
from tests.oracles.jpegs import decoded, jpeg


def read(picture):
    return history_quality(evidence_of_picture(picture))[0]


def test_a_picture_that_was_never_a_jpeg_shows_none(clean):
    evidence = evidence_of_picture(clean)
    assert evidence["lattice_quality"] == evidence["coarsest_quality"] == evidence["custom_quality"] == 0
    assert evidence["grid_strength"] < 0.2


@pytest.mark.parametrize("quality", [20, 30, 40, 50, 60, 70, 80])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_quality_is_read_from_the_pixels(saved, quality, subsampling):
    assert abs(read(saved(quality, subsampling=subsampling)) - quality) <= 2


@pytest.mark.parametrize(("top", "left"), [(0, 0), (3, 5), (7, 1)])
def test_the_grid_is_found_wherever_a_crop_puts_it(saved, top, left):
    evidence = evidence_of_picture(saved(40)[top:, left:])
    assert evidence["lattice_phase"] == (-top % 8) * 8 + -left % 8


@pytest.mark.parametrize("turn", [np.rot90, np.fliplr, np.transpose])
def test_turned_and_mirrored_pictures_show_the_same_quality(saved, turn):
    picture = saved(40)
    turned = picture.transpose(1, 0, 2) if turn is np.transpose else turn(picture)
    assert abs(read(turned) - 40) <= 2


@pytest.mark.parametrize("later", [75, 85, 95])
def test_a_coarse_compression_shows_under_a_finer_one(saved, later):
    assert abs(read(decoded(jpeg(saved(40), later))) - 40) <= 2


def test_a_coarse_compression_shows_under_a_finer_one_on_another_grid(saved):
    assert abs(read(decoded(jpeg(np.ascontiguousarray(saved(40)[2:, 5:]), 90))) - 40) <= 2


def test_a_fine_compression_after_a_fine_one_is_not_called_coarse(saved):
    assert read(decoded(jpeg(saved(90), 95))) >= 85


def test_tables_of_other_programs_are_read(clean):
    tables = [[24] * 64, [24] * 64]
    evidence = evidence_of_picture(decoded(jpeg(clean, None, qtables=tables)))
    assert evidence["custom_modes"] >= 8
    assert 15 <= evidence["custom_quality"] <= 40


@pytest.mark.parametrize("shape", [(16, 16, 3), (17, 300, 3), (64, 63, 3)])
def test_small_and_odd_sizes(shape):
    picture = np.random.default_rng(1).integers(0, 255, shape, np.uint8)
    assert evidence_of_picture(picture)["lattice_quality"] == 0


def test_regular_patterns_are_no_table(saved):
    """They put coefficients on multiples at every position of the grid alike; a coarse table empties them at one."""
    evidence = evidence_of_picture(saved(40))
    assert evidence["grid_emptied"] > 0.05
    assert history_quality(evidence)[0] > 0
    assert history_quality(evidence | {"grid_emptied": 0.0})[0] == 0
