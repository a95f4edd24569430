"""`sonic check --html`, `--heat-map`, `--allow-url`, and pictures in parallel processes."""

import base64
import csv
import io
import json
import os
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from sonic_nodes.commands import check
from sonic_nodes.commands.cli import main
from sonic_nodes.errors import InputError
from sonic_nodes.gate import page, result, workers
from sonic_nodes.gate.result import Outputs, Request
from sonic_nodes.gate.workers import AHEAD, check_sources
from tests.oracles.jpegs import jpeg
from tests.oracles.system import file_names

# the second one Windows can have: markup when it is unescaped once too often
HOSTILE = file_names("<img src=x onerror=alert(1)>&\"'.png", "&lt;img src=x onerror=alert(1)&gt;&'.png")[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, clean):
    folder = tmp_path_factory.mktemp("pictures")
    small = np.ascontiguousarray(clean[40:200, 40:220])
    (folder / "a.jpg").write_bytes(jpeg(small, 40))
    Image.fromarray(small).save(folder / HOSTILE)
    (folder / "z.png").write_text("no picture")
    return folder


class Parsed(HTMLParser):
    """Elements with their attributes, rows as lists of texts."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.rows = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        elif tag == "td":
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data

    def named(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


@pytest.fixture
def report(folder, tmp_path, capsys):
    path = tmp_path / "report.html"
    assert main(["check", str(folder), "--html", str(path)]) == 1
    assert capsys.readouterr().out == ""
    assert os.listdir(tmp_path) == ["report.html"]
    return path.read_text(encoding="utf-8")


def test_html_has_a_row_with_pictures_for_each_file(report, folder):
    seen = Parsed(report)
    rows = [r for r in seen.rows if r]
    assert [r[0] for r in rows] == [str(folder / name) for name in sorted(os.listdir(folder))]
    assert {r[1].split()[0] for r in rows} == {"ok", "reject", "unreadable"}
    assert "2 pictures" not in report and "3 pictures: 1 ok, 1 reject, 1 unreadable." in report
    pictures = seen.named("img")
    assert [p["alt"] for p in pictures] == ["picture", "heat map"] * 2
    for picture in pictures:
        kind, _, data = picture["src"].partition(",")
        assert kind == "data:image/jpeg;base64"
        assert max(Image.open(io.BytesIO(base64.b64decode(data))).size) == 144


def test_html_is_one_file_without_requests_or_other_scripts(report):
    seen = Parsed(report)
    tags = [tag for tag, _ in seen.elements]
    assert tags.count("script") == tags.count("style") == 1 and not {"link", "iframe", "object", "base"} & set(tags)
    assert not re.search(r"https?:|//|@import|url\(", without_data(report))
    assert not [name for _, attrs in seen.elements for name in attrs if name.startswith("on") or name == "style"]
    policy = next(m["content"] for m in seen.named("meta") if m.get("http-equiv") == "Content-Security-Policy")
    for name, text in (("style", page.STYLE), ("script", page.SCRIPT)):
        inside = re.search(f"<{name}>(.*?)</{name}>", report, re.S)[1]
        assert inside == text and f"{name}-src 'sha256-{page.digest(inside)}'" in policy
    assert policy.startswith("default-src 'none'; img-src data:;")


def without_data(text):
    return re.sub(r'src="data:[^"]*"', "", text)


def test_names_cannot_become_markup(report):
    assert HOSTILE not in report and "<img src=x" not in report


def test_columns_sort_by_what_they_mean(report):
    keys = re.findall(r'data-sort="([^"]*)"', report)
    by_row = [keys[i : i + 4] for i in range(0, len(keys), 4)]
    verdict, score, quality, reasons = zip(*by_row, strict=True)
    assert sorted(verdict) == ["0", "2", "3"] and {"40", "101"} <= set(quality) and set(reasons) <= set("0123")
    assert float(score[verdict.index("0")]) > float(score[verdict.index("2")]) > float(score[verdict.index("3")]) == 0
    assert len(Parsed(report).named("button")) == 5


def test_html_and_json_together(folder, tmp_path, capsys):
    main(["check", str(folder), "--html", str(tmp_path / "r.html"), "--json"])
    assert len(json.loads(capsys.readouterr().out)) == 3 and (tmp_path / "r.html").stat().st_size > 5000


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("report.txt", 2, "Name the report with .html"),
        ("absent/r.html", 6, "Choose a folder that exists"),
        ("folder.html", 6, "Choose a file name"),
        ("a\0.html", 6, "NUL"),
    ],
)
def test_a_report_that_cannot_be_written_is_an_error_before_the_work(
    folder, tmp_path, capsys, monkeypatch, name, code, message
):
    (tmp_path / "folder.html").mkdir()
    monkeypatch.setattr(workers, "check_source", lambda *args: pytest.fail("judged before the path was checked"))
    assert main(["check", str(folder), "--html", str(tmp_path / name)]) == code
    assert message in capsys.readouterr().err


def test_a_report_is_not_written_over_a_picture(tmp_path, capsys):
    Image.new("RGB", (64, 64)).save(tmp_path / "a.html", "PNG")
    before = (tmp_path / "a.html").read_bytes()
    assert main(["check", str(tmp_path / "a.html"), "--html", str(tmp_path / "a.html")]) == 2
    assert (tmp_path / "a.html").read_bytes() == before and "Choose another name" in capsys.readouterr().err


def test_a_cancelled_run_leaves_the_older_report(folder, tmp_path, monkeypatch, capsys):
    path = tmp_path / "report.html"
    path.write_text("older")
    count = []

    def stop(source, request, outputs):
        count.append(source)
        if len(count) == 2:
            raise KeyboardInterrupt
        return result.check_source(source, request)

    monkeypatch.setattr(workers, "check_source", stop)
    assert main(["check", str(folder), "--html", str(path)]) == 130
    assert path.read_text() == "older" and os.listdir(tmp_path) == ["report.html"]


def test_one_heat_map_has_the_given_name(folder, tmp_path, capsys):
    out = tmp_path / "map.png"
    assert main(["check", str(folder / "a.jpg"), "--heat-map", str(out)]) == 1
    with Image.open(out) as drawn, Image.open(folder / "a.jpg") as picture:
        assert drawn.format == "PNG" and drawn.size == picture.size
        red, _, blue = (np.asarray(band, float) for band in drawn.convert("RGB").split())
    assert (red - blue).mean() > 80


def test_heat_maps_of_a_folder_get_distinct_names_in_a_folder(folder, tmp_path, capsys):
    again = tmp_path / "again"
    again.mkdir()
    (again / "a.jpg").write_bytes((folder / "a.jpg").read_bytes())
    main(["check", str(folder), str(again), "--heat-map", str(tmp_path / "maps")])
    assert sorted(os.listdir(tmp_path / "maps")) == sorted(
        ["a_heat.png", "a_heat_2.png", HOSTILE.replace(".png", "_heat.png")]
    )


@pytest.mark.parametrize(
    ("out", "code", "message"),
    [("x.png", 2, "Name a folder for --heat-map"), ("file", 6, "Choose a folder that can be made")],
)
def test_heat_maps_that_cannot_be_written_are_an_error(folder, tmp_path, capsys, out, code, message):
    (tmp_path / "file").write_text("here already")
    assert main(["check", str(folder), "--heat-map", str(tmp_path / out)]) == code
    assert message in capsys.readouterr().err


def test_a_heat_map_that_cannot_be_written_ends_the_run(folder, tmp_path, capsys):
    (tmp_path / "maps/a_heat.png").mkdir(parents=True)
    assert main(["check", str(folder / "a.jpg"), "--heat-map", str(tmp_path / "maps")]) == 6
    assert "Choose a file name" in capsys.readouterr().err


def test_a_picture_is_not_overwritten_by_a_heat_map(tmp_path, clean, capsys):
    (tmp_path / "a_heat.png").write_bytes(jpeg(clean, 90))
    (tmp_path / "a.jpg").write_bytes(jpeg(clean, 90))
    before = (tmp_path / "a_heat.png").read_bytes()
    main(["check", str(tmp_path), "--heat-map", str(tmp_path)])
    assert (tmp_path / "a_heat.png").read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["a.jpg", "a_heat.png", "a_heat_2.png", "a_heat_heat.png"]
    assert main(["check", str(tmp_path / "a_heat.png"), "--heat-map", str(tmp_path / "a_heat.png")]) == 2


def test_an_address_without_allow_url_is_unreadable_with_the_remedy(folder, capsys, monkeypatch):
    monkeypatch.setattr(result, "fetch", lambda url: pytest.fail("fetched without --allow-url"))
    assert main(["check", "https://example.com/a.jpg", str(folder / "a.jpg"), "--json"]) == 1
    first, second = json.loads(capsys.readouterr().out)
    assert first["path"] == "https://example.com/a.jpg" and first["verdict"] == "unreadable"
    assert first["reasons"][0]["advice"].startswith("Add --allow-url to fetch pictures from the network")
    assert second["verdict"] == "reject"


def test_allowed_addresses_are_judged_like_files_and_failures_are_results(folder, capsys, monkeypatch):
    def fetched(url):
        if "absent" in url:
            raise InputError("Check the address: it answers 404.")
        return (folder / "a.jpg").read_bytes()

    monkeypatch.setattr(result, "fetch", fetched)
    assert main(["check", "http://example.com/absent", "http://example.com/a", "--allow-url", "--json"]) == 1
    absent, there = json.loads(capsys.readouterr().out)
    assert absent["reasons"][0]["advice"] == "Check the address: it answers 404." and there["jpeg_quality"] == 40


def test_allowed_addresses_still_have_to_be_public(capsys):
    assert main(["check", "http://127.0.0.1:9/a.png", "--allow-url", "--json"]) == 3
    assert "which is private or reserved" in json.loads(capsys.readouterr().out)[0]["reasons"][0]["advice"]


@pytest.mark.parametrize("form", [[], ["--csv"], ["--json"], ["--html"]])
def test_any_name_that_a_file_can_have_is_printed(tmp_path, clean, capsys, form):
    name = [*file_names("\udcff\udcfe \x1b[31m\n图.png"), "\u202e 图.png"][0]
    Image.fromarray(clean).save(str(tmp_path / name))
    out = tmp_path / "report.html"
    assert main(["check", str(tmp_path), *form, *([str(out)] if form == ["--html"] else [])]) == 0
    printed = out.read_text(encoding="utf-8") if form == ["--html"] else capsys.readouterr().out
    if not form:
        assert "\x1b" not in printed and "\u202e" not in printed and printed.count("\n") == 1
    elif form == ["--csv"]:
        assert len(list(csv.DictReader(io.StringIO(printed, newline="")))) == 1
    else:
        assert "png" in printed


class Deadly:
    """Ends the process that unpickles it."""

    def __reduce__(self):
        return os._exit, (9,)


def test_a_process_that_dies_is_a_result_and_the_others_continue(folder):
    outputs = [Outputs(), Outputs(Deadly()), Outputs(), Outputs()]
    results = list(check_sources([str(folder / "a.jpg")] * 4, outputs, Request(), jobs=2))
    assert [r.verdict["verdict"] for r in results] == ["reject", "unreadable", "reject", "reject"]
    assert results[1].verdict["reasons"][0]["advice"].startswith("Save the picture again: judging it ended early")


@pytest.mark.parametrize("jobs", [1, 2])
def test_sources_are_taken_as_they_are_needed(folder, jobs):
    """Neither waiting sources nor finished results accumulate."""
    taken = []

    def sources():
        for i in range(1000):
            taken.append(i)
            yield str(folder / "absent.png")

    results = check_sources(sources(), (Outputs() for _ in range(1000)), Request(), jobs)
    next(results)
    results.close()
    assert len(taken) <= AHEAD * jobs


def test_an_unexpected_error_is_a_result(folder, monkeypatch):
    def broken(*args, **options):
        raise RuntimeError("unexpected")

    monkeypatch.setattr(result, "judged", broken)
    (only,) = check_sources([str(folder / "a.jpg")], [Outputs()], Request(), 1)
    assert only.verdict["verdict"] == "unreadable" and "RuntimeError" in only.verdict["reasons"][0]["advice"]


def test_results_are_printed_as_they_come(folder, monkeypatch, capsys):
    seen = []

    def recorded(*args):
        seen.append(capsys.readouterr().out)
        return result.check_source(*args)

    monkeypatch.setattr(workers, "check_source", recorded)
    main(["check", str(folder)])
    assert [bool(text) for text in seen] == [False, True, True]


def test_output_names_are_unused_and_in_order():
    taken = {"a_heat_3.png": 1}
    assert [check.free_name(f"/{i}/A.jpg", "heat", taken) for i in range(4)] == [
        "A_heat.png",
        "A_heat_2.png",
        "A_heat_4.png",
        "A_heat_5.png",
    ]


def test_output_names_of_addresses_are_short():
    assert check.free_name("https://example.com/a/b.jpg?c=/d#e", "heat", {}) == "b_heat.png"
    assert check.free_name("https://example.com/" + "x" * 500 + ".jpg", "heat", {}) == "x" * 80 + "_heat.png"
