"""The visible label: where, how large and how long it stands, with which font, and what cannot be drawn."""

import numpy as np
import pytest
from PIL import ImageFont

from sonic_nodes.errors import InputError, UsageError
from sonic_nodes.provenance import fonts
from sonic_nodes.provenance.caption import Caption, CaptionDrawer
from sonic_nodes.provenance.limits import CORNERS

TEXTS = ("AI-generated", "AI生成", "人工智能生成合成", "AI產生", "人工知能による合成映像です", "Généré par IA")
GREY = 90


def grey(frames, width, height):
    return np.full((frames, height, width, 3), GREY, np.uint8)


def changed(before, after):
    """(top, bottom, left, right) of the pixels that differ in a frame."""
    rows, columns = np.nonzero((before != after).any(axis=2))
    return rows.min(), rows.max() + 1, columns.min(), columns.max() + 1


@pytest.mark.parametrize("corner", CORNERS)
@pytest.mark.parametrize(("width", "height"), [(512, 512), (720, 1280), (1280, 720)])
def test_it_stands_in_its_corner(corner, width, height):
    before = grey(1, width, height)
    after = CaptionDrawer(Caption("AI生成", corner), width, height, 25).drawn(before, 0)
    top, bottom, left, right = changed(before[0], after[0])
    distance = {"top": top, "bottom": height - bottom, "left": left, "right": width - right}
    near = corner.split("-")
    assert all(distance[side] < 0.05 * min(width, height) for side in near)
    assert all(distance[side] > 0.5 * min(width, height) for side in distance if side not in near)


@pytest.mark.parametrize("size", [0.05, 0.06, 0.123, 0.2])
@pytest.mark.parametrize(("width", "height"), [(512, 512), (720, 1280), (321, 640)])
def test_letters_have_the_height_asked_for(size, width, height):
    """An H is as high as it should be: its strokes are the only light pixels."""
    after = CaptionDrawer(Caption("H", size=size), width, height, 25).drawn(grey(1, width, height), 0)
    rows = np.nonzero((after[0] > 200).any(axis=(1, 2)))[0]
    letter = len(rows)
    assert size * min(width, height) <= letter <= size * min(width, height) + 3
    assert letter == rows[-1] - rows[0] + 1


@pytest.mark.parametrize(("fps", "frames"), [(25, 50), (12.5, 25), (29.97, 60)])
def test_it_is_shown_from_the_first_frame_for_two_seconds(fps, frames):
    drawer, clip = CaptionDrawer(Caption("AI"), 256, 256, fps), grey(90, 256, 256)
    shown = [
        bool((drawer.drawn(clip[at : at + 7], at)[i] != GREY).any())
        for at in range(0, 90, 7)
        for i in range(len(clip[at : at + 7]))
    ]
    assert shown == [True] * frames + [False] * (90 - frames)
    assert (clip == GREY).all(), "frames that others hold are not drawn on"
    always = CaptionDrawer(Caption("AI", always=True), 256, 256, fps)
    assert (always.drawn(clip[:1], 10**9) != GREY).any()


@pytest.mark.parametrize("text", TEXTS)
def test_the_font_that_ships_has_the_usual_words(text):
    assert fonts._lacks(text, fonts.SHIPPED) == ""
    assert CaptionDrawer(Caption(text), 1280, 720, 25).drawn(grey(1, 1280, 720), 0).max() == 255


@pytest.mark.parametrize("level", [0, 255])
def test_it_is_legible_on_any_picture(level):
    """White letters on a plate that takes more than half of the light."""
    before = np.full((1, 256, 256, 3), level, np.uint8)
    after = CaptionDrawer(Caption("AI生成"), 256, 256, 25).drawn(before, 0)[0]
    top, left = (np.nonzero((after != level).any(axis=axes))[0].min() for axes in ((1, 2), (0, 2)))
    plate = after[top + 1, left + 1] if level else before[0, 0, 0]
    assert after.max() == 255 and (plate < 128).all()


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({"text": ""}, "Give the label a text of 1 to 100 characters"),
        ({"text": " "}, "Give the label a text of 1 to 100 characters"),
        ({"text": "x" * 101}, "Give the label a text of 1 to 100 characters"),
        ({"text": "a\nb"}, "Leave control characters out"),
        ({"text": "a\x1b[1mb"}, "Leave control characters out"),
        ({"text": "a\u202eb"}, "Leave control characters out"),
        ({"text": "a", "corner": "middle"}, "Choose a corner"),
        ({"text": "a", "size": 0.049}, "Choose a size of the label from 0.05 to 0.2"),
        ({"text": "a", "size": float("nan")}, "Choose a size of the label"),
    ],
)
def test_what_makes_no_label_is_refused(options, remedy):
    with pytest.raises(UsageError, match=f"^{remedy}"):
        Caption(**options)


def test_a_label_that_does_not_fit_is_refused():
    with pytest.raises(
        UsageError, match="^Shorten the label's text, or choose a smaller size: it is .* frames have 128"
    ):
        CaptionDrawer(Caption("AI-generated, and a few words more"), 128, 128, 25)


def test_a_font_of_the_system_is_used_where_ours_lacks_characters(monkeypatch, tmp_path):
    """ค is not among the characters that ship."""
    thai = "สร้างโดย AI"
    monkeypatch.setattr(fonts, "system_fonts", lambda: iter([]))
    with pytest.raises(UsageError, match="^Name a font that has the characters 'สร้างโดย'.* with --label-font"):
        fonts.font_of(thai, 30)
    monkeypatch.setattr(fonts, "system_fonts", lambda: iter([tmp_path / "absent.ttf", tmp_path / "other.ttf"]))
    (tmp_path / "other.ttf").write_bytes(fonts.SHIPPED.read_bytes())
    monkeypatch.setattr(fonts, "_lacks", lambda text, path: "" if path.name == "other.ttf" else text)
    assert isinstance(fonts.font_of(thai, 30), ImageFont.FreeTypeFont)


def test_fonts_that_are_none_are_refused(tmp_path):
    (tmp_path / "a.ttf").write_bytes(b"no font")
    with pytest.raises(InputError, match=r"^Choose a font file, TrueType or OpenType: 'a.ttf' is not one"):
        fonts.font_of("AI", 30, tmp_path / "a.ttf")
    with pytest.raises(InputError, match="^Check the file's name and folder"):
        fonts.font_of("AI", 30, tmp_path / "absent.ttf")
    with pytest.raises(UsageError, match="^Choose another --label-font: 'label.otf' lacks the characters"):
        fonts.font_of("ค", 30, fonts.SHIPPED)
