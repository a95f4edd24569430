"""The gate's reasons about the face: light where it counts, pose, cut and covered mouth; scores, words, reports."""

import csv
import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sonic_nodes.commands.cli import main
from sonic_nodes.gate import check
from sonic_nodes.gate.repair import repair_picture
from sonic_nodes.gate.thresholds import PROFILES
from sonic_nodes.gate.verdict import judge
from sonic_nodes.media.image import read_picture
from tests.oracles.covers import covered

PORTRAIT_REASONS = {"face_underexposed", "face_overexposed", "sideways", "upside_down", "face_cut_off", "mouth_covered"}


def reasons(verdict):
    return {reason["name"] for reason in verdict["reasons"]}


def judged(picture):
    return check.check_picture(np.ascontiguousarray(picture), face_box="find")


def judged_by_each(picture):
    """The verdicts of all profiles."""
    evidence = check.evidence_of_picture(np.ascontiguousarray(picture), "find")
    return [judge(evidence, None, profile) for profile in PROFILES]


def head(picture, face):
    """Opacity of a cut-out: an ellipse around the head."""
    x0, y0, x1, y1 = face.hull_xyxy
    area = Image.new("L", picture.shape[1::-1])
    ImageDraw.Draw(area).ellipse((x0 - 25, y0 - 60, x1 + 25, y1 + 20), fill=255)
    return area


def saved_as(mode, picture, area, path):
    """A transparent file of each kind that Pillow writes: alpha, palette with transparency, grey with alpha."""
    image = Image.fromarray(picture)
    if mode == "RGBA":
        image.putalpha(area)
    elif mode == "LA":
        image = image.convert("L")
        image.putalpha(area)
    else:
        image = image.quantize(255, dither=Image.Dither.NONE)
        image.putpalette(image.getpalette() + [9, 9, 9] * (256 - len(image.getpalette()) // 3))
        image.paste(255, mask=area.point(lambda v: 255 - v))
        image.info["transparency"] = 255
    image.save(path, transparency=255) if mode == "P" else image.save(path)


@pytest.mark.parametrize("mode, suffix", [("RGBA", "png"), ("LA", "png"), ("P", "png"), ("P", "gif"), ("RGBA", "webp")])
def test_white_below_transparency_counts_for_nothing(picture, face, tmp_path, mode, suffix):
    path = tmp_path / f"cutout.{suffix}"
    room = np.pad(picture, ((200, 200), (200, 200), (0, 0)))  # nine tenths of it become transparent
    area = Image.new("L", room.shape[1::-1])
    area.paste(head(picture, face), (200, 200))
    saved_as(mode, room, area, path)
    assert (read_picture(path) >= 253).all(-1).mean() > 0.6
    verdict = check.check_file(path)
    assert not reasons(verdict) & {"overexposed", "underexposed", *PORTRAIT_REASONS}


@pytest.mark.parametrize("level", [0, 255])
def test_a_plain_background_is_fine_in_every_profile(picture, face, level):
    area = np.asarray(head(picture, face))[..., None] > 0
    for verdict in judged_by_each(np.where(area, picture, np.uint8(level))):
        assert not reasons(verdict) & {"overexposed", "underexposed", *PORTRAIT_REASONS}


def test_without_a_face_transparent_parts_do_not_count_and_the_rest_does(tmp_path):
    random = np.random.default_rng(3)
    grain = random.integers(60, 200, (256, 256, 4), np.uint8)
    grain[..., 3] = 0
    grain[96:160, 96:160, 3] = 255
    Image.fromarray(grain).save(tmp_path / "seen.png")
    grain[..., :3] = 255
    Image.fromarray(grain).save(tmp_path / "white.png")
    grain[..., 3] = 0
    Image.fromarray(grain).save(tmp_path / "nothing.png")
    found = {name: reasons(check.check_file(tmp_path / f"{name}.png")) for name in ("seen", "white", "nothing")}
    assert "overexposed" not in found["seen"] and "overexposed" in found["white"]
    assert "overexposed" not in found["nothing"]


def test_a_dark_face_before_a_bright_window_is_dark(picture, face):
    area = np.asarray(head(picture, face))[..., None] / 255
    window = np.clip(picture * 1.6 + 40, 0, 255)
    verdict = judged(np.uint8(picture * 0.13 * area + window * (1 - area)))
    assert "face_underexposed" in reasons(verdict) and verdict["verdict"] == "warn" and verdict["passed"]
    advice = {reason["name"]: reason["advice"] for reason in verdict["reasons"]}["face_underexposed"]
    assert advice.startswith("Choose a picture with more light on the face")


def test_a_burnt_out_face_in_a_dark_room_is_burnt(picture, face):
    area = np.asarray(head(picture, face))[..., None] / 255
    flash = np.clip(picture.astype(float) * 2.6 + 60, 0, 255)
    found = reasons(judged(np.uint8(flash * area + picture * 0.1 * (1 - area))))
    assert "face_overexposed" in found and not found & {"underexposed", "overexposed", "mouth_covered"}


def test_a_box_without_a_mesh_is_judged_by_its_light(picture, face):
    dark = np.uint8(picture * 0.15)
    verdict = check.check_picture(dark, face_box=face.hull_xyxy)
    assert "face_underexposed" in reasons(verdict) and "mouth_covered" not in verdict["evidence"]


@pytest.mark.parametrize(
    "name, make",
    [
        ("sideways", lambda p, f: np.rot90(p)),
        ("sideways", lambda p, f: np.rot90(p, 3)),
        ("upside_down", lambda p, f: np.rot90(p, 2)),
        ("face_cut_off", lambda p, f: p[:, int(f.mesh[1, 0]) :]),
        ("mouth_covered", lambda p, f: covered(p, f.mesh, "black mask", 3)),
    ],
)
def test_each_fault_warns_in_every_profile_and_is_never_refused(picture, face, name, make):
    for verdict in judged_by_each(make(picture, face)):
        assert name in reasons(verdict) and verdict["verdict"] == "warn" and verdict["passed"]
        assert 30 < verdict["score"] <= 60
    assert not reasons(judged(picture)) & PORTRAIT_REASONS


def test_exif_orientation_is_not_a_fault(picture, tmp_path):
    """The same pixels, once with the tag that turns them upright and once without it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = Image.fromarray(np.ascontiguousarray(np.rot90(picture)))
    turned.save(tmp_path / "tagged.png", exif=exif)
    turned.save(tmp_path / "stripped.png")
    assert "sideways" not in reasons(check.check_file(tmp_path / "tagged.png"))
    stripped = check.check_file(tmp_path / "stripped.png")
    advice = [r["advice"] for r in stripped["reasons"] if r["name"] == "sideways"]
    assert advice == ["Turn the picture a quarter to the right: the face lies on its side."]


def test_the_csv_report_has_the_codes(picture, face, tmp_path, capsys):
    Image.fromarray(covered(picture, face.mesh, "surgical mask", 1)).rotate(180).save(tmp_path / "both.png")
    assert main(["check", str(tmp_path / "both.png"), "--csv"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert {"upside_down", "mouth_covered"} <= set(row["reasons"].replace(";", " ").split())
    assert "Turn the picture by half" in row["advice"] and "shows the mouth" in row["advice"]


def test_a_repaired_cutout_is_judged_without_its_white(picture, face, tmp_path):
    """A JPEG that was cut out: the repair's second verdict leaves the transparent parts out like the first."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=35)
    compressed = np.array(Image.open(stream))
    image = Image.fromarray(compressed)
    image.putalpha(
        Image.fromarray(
            np.where(np.arange(picture.shape[1]) < 400, 255, 0).astype(np.uint8)[None].repeat(picture.shape[0], 0)
        )
    )
    image.save(tmp_path / "cut.png")
    _, done = repair_picture((tmp_path / "cut.png").read_bytes(), face_box="find")
    assert done.repaired and not reasons(done.verdict) & {"overexposed", *PORTRAIT_REASONS}
