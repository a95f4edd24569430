"""`sonic check`: a result for every file, and exit codes."""

import csv
import io
import json
import os

import pytest
from PIL import Image

from sonic_nodes.commands.cli import main
from sonic_nodes.errors import InputError
from sonic_nodes.gate.legacy_rule import detect_jpeg_artifacts
from tests.oracles.jpegs import jpeg


@pytest.fixture(scope="module")
def folder(tmp_path_factory, clean, saved):
    folder = tmp_path_factory.mktemp("pictures")
    Image.fromarray(clean).save(folder / "a_clean.png")
    (folder / "b_q40.jpg").write_bytes(jpeg(clean, 40))
    Image.fromarray(saved(40)).save(folder / "c_q40.png")
    (folder / "d_text.png").write_text("no picture")
    (folder / "e_short.jpg").write_bytes(jpeg(clean, 90)[:3000])
    (folder / "notes.txt").write_text("ignored")
    return folder


def test_json_has_a_row_for_each_file(folder, capsys):
    assert main(["check", str(folder), "--json"]) == 1
    rows = json.loads(capsys.readouterr().out)
    assert [row["verdict"] for row in rows] == ["ok", "reject", "reject", "unreadable", "unreadable"]
    assert [row["passed"] for row in rows] == [True, False, False, False, False]
    assert rows[1]["jpeg_quality"] == rows[2]["jpeg_quality"] == 40
    assert rows[0]["score"] > rows[2]["score"]
    assert {"name", "value", "threshold", "confidence", "advice"} <= rows[2]["reasons"][0].keys()


def test_csv_can_be_read_back(folder, capsys):
    main(["check", str(folder), "--csv"])
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["verdict"] for row in rows] == ["ok", "reject", "reject", "unreadable", "unreadable"]


@pytest.mark.parametrize(
    ("names", "code"), [(["a_clean.png"], 0), (["b_q40.jpg", "d_text.png"], 1), (["a_clean.png", "d_text.png"], 3)]
)
def test_exit_codes(folder, capsys, names, code):
    assert main(["check", *(str(folder / name) for name in names)]) == code


def test_min_score_only_decides_what_passes(folder, clean, capsys):
    (folder.parent / "q72.jpg").write_bytes(jpeg(clean, 72))
    assert main(["check", str(folder.parent / "q72.jpg"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["passed"] is True
    assert main(["check", str(folder.parent / "q72.jpg"), "--min-score", "90", "--json"]) == 1
    row = json.loads(capsys.readouterr().out)[0]
    assert (row["verdict"], row["passed"]) == ("ok", False)


def test_lenient_warns_where_strict_rejects(folder, clean, capsys):
    (folder.parent / "q55.jpg").write_bytes(jpeg(clean, 55))
    verdicts = {}
    for profile in ("strict", "portrait", "lenient"):
        main(["check", str(folder.parent / "q55.jpg"), "--profile", profile, "--json"])
        verdicts[profile] = json.loads(capsys.readouterr().out)[0]["verdict"]
    assert verdicts == {"strict": "reject", "portrait": "reject", "lenient": "ok"}


def test_jobs_give_the_same_rows_in_the_same_order(folder, capsys):
    main(["check", str(folder), "--json", "--jobs", "1"])
    one = json.loads(capsys.readouterr().out)
    main(["check", str(folder), "--json", "--jobs", "2"])
    assert json.loads(capsys.readouterr().out) == one


def test_detect_jpeg_artifacts_keeps_its_meaning(folder):
    assert detect_jpeg_artifacts(folder / "a_clean.png") is True
    fine, report = detect_jpeg_artifacts(folder / "c_q40.png", details=True)
    assert fine is False
    assert report["old_rule"].keys() == {"gradient_variance", "high_energy", "file_bytes", "fine"}
    with pytest.raises(InputError):
        detect_jpeg_artifacts(folder / "d_text.png")


def test_repair_writes_what_could_be_repaired_and_reports_it(folder, tmp_path, capsys):
    out, before = tmp_path / "out", {path.name: path.read_bytes() for path in folder.iterdir()}
    assert main(["check", str(folder), "--repair", str(out), "--json"]) == 1
    rows = {os.path.basename(row["path"]): row for row in json.loads(capsys.readouterr().out)}
    assert sorted(path.name for path in out.iterdir()) == ["b_q40_repaired.png", "c_q40_repaired.png"]
    assert [rows[name]["repaired"] for name in ("a_clean.png", "b_q40.jpg", "c_q40.png")] == [False, True, True]
    repair = rows["b_q40.jpg"]["repair"]
    assert repair["score_after"] > repair["score_before"] == rows["b_q40.jpg"]["score"]
    assert repair["file"] == str(out / "b_q40_repaired.png")
    assert rows["a_clean.png"]["repair"]["reason"].startswith("The picture is left as it is:")
    assert "repaired" not in rows["d_text.png"]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    with Image.open(folder / "b_q40.jpg") as source, Image.open(repair["file"]) as repaired:
        assert source.size == repaired.size


def test_repair_of_one_picture_goes_to_the_named_file(folder, tmp_path, capsys):
    main(["check", str(folder / "b_q40.jpg"), "--repair", str(tmp_path / "better.png")])
    assert "dB nearer to the original (estimated)" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["better.png"]


def test_repair_never_writes_over_the_picture(folder, capsys):
    before = (folder / "c_q40.png").read_bytes()
    assert main(["check", str(folder / "c_q40.png"), "--repair", str(folder / "c_q40.png")]) == 2
    assert "the picture itself" in capsys.readouterr().err
    assert main(["check", str(folder), "--repair", str(folder / "one.png")]) == 2
    assert (folder / "c_q40.png").read_bytes() == before
    assert not (folder / "one.png").exists()


def test_repair_in_csv(folder, tmp_path, capsys):
    main(["check", str(folder), "--repair", str(tmp_path), "--csv"])
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["repaired"] for row in rows] == ["False", "True", "True", "", ""]
    assert rows[1]["repair_file"] == str(tmp_path / "b_q40_repaired.png")
