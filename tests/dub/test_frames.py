"""Frames with another mouth: what changes and what keeps its bits."""

import numpy as np
import pytest
import torch

from sonic_nodes import face
from sonic_nodes.extension.native import _sonic
from sonic_nodes.face import LANDMARKS
from tests.dub.clips import speaking_frames
from tests.oracles import faces

OPENING = 0
INNER = slice(LANDMARKS["lip_upper"], LANDMARKS["lip_lower"] + 1)


def poses(*openings):
    out = np.zeros((len(openings), 8), np.float32)
    out[:, OPENING] = openings
    return out


def drawn(frames, meshes, wanted, mouth_width=0.0):
    out = np.array(frames)
    _sonic.dub_frames(out, np.array(meshes, np.float32), wanted, mouth_width)
    return out


def gap_of(mesh):
    height = np.linalg.norm(mesh[LANDMARKS["forehead"]] - mesh[LANDMARKS["chin"]])
    return np.linalg.norm(mesh[LANDMARKS["lip_upper"]] - mesh[LANDMARKS["lip_lower"]]) / height


@pytest.fixture(scope="module")
def speaking():
    """(frames of the sample speaking, their meshes, the partings of the lips in face heights)"""
    frames = speaking_frames()[::4]
    meshes = np.stack([face.find_faces(frame, thorough=False)[0].mesh for frame in frames])
    return frames, meshes, np.array([gap_of(mesh) for mesh in meshes])


def read_gaps(frames):
    return np.array([gap_of(face.find_faces(frame, thorough=False)[0].mesh) for frame in frames])


def test_nothing_changes_above_the_nose_or_outside_the_head(speaking):
    frames, meshes, _ = speaking
    changed = (drawn(frames, meshes, poses(*[0.15] * len(frames))) != frames).any(-1)
    y, x = np.mgrid[: frames.shape[1], : frames.shape[2]]
    for mesh, where in zip(meshes, changed, strict=True):
        low, high = mesh[:, :2].min(0), mesh[:, :2].max(0)
        centre, half = (low + high) / 2, (high - low) / 2
        nose = mesh[LANDMARKS["nose_base"]]
        down = mesh[LANDMARKS["chin"], :2] - mesh[LANDMARKS["forehead"], :2]
        height = np.linalg.norm(down)
        below = ((x - nose[0]) * down[0] + (y - nose[1]) * down[1]) / height
        outside = ((x - centre[0]) / half[0]) ** 2 + ((y - centre[1]) / half[1]) ** 2 > 1.6
        assert where.any() and not where[below < -0.19 * height].any() and not where[outside].any()


def test_an_open_mouth_is_closed(speaking):
    frames, meshes, gaps = speaking
    is_open = gaps > 0.04
    assert is_open.sum() >= 5
    closed = read_gaps(drawn(frames, meshes, poses(*[0.0] * len(frames)))[is_open])
    assert closed.max() < 0.5 * gaps[is_open].max() and closed.mean() < 0.35 * gaps[is_open].mean()


def test_the_opening_of_the_pose_is_seen_whatever_the_frame_shows(speaking):
    frames, meshes, gaps = speaking
    wanted = np.tile([0.0, 0.06, 0.12, 0.03, 0.09], 10)[: len(frames)]
    read = read_gaps(drawn(frames, meshes, poses(*wanted)))
    r, before = np.corrcoef(wanted, read)[0, 1], np.corrcoef(wanted, gaps)[0, 1]
    print(f"opening: r {r:.2f}, before {before:.2f}; {read[wanted == 0].mean():.3f} read where 0 is wanted")
    assert r > 0.9 and abs(np.corrcoef(gaps, read)[0, 1]) < 0.4


def test_closed_lips_stay_as_they_are_at_rest():
    picture, mesh = faces.drawn_face(256, 256), faces.drawn_mesh(256, 256)
    assert np.array_equal(drawn(picture[None], mesh[None], poses(0.0), 0.34)[0], picture)


def test_blinks_and_head_motion_are_those_of_the_clip():
    picture, mesh = faces.drawn_face(256, 256), faces.drawn_mesh(256, 256)
    moving = poses(0.1)
    moving[:, 4:] = [1.0, 0.05, 0.05, 0.1]
    assert np.array_equal(drawn(picture[None], mesh[None], moving), drawn(picture[None], mesh[None], poses(0.1)))


def test_frames_do_not_depend_on_threads_or_neighbours(speaking):
    frames, meshes, _ = speaking
    wanted, before = poses(*np.linspace(0, 0.2, len(frames))), torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = drawn(frames, meshes, wanted)
        torch.set_num_threads(3)
        three = drawn(frames[::-1], meshes[::-1], wanted[::-1])[::-1]
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(one, three)


@pytest.mark.parametrize("size", [(129, 255), (96, 301), (2048, 2048)])
def test_odd_and_large_frames(size):
    height, width = size
    unit = 0.5 * min(size)
    picture, mesh = faces.drawn_face(width, height, unit), faces.drawn_mesh(width, height, unit)
    assert not np.array_equal(drawn(picture[None], mesh[None], poses(0.1))[0], picture)


def test_a_face_that_leaves_the_frame_is_drawn_as_far_as_it_is_seen():
    picture, mesh = faces.drawn_face(256, 256), faces.drawn_mesh(256, 256)
    cut, at = np.ascontiguousarray(picture[:, 100:]), mesh - np.float32([100, 0, 0])
    changed = (drawn(cut[None], at[None], poses(0.1))[0] != cut).any(-1)
    assert changed.any() and not changed[:90].any()


def test_what_cannot_be_drawn_is_refused():
    picture, mesh = faces.drawn_face(256, 256)[None], faces.drawn_mesh(256, 256)[None]
    with pytest.raises(ValueError, match="^Give finite poses: value 0 of frame 0 is not a number"):
        drawn(picture, mesh, poses(np.nan))
    with pytest.raises(ValueError, match="^Choose a picture that shows the mouth"):
        drawn(picture, mesh + np.float32([400, 0, 0]), poses(0.1))
    with pytest.raises(ValueError, match=r"^Give poses as \[1, 8\]"):
        drawn(picture, mesh, np.zeros((1, 7), np.float32))
    with pytest.raises(ValueError, match="^Give frames as"):
        drawn(picture[..., :2], mesh, poses(0.1))
