"""Lists as people write them, and lists that are wrong or hostile."""

import json
import os

import pytest

from sonic_nodes.batch import manifest
from sonic_nodes.batch.manifest import Places, read_list, read_pairs
from sonic_nodes.errors import InputError

OPTIONS = {"seed": True, "paste_back": False, "face_mask": True}


@pytest.fixture
def places(tmp_path):
    return Places(str(tmp_path), str(tmp_path), str(tmp_path / "out"), str(tmp_path / "out" / "sonic-batch"))


def read(places, content, name="list.csv", options=OPTIONS):
    path = os.path.join(places.folder, name)
    with open(path, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())
    return read_list(path, places, options)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_spreadsheets_save(places, separator, encoding, end):
    lines = [["Portrait", " Recording ", "--seed", "Paste-Back"], ["人.png", "a.wav", "7", "yes"], ["b.png", "b.wav"]]
    listing = read(places, (end.join(separator.join(line) for line in lines) + end * 2).encode(encoding))
    assert not listing.bad
    assert [(row.portrait, row.speech) for row in listing.rows] == [
        (os.path.join(places.folder, portrait), os.path.join(places.folder, speech))
        for portrait, speech in (("人.png", "a.wav"), ("b.png", "b.wav"))
    ]
    assert [row.options for row in listing.rows] == [("--seed=7", "--paste-back"), ()]
    assert [os.path.basename(row.output) for row in listing.rows] == ["人_a.mp4", "b_b.mp4"]


def test_json_lines(places):
    rows = [{"portrait": "a.png", "speech": "a.wav", "seed": 3, "paste_back": True, "output": "x/y.mp4"}]
    listing = read(places, "\n".join(map(json.dumps, rows)) + '\n{"portrait": 1}\n[]\nnonsense\n', "list.jsonl")
    assert listing.rows[0].options == ("--seed=3", "--paste-back")
    assert listing.rows[0].output == os.path.join(places.out, "x", "y.mp4")
    assert [bad.number for bad in listing.bad] == [2, 3, 4]


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        ("", "Write a line for each video"),
        ("portrait,speech\n", "Write a line for each video"),
        ("portrait,sound\na.png,a.wav\n", "Name the columns in the first line"),
        ("portrait,speech,speech\na,b,c\n", "Give each column a name of its own"),
        (b"portrait,speech\n\xff\xfe\xfa,b\n", "Save the list as UTF-8"),
        ('portrait,speech\n"a,b\n', "Correct the list at line"),
    ],
)
def test_a_list_that_is_none(places, content, remedy):
    with pytest.raises(InputError, match=remedy):
        read(places, content)


@pytest.mark.parametrize(
    ("row", "remedy"),
    [
        (",a.wav,,,", "Name a file in the column portrait"),
        ("a.png,../a.wav,,,", "Name a folder that holds all inputs with --root"),
        ("/etc/passwd,a.wav,,,", "Name a folder that holds all inputs with --root"),
        ("a.png,a.wav,../x.mp4,,", "Choose another output"),
        ("a.png,a.wav,/tmp/x.mp4,,", "Choose another output"),
        ("a.png,a.wav,x.avi,,", "Name the output with .mp4"),
        ("a.png,a.wav,sonic-batch/x.mp4,,", "Choose another folder for the output"),
        ("a.png,a.wav,good.mp4,,", "Choose another output"),
        ("a.png,a.wav,GOOD.MP4,,", "Choose another output"),
        ("a.png,a.wav,,perhaps,", "Write yes or no"),
        ("a.png,a.wav,,,,,x", "Put texts with"),
        (f"a.png,{'a' * 5000}.wav,,,", "Shorten speech"),
    ],
)
def test_a_row_that_is_wrong_is_named_with_its_line(places, row, remedy):
    listing = read(places, f"portrait,speech,output,paste_back,seed\na.png,a.wav,good.mp4,,\n{row}\n")
    assert len(listing.rows) == 1
    assert [(bad.number, bad.text.startswith(remedy)) for bad in listing.bad] == [(3, True)], listing.bad


def test_a_column_that_nothing_reads_is_refused(places):
    listing = read(places, "portrait,speech,sede\na.png,a.wav,7\n")
    assert listing.bad[0].text.startswith("Remove or rename 'sede'")


@pytest.mark.posix("symbolic links")
def test_a_link_does_not_lead_out_of_the_root(places):
    os.symlink("/etc", os.path.join(places.folder, "inside"))
    assert len(read(places, "portrait,speech\ninside/passwd,a.wav\n").bad) == 1


def test_a_hundred_thousand_rows_and_no_more(places, monkeypatch):
    line = "a.png,a.wav\n"
    assert len(read(places, "portrait,speech\n" + line * 2000).rows) == 2000
    outputs = {row.output for row in read(places, "portrait,speech\n" + line * 2000).rows}
    assert len(outputs) == 2000
    monkeypatch.setattr(manifest, "MAX_ROWS", 1000)
    with pytest.raises(InputError, match="Split the list"):
        read(places, "portrait,speech\n" + line * 1001)
    with pytest.raises(InputError, match="Choose fewer files"):
        read_pairs(["a.png"] * 11, ["a.wav"] * 100, places)


def test_a_list_too_large_is_not_read(places, monkeypatch):
    monkeypatch.setattr(manifest, "MAX_BYTES", 1000)
    with pytest.raises(InputError, match="Split the list"):
        read(places, b"x" * (2 << 20))


def test_pairs_keep_the_recordings_of_a_picture_together(places):
    rows = read_pairs(["/p/a.png", "/p/b.png"], ["/v/1.wav", "/w/1.wav"], places).rows
    assert [os.path.basename(row.output) for row in rows] == ["a_1.mp4", "a_1_2.mp4", "b_1.mp4", "b_1_2.mp4"]
