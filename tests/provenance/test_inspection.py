"""`sonic inspect`: what is found in files of this program, of others, and in hostile ones."""

import json
from datetime import date

import numpy as np
import pytest

from sonic_nodes.commands.cli import main
from sonic_nodes.media.provenance import IPTC_TERMS
from sonic_nodes.media.video_writer import VideoWriter
from sonic_nodes.provenance.caption import Caption
from sonic_nodes.provenance.consent import consents_of
from sonic_nodes.provenance.inspection import inspected
from sonic_nodes.provenance.marks import Marks
from sonic_nodes.provenance.report import lines_of
from sonic_nodes.watermark.marker import with_watermark
from tests.media import clips
from tests.provenance.marked_clip import PRODUCER, marked_tags, write_marked
from tests.provenance.test_xmp import AS_JSON, BOMB, FIELDS, SOURCE, packet

MARKS = Marks(
    {"ContentProducer": PRODUCER}, Caption("AI生成"), consents_of(["Ada agrees.\nuntil: 2027-12-31"], date(2026, 1, 1))
)


def write_other(path, metadata, written=b""):
    """A video of another program, with tags and an XMP packet."""
    with VideoWriter(path, 64, 64, metadata=metadata, packet=written) as writer:
        writer.write(np.zeros((3, 64, 64, 3), np.uint8))
    return str(path)


def test_all_marks_are_found(tmp_path, capsys):
    path = write_marked(tmp_path / "a.mp4", MARKS)
    assert main(["inspect", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ai_generated"] is True and found["label"]["engine"] == "draft" and found["label"]["seed"] == 7
    assert found["digital_source_type"] == IPTC_TERMS + "compositeSynthetic"
    assert found["aigc"]["mp4"]["ContentProducer"] == PRODUCER and found["aigc"]["agree"] is True
    assert found["aigc"]["missing"] == ["ContentPropagator", "PropagateID"]
    assert found["consent"][0]["until"] == "2027-12-31" and found["visible_label"]["text"] == "AI生成"
    assert main(["inspect", str(path)]) == 0
    printed = capsys.readouterr().out
    for expected in (
        "AI-generated: the file says so.",
        PRODUCER,
        "Ada agrees.",
        "Visible label: AI生成",
        "engine draft",
    ):
        assert expected in printed


def test_nothing_found_is_said_to_be_no_proof(tmp_path):
    clips.write_silent_video(tmp_path / "a.mp4")
    found = inspected(str(tmp_path / "a.mp4"))
    assert found["ai_generated"] is False and found["xmp"] == "absent"
    assert [found[key] for key in ("label", "aigc", "visible_label", "digital_source_type")] == [None] * 4
    assert "no proof" in lines_of(found)[0]


@pytest.mark.parametrize(
    ("tags", "written", "generated", "line"),
    [
        ({"AIGC": '{"Label":"1"}'}, b"", True, "in MP4 alone"),
        ({}, packet(f"<a:AIGC>{AS_JSON}</a:AIGC>"), True, "in XMP alone"),
        ({"AIGC": '{"Label":"1"}'}, packet(f"<a:AIGC>{AS_JSON}</a:AIGC>"), True, "not the same in XMP"),
        ({"AIGC": '{"Label":"3"}'}, b"", False, "suspected to be generated"),
        ({"AIGC": '{"Label":"9"}'}, b"", False, "none of the standard's"),
        ({}, packet(f"<i:DigitalSourceType>{SOURCE}</i:DigitalSourceType>"), True, "made by a trained model"),
        ({}, BOMB, False, "XMP: refused: it declares a document type"),
    ],
)
def test_labels_of_other_programs(tmp_path, tags, written, generated, line):
    found = inspected(write_other(tmp_path / "a.mp4", tags, written))
    assert found["ai_generated"] is generated and found["label"] is None
    assert any(line in printed for printed in lines_of(found))


def test_what_a_file_says_cannot_write_to_the_terminal(tmp_path):
    record = {"ai_generated": True, "engine": "\x1b[2J", "consent": [{"text": "a\u202eb\n" * 500, "sha256": "\x07"}]}
    found = inspected(write_other(tmp_path / "a.mp4", {"comment": json.dumps(record)}))
    lines = lines_of(found)
    assert not any(c in line for line in lines for c in "\x1b\x07\u202e\n") and max(map(len, lines)) < 500


@pytest.mark.parametrize(
    "record",
    [
        {"consent": "x"},
        {"consent": [1, {"text": 1, "sha256": None}]},
        {"visible_label": [1], "digital_source_type": 3, "software": {"a": [1]}},
        {"visible_label": {"text": None}},
    ],
)
def test_records_of_another_form_are_no_error(tmp_path, record):
    path = write_other(tmp_path / "a.mp4", {"comment": json.dumps({"ai_generated": True} | record)})
    found = inspected(path)
    assert found["ai_generated"] is True and found["consent"] == [] and lines_of(found)


def test_what_is_no_video_is_refused(tmp_path, capsys):
    (tmp_path / "a.mp4").write_text("no video")
    assert main(["inspect", str(tmp_path / "a.mp4")]) == 3
    assert main(["inspect", str(tmp_path / "absent.mp4")]) == 3
    assert main(["inspect", str(tmp_path)]) == 3
    assert all(line.startswith("sonic: ") for line in capsys.readouterr().err.splitlines())


def test_fields_of_xmp_are_the_same(tmp_path):
    found = inspected(write_other(tmp_path / "a.mp4", {}, packet(f"<a:AIGC>{AS_JSON}</a:AIGC>")))
    assert found["aigc"]["xmp"] == FIELDS and found["aigc"]["mp4"] is None


@pytest.mark.parametrize(("name", "line"), [(True, "as the label says"), (False, "the label does not name it")])
def test_a_watermark_is_a_sign_of_its_own(tmp_path, name, line):
    """Also where the tags that name it are lost."""
    tags, marker = with_watermark(marked_tags())
    frames = np.random.default_rng(0).integers(0, 256, (25, 48, 48, 3), np.uint8).repeat(8, 1).repeat(8, 2)
    with VideoWriter(tmp_path / "a.mp4", 384, 384, metadata=tags if name else {}) as writer:
        writer.write(marker.apply(frames))
    found = inspected(str(tmp_path / "a.mp4"))
    assert [each["payload"] for each in found["watermarks"]] == [f"{marker.payload:08x}"]
    assert found["ai_generated"] is True and line in "\n".join(lines_of(found))
