"""Compression history from the pixels: csrc/gate/history.h."""

import numpy as np
import pytest

from sonic_nodes.gate.check import evidence_of_picture
from sonic_nodes.gate.history import history_quality
from tests.oracles.jpegs import decoded, jpeg


def read(picture):
    return history_quality(evidence_of_picture(picture))[0]


def test_a_picture_that_was_never_a_jpeg_has_no_history(clean):
    evidence = evidence_of_picture(clean)
    assert evidence["lattice_quality"] == evidence["coarsest_quality"] == evidence["custom_quality"] == 0
    assert evidence["grid_strength"] < 0.2


@pytest.mark.parametrize("quality", [20, 30, 40, 50, 60, 70, 80])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_quality_is_read_from_the_pixels(saved, quality, subsampling):
    assert abs(read(saved(quality, subsampling=subsampling)) - quality) <= 2


@pytest.mark.parametrize(("top", "left"), [(0, 0), (3, 5), (7, 1)])
def test_the_grid_offset_is_found_after_a_crop(saved, top, left):
    evidence = evidence_of_picture(saved(40)[top:, left:])
    assert evidence["lattice_phase"] == (-top % 8) * 8 + -left % 8


@pytest.mark.parametrize("transform", [np.rot90, np.fliplr, np.transpose])
def test_rotated_and_mirrored_pictures_show_the_same_quality(saved, transform):
    picture = saved(40)
    changed = picture.transpose(1, 0, 2) if transform is np.transpose else transform(picture)
    assert abs(read(changed) - 40) <= 2


@pytest.mark.parametrize("later", [75, 85, 95])
def test_a_coarse_compression_is_found_below_a_finer_one(saved, later):
    assert abs(read(decoded(jpeg(saved(40), later))) - 40) <= 2


def test_a_coarse_compression_is_found_below_a_finer_one_on_another_grid(saved):
    assert abs(read(decoded(jpeg(np.ascontiguousarray(saved(40)[2:, 5:]), 90))) - 40) <= 2


def test_a_fine_compression_after_a_fine_one_is_not_called_coarse(saved):
    assert read(decoded(jpeg(saved(90), 95))) >= 85


def test_custom_tables_are_read(clean):
    tables = [[24] * 64, [24] * 64]
    evidence = evidence_of_picture(decoded(jpeg(clean, None, qtables=tables)))
    assert evidence["custom_modes"] >= 8
    assert 15 <= evidence["custom_quality"] <= 40


@pytest.mark.parametrize("shape", [(16, 16, 3), (17, 300, 3), (64, 63, 3)])
def test_small_and_odd_sizes(shape):
    picture = np.random.default_rng(1).integers(0, 255, shape, np.uint8)
    assert evidence_of_picture(picture)["lattice_quality"] == 0


def test_periodic_patterns_are_no_table(saved):
    """They put coefficients on multiples at every grid offset; a coarse table zeroes them at one offset."""
    evidence = evidence_of_picture(saved(40))
    assert evidence["grid_emptied"] > 0.05
    assert history_quality(evidence)[0] > 0
    assert history_quality(evidence | {"grid_emptied": 0.0})[0] == 0
