"""History is claimed only where it can be told: drawings, gradients and patterns have none."""

import itertools

import numpy as np
import pytest

from sonic_nodes.gate.check import check_picture, evidence_of_picture
from sonic_nodes.gate.history import (
    BLOCKS_FOR,
    blocks_contrast,
    confidence,
    grid_contrast,
    history_quality,
    is_drawn,
    is_repeated,
)
from sonic_nodes.gate.messages import lines, refusal
from tests.oracles import gate_variants
from tests.oracles.drawn import KINDS, pictures
from tests.oracles.jpegs import decoded, jpeg

HISTORY = {"jpeg_container", "jpeg_history", "jpeg_region", "post_processed_jpeg", "duplicated_pixels"}
SOFT = {"blur", "motion"}


def names(verdict):
    return {reason["name"] for reason in verdict["reasons"]}


@pytest.mark.parametrize(("seed", "held_out"), [(31, False), (32, True)])
def test_pictures_without_a_history_get_none(seed, held_out):
    """A sample of bench/gate_drawn.py, with other seeds."""
    found = [(kind, check_picture(picture, "strict")) for kind, picture in pictures(seed, 1, held_out)]
    assert len(found) == len(KINDS)
    assert [kind for kind, v in found if names(v) & HISTORY or v["jpeg_quality"]] == []
    assert len([kind for kind, v in found if names(v) & SOFT]) <= 1


def shaded(make, **changes):
    return check_picture(np.broadcast_to(make, (*make.shape[:2], 3)).astype(np.uint8), "strict", **changes)


ROWS, COLUMNS = np.indices((264, 320))
DESIGNS = {
    "steps of one level at each eighth pixel": (40 + COLUMNS // 8 + ROWS // 8)[..., None],
    "a step at each second pixel, both ways": np.stack([COLUMNS // 2, ROWS // 2, 90 + 0 * ROWS], 2),
    "a pyramid": np.maximum(abs(COLUMNS - 160), abs(ROWS - 132))[..., None],
    "checkers of 8": (((ROWS // 8 + COLUMNS // 8) % 2) * 100 + 60)[..., None],
    "cells of 8 in random colours": np.random.default_rng(5).integers(20, 230, (33, 40, 3)).repeat(8, 0).repeat(8, 1),
    "rules at each 16th pixel": (200 - 90 * ((ROWS % 16 == 0) | (COLUMNS % 16 == 0)))[..., None],
    "waves of 8": (128 + 90 * np.cos(COLUMNS * np.pi / 4) * np.cos(ROWS * np.pi / 4))[..., None],
}


def cells(side, motifs):
    """Cells of flat patches, 3 x 3 each, drawn from a few motifs: their edges have periods, and no trace is left by a
    table."""
    random = np.random.default_rng(side)
    patches = random.integers(30, 220, (motifs, 3, 3, 3)).repeat(side // 3, 1).repeat(side // 3, 2)
    rows, columns = 264 // side + 1, 320 // side + 1
    picked = patches[random.integers(0, motifs, (rows, columns))]
    return picked.swapaxes(1, 2).reshape(rows * side, columns * side, 3)[:264, :320]


DESIGNS_OF_OTHER_PERIODS = {
    "cells of 12 in random colours": np.random.default_rng(6)
    .integers(20, 230, (22, 27, 3))
    .repeat(12, 0)
    .repeat(12, 1),
    "cells of 12 from 40 motifs": cells(12, 40),
    "cells of 9 from 300 motifs": cells(9, 300),
    "cells of 6 from 500 motifs": cells(6, 500),
}


@pytest.mark.parametrize("name", DESIGNS_OF_OTHER_PERIODS)
def test_designs_with_other_periods_are_no_resized_history(name):
    verdict = shaded(DESIGNS_OF_OTHER_PERIODS[name])
    assert grid_contrast(verdict["evidence"], "resized")
    assert not names(verdict) & (HISTORY | SOFT) and "undecided" in names(verdict)


# Coarse tables leave blocks flat, and what was done since moves their edges into the blocks of 8 pixels.
@pytest.mark.parametrize("quality", [5, 7, 9])
@pytest.mark.parametrize("scale", [0.72, 0.87, 1.15])
def test_coarse_compressions_do_not_pass_for_drawings_once_resized(saved, quality, scale):
    verdict = check_picture(gate_variants.resized(saved(quality), scale))
    assert "post_processed_jpeg" in names(verdict) and "undecided" not in names(verdict)
    assert abs(verdict["evidence"]["resized_period_px"] - 8 * scale) < 0.1


@pytest.mark.parametrize("change", [gate_variants.sharpened, gate_variants.blurred])
@pytest.mark.parametrize("quality", [3, 4])
def test_coarse_compressions_do_not_pass_for_drawings_once_edited(saved, quality, change):
    evidence = evidence_of_picture(change(saved(quality), 0.6))
    assert blocks_contrast(evidence, "grid") > 1 and not is_drawn(evidence)


def test_only_sharp_blocks_count_as_repeated():
    """Low frequencies repeat by chance after a coarse table."""
    wave = np.cos(COLUMNS * np.pi / 4) + np.cos(ROWS * np.pi / 4)
    smooth, sharp = (shaded((128 + 50 * levels)[..., None])["evidence"] for levels in (wave, np.sign(wave)))
    assert smooth["drawn_blocks"] == sharp["drawn_blocks"] == 512
    assert smooth["drawn_repeated"] == 0 and sharp["drawn_repeated"] > 0.5


@pytest.mark.parametrize("name", DESIGNS)
def test_designs_with_periods_are_no_history(name):
    verdict = shaded(DESIGNS[name])
    assert not names(verdict) & (HISTORY | SOFT) and verdict["jpeg_quality"] is None


def test_undecidable_traces_are_said_to_be_unsure_and_cost_nothing():
    verdict = shaded(DESIGNS["cells of 8 in random colours"])
    unsure = [reason for reason in verdict["reasons"] if reason["name"] == "undecided"]
    assert unsure and all(reason["verdict"] == "ok" for reason in unsure)
    assert unsure[-1]["advice"].startswith("Not sure whether the picture was enlarged by repeating pixels")
    assert verdict["verdict"] == "ok" and verdict["passed"]
    assert unsure[-1]["advice"] in lines(verdict)
    assert "Not sure" not in str(refusal(verdict, 99.0))


def drawn(kind):
    return KINDS[kind](np.random.default_rng(33), False)


@pytest.mark.parametrize(("kind", "quality"), [("render", 40), ("CGI portrait", 60), ("cartoon", 30)])
def test_compressed_drawings_still_show_their_quality(kind, quality):
    assert abs(history_quality(evidence_of_picture(decoded(jpeg(drawn(kind), quality))))[0] - quality) <= 4


@pytest.mark.parametrize(("kind", "factor"), [("render", 2), ("cartoon", 2)])
def test_enlarged_drawings_are_found(kind, factor):
    picture = drawn(kind)
    assert is_repeated(evidence_of_picture(picture.repeat(factor, 0).repeat(factor, 1)))
    assert not is_repeated(evidence_of_picture(picture))


def test_the_claim_says_what_it_looks_like_and_how_sure_that_is(saved):
    verdict = check_picture(saved(40))
    (reason,) = [r for r in verdict["reasons"] if r["name"] == "jpeg_history"]
    assert f"looks like JPEG quality 40 (confidence {100 * reason['confidence']:.0f} %)" in reason["advice"]
    assert 0.9 <= reason["confidence"] < 1


def test_confidence_rises_with_the_votes():
    votes = [
        {"x_for": supporting, "x_against": against}
        for supporting, against in itertools.product((BLOCKS_FOR, 40, 200), (20, 0))
    ]
    found = [confidence(v, "x") for v in votes]
    assert all(0.5 < value < 1 for value in found)
    assert found[0] < found[2] < found[4]


def test_a_table_without_the_support_of_blocks_does_not_count(saved):
    evidence = evidence_of_picture(saved(40))
    assert evidence["coarsest_blocks_for"] > 100
    none = {f"{name}_blocks_for": 0.0 for name in ("coarsest", "lattice", "custom")}
    assert history_quality(evidence)[0] == 40 and history_quality(evidence | none)[0] == 0
