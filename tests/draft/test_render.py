"""Pose -> picture: the portrait itself at rest, motion where it belongs, and no surprise in between."""
import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from sonic_nodes.native import _sonic

_spec = importlib.util.spec_from_file_location("draft_faces", Path(__file__).with_name("faces.py"))
faces = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(faces)

OPENING, WIDTH, ROUNDING, PRESS, BLINK, SWAY_X, SWAY_Y, ROLL = range(8)


def pose(**values):
    row = np.zeros(8, np.float32)
    for name, value in values.items():
        row[globals()[name.upper()]] = value
    return row


def render(picture, mesh, *poses):
    out = np.full((len(poses), *picture.shape), 77, np.uint8)
    _sonic.draft_render(_sonic.draft_rig_create(picture, mesh), np.stack(poses), out)
    return out


@pytest.fixture(scope="module")
def face():
    return faces.drawn_face(256, 256), faces.drawn_mesh(256, 256)


ALL = pose(opening=0.1, width=0.1, rounding=0.5, press=0.3, blink=0.6, sway_x=0.03, sway_y=-0.03, roll=0.05)


@pytest.mark.parametrize("size", [(256, 256), (131, 203), (640, 360), (128, 128)])
def test_the_rest_pose_is_the_portrait(size):
    height, width = size
    picture = faces.drawn_face(width, height, 0.5 * min(size))
    frames = render(picture, faces.drawn_mesh(width, height, 0.5 * min(size)), pose(), ALL, pose())
    assert np.array_equal(frames[0], picture) and np.array_equal(frames[2], picture)
    assert not np.array_equal(frames[1], picture)


def test_nothing_moves_outside_the_head_without_sway(face):
    picture, mesh = face
    frames = render(picture, mesh, pose(opening=0.2, width=0.3), pose(opening=0.2, width=-0.3, rounding=1), pose(press=1, blink=1))
    centre = (mesh[:, :2].min(0) + mesh[:, :2].max(0)) / 2
    y, x = np.mgrid[0:256, 0:256]
    unit = 0.6 * 256 * 1.15
    outside = ((x - centre[0]) / (0.36 * unit)) ** 2 + ((y - centre[1]) / (0.5 * unit)) ** 2 > 1
    assert outside.any() and np.array_equal(frames[:, outside], np.broadcast_to(picture[outside], (3, outside.sum(), 3)))


def test_sway_leaves_the_border_of_the_picture(face):
    picture, mesh = face
    frame = render(picture, mesh, pose(sway_x=0.03, sway_y=0.03, roll=0.05))[0]
    assert np.array_equal(frame[0], picture[0]) and np.array_equal(frame[:, -1], picture[:, -1])
    assert np.abs(frame.astype(int) - picture).max() > 20


def test_frames_do_not_depend_on_threads_or_on_their_neighbours(face):
    picture, mesh = face
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = render(picture, mesh, pose(), ALL)
        torch.set_num_threads(3)
        many = render(picture, mesh, ALL, pose(opening=0.2), ALL)
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(one[1], many[0]) and np.array_equal(many[0], many[2])


def test_progress_counts_frames_and_stops(face):
    picture, mesh = face
    rig, seen = _sonic.draft_rig_create(picture, mesh), []
    out = np.zeros((40, *picture.shape), np.uint8)
    with pytest.raises(RuntimeError, match="Cancelled"):
        _sonic.draft_render(rig, np.stack([ALL] * 40), out, progress=lambda done, total: seen.append((done, total)) or done >= 16)
    done = [d for d, _ in seen]
    assert done == sorted(done) and 16 <= done[-1] < 40 and {total for _, total in seen} == {40}
    assert out[done[-1] - 1].any() and not out[done[-1] :].any()


def test_bad_input_is_refused_with_the_remedy(face):
    picture, mesh = face
    broken = mesh.copy()
    broken[17, 0] = np.nan
    cases = [
        (picture, broken, "Find the face again"),
        (picture, np.full_like(mesh, 60), "Choose a picture with a larger face"),
        (picture, mesh + 1000, "Choose a picture that shows the mouth"),
        (picture, mesh * [0.01, 0.01, 1] + [100, 100, 0], "Choose a picture with a larger face"),
        (picture[:, :, :1], mesh, "Give the portrait as"),
        (picture[:8], mesh, "Give a portrait of"),
        (picture, mesh[:467], "Give mesh as"),
        (picture, mesh[:, [1, 0, 2]], "Choose a picture"),
    ]
    for image, points, message in cases:
        with pytest.raises(ValueError, match="^" + message):
            _sonic.draft_rig_create(image, np.asarray(points, np.float32))
    rig = _sonic.draft_rig_create(picture, mesh)
    out = np.zeros((1, *picture.shape), np.uint8)
    with pytest.raises(ValueError, match="^Give finite poses"):
        _sonic.draft_render(rig, np.full((1, 8), np.nan, np.float32), out)
    with pytest.raises(ValueError, match="^Give out as"):
        _sonic.draft_render(rig, np.zeros((2, 8), np.float32), out)
    with pytest.raises(TypeError, match="^Give a rig"):
        _sonic.draft_render(object(), np.zeros((1, 8), np.float32), out)


def test_poses_beyond_their_range_are_taken_as_its_end(face):
    picture, mesh = face
    frames = render(picture, mesh, pose(opening=0.2), pose(opening=9), pose(opening=-1))
    assert np.array_equal(frames[0], frames[1]) and np.array_equal(frames[2], picture)
