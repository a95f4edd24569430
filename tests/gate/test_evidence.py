"""Evidence besides the tables: processed and resampled blocks, regions, sharpness, noise, exposure."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonic_nodes.errors import InputError
from sonic_nodes.gate import check
from sonic_nodes.gate.check import evidence_of_picture, heat_map
from sonic_nodes.gate.findings import log_odds
from sonic_nodes.gate.history import grid_contrast
from sonic_nodes.gate.thresholds import LIMITS
from tests.oracles.jpegs import decoded, jpeg


def limit(name):
    return LIMITS[name].portrait[0]


@pytest.mark.parametrize(
    "alter",
    [
        lambda p: np.rint(255 * (p / 255.0) ** 0.8).astype(np.uint8),
        lambda p: cv2.GaussianBlur(p, (0, 0), 0.6),
        lambda p: cv2.addWeighted(p, 1.6, cv2.GaussianBlur(p, (0, 0), 1), -0.6, 0),
    ],
    ids=["gamma", "softened", "sharpened"],
)
def test_processed_blocks_show_their_quality(saved, alter):
    coarse, fine = (evidence_of_picture(alter(saved(quality))) for quality in (40, 92))
    assert grid_contrast(coarse, "grid") > 1
    assert coarse["grid_quality"] < limit("post_processed_jpeg") < fine["grid_quality"]


@pytest.mark.parametrize("scale", [0.75, 0.9, 1.25, 1.5, 2])
def test_resampled_blocks_are_found_at_their_period(clean, saved, scale):
    def resized(picture):
        return cv2.resize(
            picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        )

    coarse, fine, never = (evidence_of_picture(resized(picture)) for picture in (saved(40), saved(92), clean))
    assert coarse["resized_period_px"] == pytest.approx(8 * scale, abs=0.1)
    assert grid_contrast(coarse, "resized") > 0.5
    assert coarse["resized_quality"] < limit("post_processed_jpeg")
    assert not any(
        grid_contrast(good, "resized") and good["resized_quality"] <= limit("post_processed_jpeg")
        for good in (fine, never)
    )


def test_a_pasted_region_is_found_and_shown(clean, saved):
    picture = clean.copy()
    picture[67:301, 53:307] = saved(30)[67:301, 53:307]
    evidence, heat = evidence_of_picture(picture), heat_map(picture)
    assert abs(evidence["region_quality"] - 30) <= 2
    assert 0.05 < evidence["region_share"] < 0.4
    assert heat.shape == picture.shape[:2]
    assert heat[110:260, 100:260].mean() > 3 * heat[330:].mean() + 20


def test_a_clean_picture_has_no_region(clean):
    assert evidence_of_picture(clean)["region_quality"] == 0
    assert heat_map(clean).max() < 40


@pytest.mark.parametrize("shape", [(20, 20), (33, 300), (64, 31)])
def test_heat_maps_of_small_pictures_have_their_size(shape):
    assert heat_map(np.zeros((*shape, 3), np.uint8)).shape == shape


def test_missing_sharpness_is_detected(clean):
    small = cv2.resize(clean, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    blurred, enlarged = (
        cv2.GaussianBlur(clean, (0, 0), 2),
        cv2.resize(small, clean.shape[1::-1], interpolation=cv2.INTER_CUBIC),
    )
    sharp = log_odds("soft", evidence_of_picture(clean))
    assert sharp < 0
    assert all(log_odds("soft", evidence_of_picture(soft)) > sharp + 4 for soft in (blurred, enlarged))


def test_motion_blur_is_detected(clean):
    blurred = cv2.filter2D(clean, -1, np.full((1, 9), 1 / 9, np.float32))
    assert log_odds("motion", evidence_of_picture(blurred)) > log_odds("motion", evidence_of_picture(clean)) + 4


def test_the_face_counts_and_the_background_does_not(clean):
    x0, y0, x1, y1 = box = tuple(int(v) for v in check.largest_face(clean))
    mask = np.zeros(clean.shape[:2], np.float32)
    cv2.ellipse(mask, ((x0 + x1) // 2, (y0 + y1) // 2), ((x1 - x0) * 6 // 10, (y1 - y0) * 6 // 10), 0, 0, 360, 1, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 4)[..., None]
    soft = cv2.GaussianBlur(clean, (0, 0), 3)
    soft_face, soft_background = (np.rint(m * soft + (1 - m) * clean).astype(np.uint8) for m in (mask, 1 - mask))
    names = [
        [r["name"] for r in check.check_picture(p, face_box=box)["reasons"]]
        for p in (soft_face, soft_background, clean)
    ]
    assert "face_blur" in names[0]
    assert "face_blur" not in names[1] + names[2]


@pytest.mark.parametrize(("scale", "expected"), [(2, 0.45), (4, 0.7)])
def test_repeated_pixels_are_counted(clean, scale, expected):
    small = clean[::scale, ::scale]
    assert evidence_of_picture(small.repeat(scale, 0).repeat(scale, 1))["repeated_share"] > expected
    assert evidence_of_picture(clean)["repeated_share"] < 0.2


def test_noise_is_measured_in_levels(clean):
    flat = np.full((256, 256, 3), 128.0)
    noise = np.random.default_rng(1).normal(0, 6, (256, 256, 1))
    assert evidence_of_picture(np.rint(flat + noise).astype(np.uint8))["noise"] == pytest.approx(6, rel=0.15)


def test_exposure_equals_numpy(clean):
    evidence, luma = evidence_of_picture(clean), clean @ [0.299, 0.587, 0.114]
    assert evidence["luma_mean"] == pytest.approx(luma.mean(), abs=0.1)
    assert evidence["luma_deviation"] == pytest.approx(luma.std(), abs=0.1)
    assert evidence["dark_share"] == pytest.approx((np.rint(luma) <= 2).mean(), abs=1e-3)


@settings(max_examples=30, deadline=None)
@given(st.integers(16, 90), st.integers(16, 90), st.integers(0, 3))
def test_every_size_and_content_gives_finite_numbers(height, width, kind):
    random = np.random.default_rng(height * width + kind)
    picture = [
        np.zeros((height, width, 3)),
        np.full((height, width, 3), 255),
        random.integers(0, 256, (height, width, 3)),
        np.indices((height, width)).sum(0)[..., None].repeat(3, 2) % 2 * 255,
    ][kind].astype(np.uint8)
    evidence = evidence_of_picture(picture, face_box=(2, 2, width + 40, height))
    assert all(np.isfinite(value) for value in evidence.values())


def test_pictures_that_are_too_small_are_refused():
    with pytest.raises(InputError, match="^Choose a larger picture"):
        evidence_of_picture(np.zeros((15, 200, 3), np.uint8))


@pytest.mark.parametrize("scale", [0.9, 1.25])
def test_resampled_blocks_are_found_below_a_later_compression(saved, scale):
    def resaved(picture):
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        return decoded(jpeg(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=how), 85))

    coarse, fine = (evidence_of_picture(resaved(saved(quality))) for quality in (40, 92))
    assert coarse["resized_period_px"] == pytest.approx(8 * scale, abs=0.1)
    assert grid_contrast(coarse, "resized") > 0.1
    assert coarse["resized_quality"] < limit("post_processed_jpeg")
    assert not (grid_contrast(fine, "resized") and fine["resized_quality"] <= limit("post_processed_jpeg"))


def test_motion_blur_of_a_face_is_detected(clean):
    box = tuple(int(v) for v in check.largest_face(clean))
    blurred = cv2.filter2D(clean, -1, np.eye(9, dtype=np.float32) / 9)
    names = [[r["name"] for r in check.check_picture(p, face_box=box)["reasons"]] for p in (blurred, clean)]
    assert "face_motion" in names[0]
    assert "face_motion" not in names[1]
