"""`sonic render` and `sonic doctor` from the outside."""

import contextlib
import io
import json

import av
import numpy as np
import pytest
from PIL import Image

from sonic_nodes.commands.cli import main
from sonic_nodes.media.provenance import read_back

FAST = ["--min-resolution", "128"]


def command(sample_dir):
    return ["render", str(sample_dir / "portrait.jpg"), str(sample_dir / "lips.wav")]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory, sample_dir):
    """(JSON, path, folder with frames) of the sample speaking `lips.wav`, without loss."""
    folder = tmp_path_factory.mktemp("render")
    out, frames = folder / "clip.mp4", folder / "frames"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = main(
            [
                *command(sample_dir),
                "-o",
                str(out),
                "--lossless",
                "--json",
                "--frames",
                str(frames),
                "--seed",
                "7",
                *FAST,
            ]
        )
    assert code == 0
    return json.loads(printed.getvalue()), out, frames


def decoded(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def still(frames, i):
    return np.asarray(Image.open(frames / f"{i + 1:06d}.png"))


def test_json_report(rendered):
    report, out, frames = rendered
    assert set(report) == {
        "output",
        "frames",
        "fps",
        "duration_s",
        "seconds",
        "render_seconds",
        "peak_memory_mb",
        "notes",
        "commanded",
    }
    assert report["notes"] == []
    assert report["output"] == str(out) and report["fps"] == 25
    assert report["frames"] == round(25 * report["duration_s"]) == len(list(frames.iterdir()))
    assert len(report["commanded"]["opening"]) == len(report["commanded"]["width"]) == report["frames"]
    assert 0 < report["render_seconds"] <= report["seconds"] and report["peak_memory_mb"] > 0


def test_lossless_video_equals_the_frames(rendered):
    report, out, frames = rendered
    video = decoded(out)
    assert len(video) == report["frames"]
    for i, picture in enumerate(video):
        assert np.array_equal(picture, still(frames, i)), i


def test_the_mouth_follows_its_poses(rendered):
    report, _, frames = rendered
    opening = np.array(report["commanded"]["opening"])
    assert opening.max() > 0.04
    assert np.abs(still(frames, 0).astype(int) - still(frames, int(opening.argmax()))).max() > 40


def test_file_says_that_it_is_generated(rendered):
    report = read_back(rendered[1])
    assert report["ai_generated"] is True and report["engine"] == "draft" and report["seed"] == 7


def test_same_seed_same_video_and_another_seed_another(tmp_path, sample_dir):
    def frames(seed, name):
        out = tmp_path / name
        assert main([*command(sample_dir), "-o", str(out), "--lossless", "--seed", str(seed), *FAST]) == 0
        return np.stack(decoded(out))

    first = frames(1, "a.mp4")
    assert np.array_equal(first, frames(1, "b.mp4"))
    assert not np.array_equal(first, frames(2, "c.mp4"))


def test_paste_back_keeps_the_picture_around_the_face(tmp_path, sample_dir):
    out = tmp_path / "whole.mp4"
    assert main([*command(sample_dir), "-o", str(out), "--lossless", "--paste-back", *FAST]) == 0
    source = np.asarray(Image.open(sample_dir / "portrait.jpg").convert("RGB"))
    video = decoded(out)
    assert video[0].shape == source.shape
    for picture in video:
        assert np.array_equal(picture[-60:], source[-60:])
    assert np.abs(video[0].astype(int) - video[len(video) // 3]).max() > 30


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        (["--label-corner", "top-left"], "Add --label TEXT, or leave out --label-corner"),
        (["--label-always"], "Add --label TEXT, or leave out --label-always"),
        (["--label", ""], "Give the label a text of 1 to 100 characters"),
        (["--label", "AI-generated " * 7, *FAST], "Shorten the label's text"),
        (["--aigc", "Label=2"], "Write --aigc as FIELD=VALUE"),
    ],
)
def test_marks_that_cannot_be_made_end_before_the_work(capsys, tmp_path, sample_dir, options, remedy):
    assert main([*command(sample_dir), "-o", str(tmp_path / "a.mp4"), *options]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"sonic: {remedy}")
    assert list(tmp_path.iterdir()) == []


def test_the_visible_label_is_drawn_on_the_first_two_seconds(tmp_path, sample_dir):
    """Also on a pasted picture, whose size it is measured by; the record says so."""
    out, plain = tmp_path / "a.mp4", tmp_path / "b.mp4"
    options = ["--lossless", "--paste-back", *FAST, "--duration", "2.4"]
    label = ["--label", "AI生成", "--label-corner", "top-left"]
    assert main([*command(sample_dir), "-o", str(out), *label, *options]) == 0
    assert main([*command(sample_dir), "-o", str(plain), *options]) == 0
    with_label, without = decoded(out), decoded(plain)
    different = [not np.array_equal(*pair) for pair in zip(with_label, without, strict=True)]
    assert different == [True] * 50 + [False] * (len(without) - 50) and len(without) == 60
    assert read_back(out)["visible_label"] == {"text": "AI生成", "corner": "top-left", "size": 0.06, "always": False}
    assert "visible_label" not in read_back(plain)


def test_doctor(capsys):
    assert main(["doctor", "--json"]) == 0
    findings = {item["name"]: item for item in json.loads(capsys.readouterr().out)}
    assert findings["extension"]["ok"] and findings["face models"]["ok"] and findings["encoder"]["ok"]
    assert main(["doctor"]) == 0
    assert "ok  torch" in capsys.readouterr().out


def test_wrong_options_end_with_code_2(capsys):
    for arguments in (
        [],
        ["render"],
        ["render", "a", "b"],
        ["render", "a", "b", "-o", "c.mp4", "--sway", "much"],
        ["sing"],
    ):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2
    assert "usage: sonic" in capsys.readouterr().err
    assert main(["render", "a", "b", "-o", "c.mp4", "--sway", "3"]) == 2
    assert capsys.readouterr().err == "sonic: Choose --sway between 0 and 2: it is 3.0.\n"


@pytest.mark.parametrize("start", [[], ["--start", "0.5"]])
def test_a_duration_beyond_the_recording_is_refused_in_the_command_s_words(sample_dir, tmp_path, capsys, start):
    out = tmp_path / "a.mp4"
    assert main([*command(sample_dir), "-o", str(out), "--duration", "60", *start, *FAST]) == 3
    told = capsys.readouterr().err
    assert "sonic: Lower --duration, or leave it out to use all that there is: the recording has " in told
    assert "on_mismatch" not in told and ("after start, 0.50 s" in told) == bool(start) and not out.exists()


def test_a_wide_crop_is_pasted_into_the_whole_picture(sample_dir, tmp_path, capsys):
    """At 192 pixels the sample's face is too small in the whole picture of 512x600."""
    out = tmp_path / "wide.mp4"
    wide = ["--crop", "wide", "--min-resolution", "192", "--start", "0.4", "--duration", "0.2", "--lossless", "--json"]
    assert main([*command(sample_dir), "-o", str(out), *wide]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["frames"] == 5 and any(
        "are animated and pasted into the picture of 512x600" in n for n in report["notes"]
    )
    with Image.open(sample_dir / "portrait.jpg") as portrait:
        source = np.asarray(portrait.convert("RGB"))
    for frame in decoded(out):
        assert frame.shape == source.shape and np.array_equal(frame[:8, :8], source[:8, :8])


def test_faces_are_counted_from_the_left(sample_dir, tmp_path, capsys):
    both = [
        "render",
        str(sample_dir / "two_speakers.jpg"),
        str(sample_dir / "lips.wav"),
        "--face-order",
        "left-to-right",
    ]
    short = ["--duration", "0.2", "--min-resolution", "128", "--json", "-o", str(tmp_path / "a.mp4")]
    assert main([*both, "--face", "1", *short]) == 0
    assert "number 1 from the left was chosen" in " ".join(json.loads(capsys.readouterr().out)["notes"])
    assert main([*both, "--face", "2", *short]) != 0
    assert "from 0 to 1 (0 is the leftmost)" in capsys.readouterr().err
