"""The named points of the mesh are where MediaPipe's canonical face model has them, in one table for C and Python."""

import numpy as np
import pytest
from PIL import Image

from sonic_nodes.extension.native import _sonic
from sonic_nodes.face import LANDMARKS, find_faces

# Contours as MediaPipe publishes them (mediapipe/python/solutions/face_mesh_connections.py): undirected edges.
OUTER_LIPS = [(61, 146), (146, 91), (91, 181), (181, 84), (84, 17), (17, 314), (314, 405), (405, 321), (321, 375)]
OUTER_LIPS += [(375, 291), (61, 185), (185, 40), (40, 39), (39, 37), (37, 0), (0, 267), (267, 269), (269, 270)]
OUTER_LIPS += [(270, 409), (409, 291)]
INNER_LIPS = [(78, 95), (95, 88), (88, 178), (178, 87), (87, 14), (14, 317), (317, 402), (402, 318), (318, 324)]
INNER_LIPS += [(324, 308), (78, 191), (191, 80), (80, 81), (81, 82), (82, 13), (13, 312), (312, 311), (311, 310)]
INNER_LIPS += [(310, 415), (415, 308)]
LEFT_EYE = [(33, 7), (7, 163), (163, 144), (144, 145), (145, 153), (153, 154), (154, 155), (155, 133), (33, 246)]
LEFT_EYE += [(246, 161), (161, 160), (160, 159), (159, 158), (158, 157), (157, 173), (173, 133)]
RIGHT_EYE = [(263, 249), (249, 390), (390, 373), (373, 374), (374, 380), (380, 381), (381, 382), (382, 362)]
RIGHT_EYE += [(263, 466), (466, 388), (388, 387), (387, 386), (386, 385), (385, 384), (384, 398), (398, 362)]
LEFT_BROW, RIGHT_BROW = [(46, 53), (53, 52), (52, 65), (65, 55)], [(276, 283), (283, 282), (282, 295), (295, 285)]
OVAL = [(10, 338), (338, 297), (297, 332), (332, 284), (284, 251), (251, 389), (389, 356), (356, 454), (454, 323)]
OVAL += [(323, 361), (361, 288), (288, 397), (397, 365), (365, 379), (379, 378), (378, 400), (400, 377), (377, 152)]
OVAL += [(152, 148), (148, 176), (176, 149), (149, 150), (150, 136), (136, 172), (172, 58), (58, 132), (132, 93)]
OVAL += [(93, 234), (234, 127), (127, 162), (162, 21), (21, 54), (54, 103), (103, 67), (67, 109), (109, 10)]


def edges(path):
    return {frozenset(edge) for edge in zip(path, path[1:], strict=False)}


def published(pairs):
    return {frozenset(pair) for pair in pairs}


@pytest.mark.parametrize("name, contour", [("lips_outer", OUTER_LIPS), ("lips_inner", INNER_LIPS)])
def test_lip_contours_are_the_published_ones(name, contour):
    points = LANDMARKS[name]
    lower, upper = points[:11], (points[0], *points[11:], points[10])
    assert edges(lower) | edges(upper) == published(contour)


@pytest.mark.parametrize("name, contour", [("eye_left", LEFT_EYE), ("eye_right", RIGHT_EYE), ("face_oval", OVAL)])
def test_rings_are_the_published_ones(name, contour):
    points = LANDMARKS[name]
    assert edges((*points, points[0])) == published(contour)


@pytest.mark.parametrize("name, contour", [("brow_left", LEFT_BROW), ("brow_right", RIGHT_BROW)])
def test_brows_are_the_published_ones(name, contour):
    assert edges(LANDMARKS[name]) == published(contour)


def test_named_points_are_the_contours_own():
    points = LANDMARKS
    outer, inner = points["lips_outer"], points["lips_inner"]
    assert (outer[0], outer[10], inner[0], inner[10]) == tuple(
        points[f"mouth_{side}{edge}"] for edge in ("", "_inner") for side in ("left", "right")
    )
    assert (outer[15], inner[15], inner[5], outer[5]) == tuple(
        points[f"lip_{place}"] for place in ("top", "upper", "lower", "bottom")
    )
    for side in ("left", "right"):
        assert points[f"eye_{side}"][0] == points[f"eye_{side}_outer"]
        assert points[f"eye_{side}"][8] == points[f"eye_{side}_inner"]
    assert points["face_oval"][0] == points["forehead"] and points["face_oval"][18] == points["chin"]


def test_every_list_names_different_points_of_the_mesh():
    for name, points in LANDMARKS.items():
        row = np.atleast_1d(points)
        assert len(set(row.tolist())) == len(row) and 0 <= row.min() and row.max() < 468, name
    assert tuple(_sonic.lipsync_rigid_points()) == LANDMARKS["rigid"]


def test_points_lie_on_the_image_s_sides(sample_dir):
    """Left and right are the image's, contours run as documented: seen on a real face."""
    (face,) = find_faces(np.asarray(Image.open(sample_dir / "portrait.jpg").convert("RGB")))
    x, y = face.mesh[:, 0], face.mesh[:, 1]

    def of(axis, name):
        return axis[np.array(LANDMARKS[name])]

    assert of(x, "mouth_left") < of(x, "mouth_right")
    assert of(x, "eye_left_outer") < of(x, "eye_left_inner") < of(x, "eye_right_inner") < of(x, "eye_right_outer")
    for name in ("lips_outer", "lips_inner"):
        columns = of(x, name)
        assert (np.diff(columns[:11]) > 0).all() and (np.diff(columns[11:]) > 0).all()
        assert of(y, name)[11:].mean() < of(y, name)[1:10].mean()  # the upper edge lies above the lower one
    for side in ("left", "right"):
        assert (np.diff(of(x, f"brow_{side}")) > 0).all()
        assert of(y, f"eye_{side}")[9:].mean() < of(y, f"eye_{side}")[1:8].mean()
        assert of(y, f"brow_{side}").max() < of(y, f"eye_{side}").min()
    assert of(y, "forehead") < of(y, "nose_base") < of(y, "lip_top") < of(y, "lip_bottom") < of(y, "chin")


def test_the_independent_pipeline_numbers_the_points_alike():
    pytest.importorskip("cv2", reason="OpenCV for Python is not installed (pip install opencv-python-headless)")
    from tests.oracles import face_oracle

    assert face_oracle.POINTS == {name: LANDMARKS[name] for name in face_oracle.POINTS}
