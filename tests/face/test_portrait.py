"""The light on a face, how it is turned and what is missing of it: measured on the face alone."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sonic_nodes import portrait
from sonic_nodes.face import LANDMARKS, find_faces
from sonic_nodes.media.image import read_picture


def outline_of(face, shape):
    area = Image.new("1", shape[1::-1])
    ImageDraw.Draw(area).polygon([tuple(p) for p in face.mesh[list(LANDMARKS["face_oval"]), :2]], fill=1)
    return np.asarray(area)


def names(picture, face):
    """Reasons of the notes, by the words that only they have."""
    words = {"light on the face": "dark", "darker": "burnt", "quarter": "side", "by half": "head", "whole face": "cut"}
    return [found for note in portrait.notes(picture, face) for word, found in words.items() if word in note]


def test_levels_are_percentiles_inside_the_outline(picture, face):
    measured = portrait.measure(picture, face)
    inside = (picture @ [0.299, 0.587, 0.114])[outline_of(face, picture.shape)]
    assert measured["face_luma_pixels"] == pytest.approx(inside.size, rel=0.01)
    for key, share in (("low", 5), ("mid", 50), ("high", 95)):
        assert measured[f"face_luma_{key}"] == pytest.approx(np.percentile(inside, share), abs=1.5)
    assert measured["face_bright_share"] == pytest.approx((inside >= 250).mean(), abs=0.005)


def test_the_background_does_not_count(picture, face):
    expected = portrait.measure(picture, face)
    inside = outline_of(face, picture.shape)
    inside = np.asarray(Image.fromarray(inside).convert("L").resize(inside.shape[::-1])) > 0
    for level in (0, 255):
        other = np.where(inside[..., None], picture, np.uint8(level))
        measured = portrait.measure(other, face)
        assert all(abs(measured[f"face_luma_{k}"] - expected[f"face_luma_{k}"]) <= 3 for k in ("low", "mid", "high"))


def test_transparent_pixels_do_not_count(picture, face):
    alpha = np.full(picture.shape[:2], 255, np.uint8)
    middle = int(face.mesh[LANDMARKS["nose_base"], 0])
    alpha[:, middle:] = 0
    white = np.where(alpha[..., None] > 0, picture, np.uint8(255))
    assert portrait.measure(white, face)["face_bright_share"] > 0.4
    measured = portrait.measure(white, face, alpha)
    assert measured["face_bright_share"] < 0.01 and 0.4 < measured["face_missing_share"] < 0.6
    nothing = portrait.measure(white, face, np.zeros_like(alpha))
    assert nothing["face_luma_pixels"] == 0 and nothing["face_missing_share"] == 1
    assert {f.name for f in portrait.findings(nothing)} == {"sideways", "face_cut_off"}


def test_a_box_is_measured_in_its_ellipse():
    picture = np.full((200, 200, 3), 255, np.uint8)
    rows, columns = np.mgrid[:200, :200]
    picture[((rows - 100) / 60) ** 2 + ((columns - 90) / 40) ** 2 < 1.1] = 90
    measured = portrait.measure_box(picture, (50, 40, 130, 160))
    assert measured["face_luma_low"] == measured["face_luma_high"] == 90
    assert measured["face_luma_pixels"] == pytest.approx(np.pi * 60 * 40, rel=0.02)
    for beyond in ((300, 300, 400, 400), (-50, -50, -10, -10)):
        assert portrait.measure_box(picture, beyond)["face_luma_pixels"] == 0


@pytest.mark.parametrize("degrees", [0, 90, 180, 270, 75, 110, 160, 200, 250, 285])
def test_a_turned_picture_is_named_with_its_remedy(picture, degrees):
    """PIL turns counter-clockwise: a face at 90 degrees has its top on the left."""
    turned = Image.fromarray(picture).rotate(degrees, expand=True, resample=Image.Resampling.BILINEAR)
    found = find_faces(np.array(turned), thorough=False)[0]
    roll = portrait.measure(np.array(turned), found)["face_roll_deg"]
    assert abs((roll + degrees + 180) % 360 - 180) < 8
    said = " ".join(portrait.notes(np.array(turned), found))
    expected = "" if degrees == 0 else "by half" if 135 < degrees < 225 else "right" if degrees < 180 else "left"
    assert expected in said and bool(expected) == ("face lies on its side" in said or "upside down" in said)


@pytest.mark.parametrize("degrees", [-35, -20, 20, 35])
def test_a_tilted_head_is_not_mentioned(picture, degrees):
    tilted = np.array(Image.fromarray(picture).rotate(degrees, expand=True, resample=Image.Resampling.BILINEAR))
    assert not {"side", "head"} & set(names(tilted, find_faces(tilted)[0]))


@pytest.mark.parametrize("side", ["left", "right", "bottom"])
def test_half_a_face_is_mentioned_and_a_tight_frame_is_not(picture, face, side):
    x0, y0, x1, y1 = (int(v) for v in face.hull_xyxy)
    middle, mouth = (x0 + x1) // 2, int(face.mesh[LANDMARKS["lip_upper"], 1])
    cut = {"left": picture[:, middle:], "right": picture[:, :middle], "bottom": picture[:mouth]}[side]
    tight = {"left": picture[:, x0 + 8 :], "right": picture[:, : x1 - 8], "bottom": picture[: y1 - 8]}[side]
    assert "cut" in names(np.ascontiguousarray(cut), find_faces(np.ascontiguousarray(cut))[0])
    assert "cut" not in names(np.ascontiguousarray(tight), find_faces(np.ascontiguousarray(tight))[0])


def exposed(picture, stops):
    """The picture with 2^stops times the light; whites are clipped."""
    level = picture / 255
    light = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4) * 2.0**stops
    shown = np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)
    return np.uint8(np.rint(255 * np.clip(shown, 0, 1)))


@pytest.mark.parametrize("stops, expected", [(-5, ["dark"]), (-4, ["dark"]), (-1, []), (0, []), (3, ["burnt"])])
def test_light_by_stops(picture, face, stops, expected):
    assert names(exposed(picture, stops), face) == expected


@pytest.mark.parametrize("name, lightness", [("kodim15.png", 1.0), ("p_obama.png", 1.0), ("p_obama.png", 0.65)])
def test_dark_skin_in_good_light_is_not_called_dark(shared_dir, name, lightness):
    """A child with dark skin; a man, as he is and printed darker. Their medians are 62, 105 and 68 levels."""
    picture = np.uint8(np.rint(read_picture(shared_dir / "photos" / name) * lightness))
    assert "dark" not in names(picture, find_faces(picture)[0])


def test_a_face_that_is_unconfirmed_is_not_judged(picture, face):
    unsure = type(face)(0.0, 0.1, face.box_xyxy, face.keypoints, face.mesh, face.hull_xyxy)
    assert portrait.notes(exposed(picture, -5), unsure) == []
