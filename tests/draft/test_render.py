"""Pose -> frame: the portrait itself at rest, motion only where the pose asks for it."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from sonic_nodes.extension.native import _sonic
from sonic_nodes.face import LANDMARKS
from tests.oracles import faces

OPENING, WIDTH, ROUNDING, PRESS, BLINK, SWAY_X, SWAY_Y, ROLL = range(8)


def pose(**values):
    row = np.zeros(8, np.float32)
    for name, value in values.items():
        row[globals()[name.upper()]] = value
    return row


def at(mesh, name):
    """x, y of a point of the mesh in whole pixels."""
    return (int(v) for v in mesh[LANDMARKS[name], :2])


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
    frames = render(
        picture, mesh, pose(opening=0.2, width=0.3), pose(opening=0.2, width=-0.3, rounding=1), pose(press=1, blink=1)
    )
    centre = (mesh[:, :2].min(0) + mesh[:, :2].max(0)) / 2
    y, x = np.mgrid[0:256, 0:256]
    unit = 0.6 * 256 * 1.15
    outside = ((x - centre[0]) / (0.36 * unit)) ** 2 + ((y - centre[1]) / (0.5 * unit)) ** 2 > 1
    assert outside.any() and np.array_equal(
        frames[:, outside], np.broadcast_to(picture[outside], (3, outside.sum(), 3))
    )


def test_sway_keeps_the_border_of_the_image(face):
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
        _sonic.draft_render(
            rig, np.stack([ALL] * 40), out, progress=lambda done, total: seen.append((done, total)) or done >= 16
        )
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


def near(frame, color, tolerance=45):
    return np.abs(frame.astype(int) - np.array(color)).max(-1) < tolerance


def gap_px(frame, mesh):
    """Height of the gap between the lips: in the middle column from nose to chin, the rows from the first to the last
    that have neither the skin's nor the lips' colour."""
    (_, nose), (_, chin), (middle, _) = at(mesh, "nose_base"), at(mesh, "chin"), at(mesh, "lip_upper")
    column = frame[nose : chin - 2, middle]
    other = np.nonzero(~near(column, faces.SKIN) & ~near(column, faces.LIPS))[0]
    return int(other[-1] - other[0] + 1) if len(other) else 0


@pytest.mark.parametrize("size", [320, 512])
def test_lips_part_in_proportion_to_the_opening(size):
    picture, mesh = faces.drawn_face(size, size), faces.drawn_mesh(size, size)
    openings = np.array([0.02, 0.04, 0.06, 0.08, 0.1, 0.12])
    gaps = np.array(
        [gap_px(frame, mesh) for frame in render(picture, mesh, *[pose(opening=value) for value in openings])]
    )
    assert np.all(np.diff(gaps) >= 0)
    commanded = openings * 0.6 * size
    slope, start = np.polyfit(commanded, gaps, 1)
    assert 0.9 < slope < 1.3 and abs(start) < 0.03 * 0.6 * size and np.corrcoef(commanded, gaps)[0, 1] > 0.97


def lip_extent(frame):
    """Width and height in pixels of the region with the lips' colour."""
    rows, columns = np.nonzero(near(frame, faces.LIPS, 30))
    return np.percentile(columns, 99.5) - np.percentile(columns, 0.5), rows.max() - rows.min()


def test_width_moves_the_corners_and_rounding_and_press_the_lips(face):
    picture, mesh = face
    rest, spread, narrow, widest, narrowest, rounded, pressed = [
        lip_extent(frame)
        for frame in render(
            picture,
            mesh,
            pose(),
            pose(width=0.06),
            pose(width=-0.06),
            pose(width=0.3),
            pose(width=-0.3),
            pose(rounding=1),
            pose(press=1),
        )
    ]
    # The mesh measures about 0.6 of the drawn change, so 0.06 is drawn as 0.10; larger widths are compressed.
    assert spread[0] / rest[0] == pytest.approx(1.1, abs=0.03) and narrow[0] / rest[0] == pytest.approx(0.9, abs=0.03)
    assert spread[0] < widest[0] < 1.18 * rest[0] and 0.78 * rest[0] < narrowest[0] < narrow[0]
    assert rounded[1] > rest[1] > pressed[1]


def test_a_blink_covers_the_eyes_and_only_them(face):
    picture, mesh = face
    frames = render(picture, mesh, pose(), pose(blink=0.5), pose(blink=1))
    whites = [int(near(frame, faces.EYE_WHITE, 25).sum()) for frame in frames]
    assert whites[0] > 150 and 0.2 * whites[0] < whites[1] < 0.8 * whites[0] and whites[2] < 0.03 * whites[0]
    changed = np.nonzero((frames[2] != picture).any(-1))
    assert changed[0].max() < mesh[LANDMARKS["eye_left"][4], 1] + 4  # the middle of the lower lid
    assert changed[0].min() > mesh[LANDMARKS["brow_left"][2], 1]


def test_closed_eyes_and_dark_glasses_do_not_change(face):
    picture, mesh = face
    assert np.array_equal(render(picture, faces.drawn_mesh(256, 256, eyes_open=0.1), pose(blink=1))[0], picture)
    glasses = picture.copy()
    eyes = mesh[[LANDMARKS["eye_left_outer"], LANDMARKS["eye_right_outer"]], :2].astype(int)
    glasses[eyes[0, 1] - 14 : eyes[0, 1] + 12, eyes[0, 0] - 8 : eyes[1, 0] + 8] = 25
    assert np.array_equal(render(glasses, mesh, pose(blink=1))[0], glasses)


def test_own_teeth_stay_with_the_head():
    picture, mesh = faces.drawn_face(256, 256), faces.drawn_mesh(256, 256, gap=0.06)
    (_, top), (_, lower) = at(mesh, "lip_upper"), at(mesh, "lip_lower")
    (left_corner, _), (right_corner, _) = at(mesh, "mouth_left_inner"), at(mesh, "mouth_right_inner")
    bottom, left, right = lower + 1, left_corner + 8, right_corner - 8
    picture[top:bottom, left:right] = (235, 230, 220)
    frame = render(picture, mesh, pose(opening=0.08))[0]
    inside = (slice(top, bottom - 3), slice(left + 10, right - 10))
    assert near(frame[inside], (235, 230, 220), 30).mean() > 0.9
    below = frame[bottom + 2 : bottom + 7, (left + right) // 2]
    assert (below.astype(int).sum(-1) < 250).all()


@pytest.mark.parametrize("side", ["left", "bottom", "top"])
def test_a_face_cut_by_the_border_is_drawn(side):
    picture, mesh = faces.drawn_face(256, 256), faces.drawn_mesh(256, 256)
    _, chin = at(mesh, "chin")
    cut = {"left": np.s_[:, 90:], "bottom": np.s_[: chin - 4], "top": np.s_[110:]}[side]
    moved = mesh - np.float32([90 if side == "left" else 0, 110 if side == "top" else 0, 0])
    part = np.ascontiguousarray(picture[cut])
    frames = render(part, moved, pose(), ALL, pose(opening=0.2, width=-0.3))
    assert np.array_equal(frames[0], part) and gap_px(frames[2], np.clip(moved, 0, 255)) > 8


def test_no_fold_at_the_widest_mouth(face):
    """A vertical ramp stays monotone outside the mouth: no row is repeated or reversed."""
    picture, mesh = face
    ramp = np.repeat(np.linspace(60, 250, 256).astype(np.uint8)[:, None, None], 256, 1).repeat(3, 2).copy()
    frame = render(ramp, mesh, pose(opening=0.2))[0].astype(int)
    (left, _), (right, _), (middle, chin) = at(mesh, "mouth_left"), at(mesh, "mouth_right"), at(mesh, "chin")
    for x in (left - 6, right + 6):
        assert np.diff(frame[:, x, 0]).min() >= -1
    assert np.diff(frame[chin - 6 :, middle, 0]).min() >= -1


def test_one_rig_serves_several_threads(face):
    picture, mesh = face
    rig = _sonic.draft_rig_create(picture, mesh)
    poses = np.stack([pose(opening=0.01 * i, sway_x=0.002 * i, blink=0.1 * i) for i in range(10)])

    def work(_):
        out = np.zeros((10, *picture.shape), np.uint8)
        _sonic.draft_render(rig, poses, out)
        return out

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(work, range(4)))
    assert all(np.array_equal(results[0], other) for other in results[1:])


def test_poses_outside_their_range_are_clamped(face):
    picture, mesh = face
    frames = render(picture, mesh, pose(opening=0.2), pose(opening=9), pose(opening=-1))
    assert np.array_equal(frames[0], frames[1]) and np.array_equal(frames[2], picture)
