"""The face track of a clip: smoothed without delay, short gaps filled, long ones refused with their second."""

import numpy as np
import pytest

from sonic_nodes.extension.native import _sonic
from sonic_nodes.face import LANDMARKS
from tests.oracles import faces

SIZE = 256
MESH = faces.drawn_mesh(SIZE, SIZE)
NOSE, CHIN = LANDMARKS["nose_base"], LANDMARKS["chin"]


def moved(offsets):
    """Meshes [n, 468, 3] moved by offsets [n, 2] px."""
    meshes = np.repeat(MESH[None], len(offsets), 0)
    meshes[:, :, :2] += np.asarray(offsets, np.float32)[:, None]
    return meshes


def finished(meshes, times_s=None, scenes=None, size=SIZE):
    count = len(meshes)
    times_s = np.arange(count) / 25 if times_s is None else np.asarray(times_s, np.float64)
    scenes = np.zeros(count, np.int32) if scenes is None else np.asarray(scenes, np.int32)
    out = np.array(meshes, np.float32)
    return out, _sonic.dub_track(out, times_s, scenes, size, size, float(times_s[-1]) + 0.04)


@pytest.mark.parametrize("steps", ["even", "uneven"])
def test_position_speed_and_acceleration_are_kept(steps):
    rng = np.random.default_rng(0)
    times_s = np.cumsum(np.full(60, 0.04) if steps == "even" else rng.uniform(0.02, 0.06, 60))
    offsets = np.stack([12 * times_s - 20, 5 * times_s**2 - 3 * times_s], 1)
    out, _ = finished(moved(offsets), times_s)
    away = np.abs(out - moved(offsets)).max(-1)
    assert away[:, NOSE].max() < 1e-3
    assert away.max() < 0.02, "the mouth's window may have too few frames for a parabola"


def test_jitter_is_reduced_and_less_at_the_mouth():
    rng = np.random.default_rng(1)
    out, _ = finished(moved(rng.normal(0, 1, (400, 2))))
    left = (out - MESH)[20:-20, :, 0].std(0)
    assert left[NOSE] < 0.6 and left[NOSE] < left[CHIN] < 0.9


def test_it_does_not_look_across_a_cut():
    offsets = np.repeat([[-20, 0], [20, 0]], 30, 0)
    out, _ = finished(moved(offsets), scenes=np.repeat([0, 1], 30))
    assert np.abs(out - moved(offsets)).max() < 1e-3


def test_a_long_clip_is_smoothed_as_its_parts_are():
    offsets = np.random.default_rng(2).normal(0, 1, (700, 2))
    whole, part = finished(moved(offsets))[0], finished(moved(offsets[300:400]))[0]
    assert np.allclose(whole[320:380], part[20:80], atol=1e-4)


@pytest.mark.parametrize(("first", "last"), [(0, 12), (20, 32), (48, 60)])
def test_a_gap_of_half_a_second_is_filled(first, last):
    offsets = np.stack([np.linspace(-10, 10, 60), np.zeros(60)], 1)
    meshes = moved(offsets)
    meshes[first:last] = np.nan
    out, _ = finished(meshes)
    assert np.isfinite(out).all()
    if 0 < first and last < 60:
        assert np.abs(out - moved(offsets)).max() < 0.05


@pytest.mark.parametrize(("first", "last", "second"), [(0, 14, "0.00"), (30, 44, "1.20"), (46, 60, "1.84")])
def test_a_longer_gap_is_refused_with_its_second(first, last, second):
    meshes = moved(np.zeros((60, 2)))
    meshes[first:last] = np.nan
    with pytest.raises(ValueError, match=rf"^Cut the clip there, .* from {second} s on there is no face .* 0\.56 s"):
        finished(meshes)


def test_a_scene_without_a_face_is_refused():
    meshes = moved(np.zeros((60, 2)))
    meshes[20:25] = np.nan
    with pytest.raises(ValueError, match="^Cut the clip there.* from 0.80 s on there is no face"):
        finished(meshes, scenes=[0] * 20 + [1] * 5 + [2] * 35)


def test_a_mesh_that_cannot_be_animated_counts_as_no_face():
    meshes = moved(np.zeros((30, 2)))
    meshes[10:13, :, 0] = SIZE / 2  # no width
    out, _ = finished(meshes)
    assert np.abs(out - MESH).max() < 1e-3
    with pytest.raises(ValueError, match="^Cut the clip there"):
        finished(moved([[3 * SIZE, 0]] * 30))


def test_the_mouth_at_rest_is_the_median_width():
    meshes = moved(np.zeros((31, 2)))
    middle, wide = SIZE / 2, slice(0, 10)
    corners = [LANDMARKS["mouth_left"], LANDMARKS["mouth_right"]]
    meshes[wide][:, corners, 0] = middle + 1.3 * (meshes[wide][:, corners, 0] - middle)
    assert finished(meshes)[1] == pytest.approx(0.34, abs=1e-3)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((np.zeros((3, 467, 3), np.float32), np.zeros(3), np.zeros(3, np.int32)), r"^Give meshes as \[3, 468, 3\]"),
        ((np.zeros((3, 468, 3), np.float32), np.zeros(3), np.zeros(2, np.int32)), "^Give as many scenes as times"),
    ],
)
def test_wrong_shapes(arguments, text):
    with pytest.raises(ValueError, match=text):
        _sonic.dub_track(*arguments, SIZE, SIZE, 1.0)
