"""Names and tags that others wrote: nothing of them reaches a terminal, a spreadsheet or a page as anything but text,
and JSON and CSV give the names back."""

import csv
import io
import json
import os
import re
import struct
import unicodedata
from html import unescape
from pathlib import Path

import pytest
from PIL import Image

from sonic_nodes.commands import models, render
from sonic_nodes.commands.cli import main
from sonic_nodes.errors import InputError, InstallError, SonicError
from sonic_nodes.gate.reports import csv_cell
from sonic_nodes.printable import printable, printable_lines
from tests.oracles.system import WINDOWS, file_names

ROOT = str(Path(__file__).resolve().parents[2])
NAMES = {
    "colour": "a\x1b[31mred.png",
    "clear the screen": "a\x1b[2J\x1b[H.png",
    "title": "a\x1b]0;owned\x07.png",
    "C1": "a\x9b31m.png",
    "line": "a\nsonic: all good.png",
    "return": "a\rok.png",
    "tab": "a\tb.png",
    "backspace": "a\x08\x08b.png",
    "bidi": "a\u202egnp.exe",
    "isolate": "a\u2066b\u2069.png",
    "invisible": "a\u200b\u2060\ufeffb.png",
    "line separator": "a\u2028b\u2029.png",
    "tag characters": "a\U000e0041.png",
    "not UTF-8": "a\udcff\udcfe\x1b.png",  # as os.fsdecode has it
    "backslash": "a\\x1b\\udcff.png",
    "backslash and letter": "a\\tb\\n\\\\x.png",
    "a tab and a formula": "\t=1.png",
    "formula": "=1+1.png",
    "command": "@SUM(1).png",
    "minus": "-2+3.png",
    "plus": "+1.png",
    "apostrophe": "'=1.png",
    "spaces": "  =1.png",
    "full width": "\uff1d1.png",
    "separator": "a;=1+1.png",
    "quote": 'a";"=1.png',
    "markup": "<b>&.png",
}
ORDINARY = [
    "a.png",
    "Größe 10 %.png",
    "写真\u3000一.png",
    "d'été.png",
    "a, b.png",
    "12.png",
    "#1.png",
    "Ж.png",
    "a=b.png",
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of files that are no pictures, with such names; the working directory."""
    monkeypatch.chdir(tmp_path)
    for name in file_names(*NAMES.values(), *ORDINARY):
        (tmp_path / name).write_bytes(b"no picture")
    return tmp_path


def is_safe(text: str) -> bool:
    return all(unicodedata.category(c)[0] != "C" and c not in "\u2028\u2029" for c in text.replace("\n", ""))


@pytest.mark.parametrize("kind", NAMES)
def test_printable_text_has_no_other_characters(kind):
    text = printable(NAMES[kind])
    assert is_safe(text) and "\n" not in text and printable(text) == text
    assert text == NAMES[kind] or "\\" in text


def test_ordinary_names_are_printed_as_they_are():
    assert [printable(name) for name in ORDINARY] == ORDINARY
    assert printable_lines("a\nb\x1b\n") == "a\nb\\x1b\n"


@pytest.mark.parametrize("kind", SonicError.__subclasses__())
def test_every_error_is_escaped(kind):
    text = str(kind("Choose another file: a\x1b[31m\u202e\udcff.png."))
    assert text == "Choose another file: a\\x1b[31m\\u202e\\udcff.png."
    assert str(InputError("a\nb")) == "a\\x0ab" and str(InstallError("a\n\x1bb")) == "a\n\\x1bb"


def test_check_prints_names_escaped(folder, capsys):
    assert main(["check", "--", *sorted(os.listdir())]) == 3
    out, err = capsys.readouterr()
    assert is_safe(out) and is_safe(err) and out.count("\n") == 2 * len(os.listdir())
    for name in ORDINARY:
        assert f"unreadable   0.0  {name}\n" in out


def test_check_json_gives_the_names_back(folder, capsysbinary):
    assert main(["check", "--json", "--", *sorted(os.listdir())]) == 3
    out = capsysbinary.readouterr().out
    assert out.isascii() and sorted(row["path"] for row in json.loads(out)) == sorted(os.listdir())
    assert b"\\udcff" in out or WINDOWS


def restored(cell: str) -> str:
    """As docs/gate.md says."""
    cell = cell[1:] if re.match(r"'['\s]*[=+\-@\uff1d\uff0b\uff0d\uff20]", cell) else cell
    return re.sub(
        r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))", lambda m: chr(int(m[1] or m[2] or m[3], 16)), cell
    )


def test_check_csv_gives_the_names_back_and_runs_nothing(folder, capsysbinary):
    assert main(["check", "--csv", "--", *sorted(os.listdir())]) == 3
    out = capsysbinary.readouterr().out.decode("utf-8")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert is_safe(out) and len(rows) == len(os.listdir())
    assert sorted(restored(row["path"]) for row in rows) == sorted(os.listdir())
    for row in rows:
        for text in row.values():
            assert not re.match(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]", text)
    assert {row["path"] for row in rows} >= set(ORDINARY)
    for delimiter in ";|\t":  # as a spreadsheet of another country opens it
        for row in csv.reader(io.StringIO(out), delimiter=delimiter):
            assert not [cell for cell in row if re.match(r"\s*[=+\-@]", cell)]


@pytest.mark.parametrize("value", [-3, -0.5, 83.2, None, True, float("nan")])
def test_numbers_stay_numbers(value):
    assert csv_cell(value) is value


@pytest.mark.parametrize("text", ["/srv/pictures/a.png", "C:\\x86\\a.png", "a-b.png", "1=2", "ok", "", "'a'", "(=1)"])
def test_ordinary_cells_stay(text):
    assert csv_cell(text) == text


def test_html_shows_names_as_text(folder, capsys):
    assert main(["check", "--html", "report.html", "--", *sorted(set(os.listdir()) - {"report.html"})]) == 3
    page = (folder / "report.html").read_bytes().decode("utf-8")
    assert is_safe(page) and "<b>&.png" not in page
    shown = {unescape(cell) for cell in re.findall(r"<tr class=\"\w+\"><td>(.*?)</td>", page)}
    assert shown == {printable(name) for name in os.listdir() if name != "report.html"}


def test_arguments_that_are_no_options_are_shown_escaped(capsys):
    with pytest.raises(SystemExit):
        main(["check", "a.png", "-\x1b[31m\u202e", "--\x9b"])
    assert is_safe(capsys.readouterr().err)


def test_names_of_tensors_are_shown_escaped(tmp_path, capsys):
    (tmp_path / "sonic").mkdir()
    entry = {"dtype": "F\x1b[5mX", "shape": [1], "data_offsets": [0, 0]}
    header = json.dumps(dict.fromkeys(NAMES.values(), entry)).encode()
    (tmp_path / "sonic/unet.pth").write_bytes(struct.pack("<Q", len(header)) + header + bytes(16))
    assert main(["models", "--models", str(tmp_path)]) == 7
    out, err = capsys.readouterr()
    assert "Unexpected: " in out and is_safe(out) and is_safe(err)
    assert main(["models", "--models", str(tmp_path), "--json"]) == 7
    assert capsys.readouterr().out.isascii()
    with pytest.raises(SonicError) as raised:
        models.convert(tmp_path, tmp_path / "out")
    assert is_safe(str(raised.value))


@pytest.mark.parametrize("name", file_names(*(NAMES[kind] for kind in ("colour", "line", "not UTF-8", "bidi"))))
def test_every_command_reports_such_files_in_one_line(tmp_path, capsys, name):
    path = str(tmp_path / name)
    with open(path, "wb") as out:
        out.write(b"no media")
    speech = os.path.join(ROOT, "sonic_nodes/assets/sample/speech.wav")
    for arguments in (
        ["render", path, speech, "-o", str(tmp_path / "o.mp4")],
        ["render", path, path, "-o", path + ".avi"],
        ["sync", path],
        ["smooth", path, "-o", str(tmp_path / "o.mp4")],
        ["models", "--models", path],
        ["check", path, "--html", path],
    ):
        assert main(arguments) != 0
        out, err = capsys.readouterr()
        assert is_safe(out + err) and err.startswith("sonic: ") and err.count("\n") == 1, arguments


def test_what_a_run_says_is_escaped(capsys):
    render.notify("the track 'a\x1b[31m\nb' is left out.")
    assert capsys.readouterr().err == "sonic: the track 'a\\x1b[31m\\x0ab' is left out.\n"


def test_the_path_of_the_result_is_escaped(tmp_path, capsys):
    sign = "\u202e" if WINDOWS else "\x1b"
    name = tmp_path / f"a{sign}[31m.png"
    Image.new("RGB", (200, 200), (200, 100, 50)).save(name)
    main(["check", str(name), "--heat-map", str(tmp_path / f"heat{sign}.png")])
    out, _ = capsys.readouterr()
    assert is_safe(out) and (tmp_path / f"heat{sign}.png").exists()
