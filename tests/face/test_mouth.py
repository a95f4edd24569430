"""A covered mouth is noticed, whatever covers it; a visible one is left alone."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from sonic_nodes import portrait
from sonic_nodes.extension.native import _sonic
from sonic_nodes.face import find_faces, track_face
from sonic_nodes.media.image import read_picture
from tests.oracles.covers import COVERS, MASKS, covered

NOTE = "shows the mouth"


def odds(picture, face):
    return portrait.measure(picture, face)["mouth_covered"]


def is_noted(picture, face):
    return any(NOTE in note for note in portrait.notes(picture, face))


def refitted(picture, face):
    """The mesh as the network sees the altered picture."""
    return track_face(picture, face.mesh)


@pytest.mark.parametrize("kind", COVERS)
def test_covers_raise_the_odds_and_most_are_noted(picture, face, kind):
    free, painted = odds(picture, face), [covered(picture, face.mesh, kind, seed) for seed in range(3)]
    found = [(odds(p, refitted(p, face)), is_noted(p, refitted(p, face))) for p in painted]
    assert all(value > free + 1 for value, _ in found)
    assert sum(noted for _, noted in found) >= (3 if kind in MASKS else 2)


def altered(picture):
    image = Image.fromarray(picture)
    yield "as it is", picture
    yield "grey", np.array(image.convert("L").convert("RGB"))
    yield "mirrored", np.array(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    yield "blurred", np.array(image.filter(ImageFilter.GaussianBlur(2)))
    yield "warm", np.uint8(np.clip(picture * [1.0, 0.85, 0.6], 0, 255))
    yield "cold", np.uint8(np.clip(picture * [0.75, 0.9, 1.0], 0, 255))
    yield "darker", np.uint8(picture * 0.5)
    yield "noisy", np.uint8(np.clip(picture + np.random.default_rng(1).normal(0, 8, picture.shape), 0, 255))
    yield "small", np.array(image.resize((180, 211), Image.Resampling.LANCZOS))
    yield "on its side", np.array(image.rotate(90, expand=True))


def test_a_visible_mouth_is_not_noted_in_any_light_or_size(picture):
    for what, other in altered(picture):
        found = find_faces(other)[0]
        assert not is_noted(other, found), what


@pytest.mark.parametrize(
    "name", ["kodim04.png", "kodim15.png", "p_astronaut.png", "p_obama.png", "p_obama3.png", "kodim18.png"]
)
def test_real_portraits_are_not_noted(shared_dir, name):
    picture = read_picture(shared_dir / "photos" / name)
    for found in find_faces(picture, thorough=False):
        assert not is_noted(picture, found)


def test_a_face_too_small_to_tell_is_not_judged(picture):
    image = Image.fromarray(picture).resize((120, 141), Image.Resampling.LANCZOS)
    small = np.array(image)
    found = find_faces(small)[0]
    assert max(np.ptp(found.mesh[:, 0]), np.ptp(found.mesh[:, 1])) < 64
    assert _sonic.face_mouth(small, found.mesh) is None
    assert not is_noted(covered(small, found.mesh, "black mask", 0), found)


def test_a_mouth_outside_the_picture_and_a_face_in_the_dark_are_not_judged(picture, face):
    beyond = face.mesh + np.float32([0, picture.shape[0] - face.mesh[2, 1], 0])
    assert _sonic.face_mouth(picture, beyond) is None
    dark = np.uint8(covered(picture, face.mesh, "black mask", 0) * 0.15)
    assert [note.split(":")[0] for note in portrait.notes(dark, face)] == [
        "Choose a picture with more light on the face, or brighten it"
    ]


def test_large_pictures_are_read_like_small_ones(picture, face):
    """The face is shrunk first, so that the cost and the values do not depend on the number of pixels."""
    large = np.array(Image.fromarray(picture).resize([3 * s for s in picture.shape[1::-1]], Image.Resampling.BICUBIC))
    values = [np.array(_sonic.face_mouth(p, m)) for p, m in ((picture, face.mesh), (large, 3 * face.mesh))]
    assert np.abs(values[0] - values[1]).max() < 0.25 and np.abs(values[0] - values[1]).mean() < 0.02


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e30, 1e30])
def test_meshes_without_sense_are_not_judged(picture, face, value):
    mesh = face.mesh.copy()
    mesh[:, :2] = value
    assert _sonic.face_mouth(picture, mesh) is None
    assert _sonic.face_portrait(picture, mesh)["missing_share"] == 1
    mesh = face.mesh.copy()
    mesh[61] = value
    _sonic.face_mouth(picture, mesh)
    _sonic.face_portrait(picture, mesh)


@pytest.mark.parametrize("shape, points", [((60, 60, 4), (468, 3)), ((60, 60), (468, 3)), ((60, 60, 3), (4, 3))])
def test_other_shapes_are_refused(shape, points):
    with pytest.raises(ValueError):
        _sonic.face_mouth(np.zeros(shape, np.uint8), np.zeros(points, np.float32))
    with pytest.raises(ValueError):
        _sonic.face_portrait(np.zeros(shape, np.uint8), np.zeros(points, np.float32))
