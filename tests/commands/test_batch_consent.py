"""`sonic batch --require-consent`: rows without one make no video; text and digest are in the videos and the report."""

import hashlib
import re

import pytest

from sonic_nodes.media.provenance import read_back
from tests.commands.test_batch import batch, make_portraits, make_recordings

PAPER = "Ana <b>Example</b> agrees to three videos.\nuntil: 2999-12-31\n"
SAID = "Bo Example agrees to be heard; until 2030"


@pytest.fixture
def inputs(tmp_path, sample_dir):
    """Rows with a text, a file, nothing, and a consent that has ended."""
    make_portraits(tmp_path, sample_dir, 1)
    make_recordings(tmp_path, sample_dir, 1, 0.4)
    (tmp_path / "ana.txt").write_bytes(PAPER.encode())
    (tmp_path / "ended.txt").write_text("Cy Example agrees.\nuntil: 2020-01-01\n", "utf-8")
    lines = ["portrait,speech,output,consent", f"face0.png,voice0.wav,text.mp4,{SAID}"]
    lines += [f"face0.png,voice0.wav,{name}.mp4,{name}.txt" for name in ("ana", "ended")]
    lines += ["face0.png,voice0.wav,none.mp4,"]
    (tmp_path / "list.csv").write_text("\n".join(lines), "utf-8")
    return tmp_path


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_rows_without_a_consent_are_bad(inputs, capsys):
    code, report, said = batch(inputs, capsys, "--require-consent")
    assert (code, report) == (3, None) and not list((inputs / "out").glob("*.mp4"))
    assert "row 4: Ask for a new consent" in said and "row 5: Write in the column consent who agrees" in said
    code, report, _ = batch(inputs, capsys, "--require-consent", "--skip-bad")
    assert (code, report["done"], [problem["row"] for problem in report["problems"]]) == (3, 2, [4, 5])
    kept = {name: read_back(inputs / "out" / f"{name}.mp4")["consent"] for name in ("text", "ana")}
    assert kept["text"] == [{"text": SAID, "sha256": digest(SAID)}]
    assert kept["ana"] == [{"text": PAPER.strip(), "sha256": digest(PAPER), "until": "2999-12-31"}]
    page = (inputs / "out/sonic-batch/report.html").read_text("utf-8")
    for text in (SAID, PAPER):
        assert page.count(f'<dt id="c{digest(text)}">') == 1 and page.count(f'href="#c{digest(text)}"') == 1
    assert "Ana &lt;b&gt;Example" in page and "<b>Example" not in page and "valid until 2999-12-31" in page


def test_without_the_option_only_a_consent_that_has_ended_is_bad(inputs, capsys):
    code, report, _ = batch(inputs, capsys, "--skip-bad", "--check-only")
    assert (code, report["waiting"], [problem["row"] for problem in report["problems"]]) == (3, 3, [4])


def test_a_consent_for_all_rows_joins_that_of_a_row(inputs, capsys):
    lines = (inputs / "list.csv").read_text("utf-8").splitlines()
    (inputs / "list.csv").write_text("\n".join([lines[0], lines[1], lines[4]]), "utf-8")
    code, report, said = batch(inputs, capsys, "--require-consent", "--consent", str(inputs / "ana.txt"))
    assert (code, report["done"]) == (0, 2), said
    assert [c["sha256"] for c in read_back(inputs / "out/text.mp4")["consent"]] == [digest(PAPER), digest(SAID)]
    assert [c["sha256"] for c in read_back(inputs / "out/none.mp4")["consent"]] == [digest(PAPER)]
    page = (inputs / "out/sonic-batch/report.html").read_text("utf-8")
    assert page.count(f'<dt id="c{digest(PAPER)}">') == 1 and page.count(f'href="#c{digest(PAPER)}"') == 2
    assert not re.search(r"<dt id=\"(?!c[0-9a-f]{64}\")", page)


def test_another_consent_is_another_job(inputs, capsys):
    (inputs / "list.csv").write_text(f"portrait,speech,consent\nface0.png,voice0.wav,{SAID}\n", "utf-8")
    assert batch(inputs, capsys)[1]["done"] == 1
    assert batch(inputs, capsys)[1]["skipped"] == 1
    (inputs / "list.csv").write_text("portrait,speech,consent\nface0.png,voice0.wav,ana.txt\n", "utf-8")
    assert batch(inputs, capsys)[1]["done"] == 1


def test_a_report_without_consents_has_no_list_of_them(inputs, capsys):
    (inputs / "list.csv").write_text("portrait,speech\nface0.png,voice0.wav\n", "utf-8")
    assert batch(inputs, capsys, "--check-only")[0] == 0
    assert "<dl>" not in (inputs / "out/sonic-batch/report.html").read_text("utf-8")
