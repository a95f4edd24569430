"""The AIGC label and the digital source type in MP4 and XMP, as other programs read them."""

import json
import struct

import numpy as np
import pytest

from sonic_nodes.errors import InputError
from sonic_nodes.media import boxes, provenance
from sonic_nodes.media.provenance import IPTC_TERMS, metadata, xmp_packet
from sonic_nodes.media.video_reader import open_video
from sonic_nodes.provenance.marks import Marks, produce_id
from tests.provenance.marked_clip import DATA, PRODUCER, by_exiftool, by_ffprobe, marked_tags, tags_in, write_marked

FIELDS = {"Label": "1", "ContentProducer": PRODUCER, "ProduceID": produce_id(metadata("draft", 7), DATA)}


@pytest.fixture
def clip(tmp_path):
    return write_marked(tmp_path / "a.mp4", Marks({"ContentProducer": PRODUCER}))


def test_exiftool_reads_both_places(clip):
    found = by_exiftool(clip)
    assert json.loads(found["Keys:AIGC"]) == FIELDS
    assert json.loads(found["XMP-TC260:Aigc"]) == FIELDS
    assert found["XMP-iptcExt:DigitalSourceType"] == IPTC_TERMS + "compositeSynthetic"
    assert found["Keys:Title"] == "AI-generated talking portrait"


def test_ffprobe_reads_the_tag(clip):
    found = by_ffprobe(clip)
    assert json.loads(found["AIGC"]) == FIELDS
    assert json.loads(found["comment"])["digital_source_type"] == IPTC_TERMS + "compositeSynthetic"


def inner(content, *path):
    """The content of a box by the types of those around it (ISO/IEC 14496-12); meta has 4 bytes before its boxes."""
    for kind in path:
        content = content[4:] if content[4:8] == b"\0\0\0\x21" or content[:4] == b"\0\0\0\0" else content
        at = 0
        while content[at + 4 : at + 8] != kind:
            at += struct.unpack(">I", content[at : at + 4])[0]
        content = content[at + 8 : at + struct.unpack(">I", content[at : at + 4])[0]]
    return content


def test_the_tag_is_where_the_guide_puts_it(clip):
    """moov/udta/meta: the name in `keys`, the value in `ilst`."""
    content = clip.read_bytes()
    keys, values = (inner(content, b"moov", b"udta", b"meta", kind) for kind in (b"keys", b"ilst"))
    assert b"mdtaAIGC" in keys and json.dumps(FIELDS, separators=(",", ":")).encode() in values


@pytest.mark.parametrize(
    ("engine", "pasted", "term"),
    [
        ("draft", False, "compositeSynthetic"),
        ("draft", True, "compositeSynthetic"),
        ("sonic", False, "trainedAlgorithmicMedia"),
        ("sonic", True, "compositeWithTrainedAlgorithmicMedia"),
    ],
)
def test_the_source_type_is_the_engines(engine, pasted, term):
    record = json.loads(marked_tags(engine=engine, pasted=pasted)["comment"])
    assert record["digital_source_type"] == IPTC_TERMS + term
    assert record == json.loads(metadata(engine, 7, pasted=pasted)["comment"])


def test_a_clip_pasted_onto_another_keeps_one_label():
    draft, sonic, other = marked_tags(), marked_tags(engine="sonic"), {"title": "mine", "comment": "mine"}
    both = provenance.layered(draft, sonic)
    record = provenance.record_of(both)
    assert record["engine"] == "draft" and both["AIGC"] == draft["AIGC"]
    assert record["digital_source_type"] == IPTC_TERMS + "compositeWithTrainedAlgorithmicMedia"
    assert provenance.layered(draft, other) == draft
    assert provenance.layered(other, draft) == draft, "tags of others do not replace the label"
    assert provenance.layered(other, {"title": "below", "artist": "x"}) == other | {"artist": "x"}


def test_the_number_of_the_content_depends_on_the_content():
    tags = metadata("draft", 7)
    first = produce_id(tags, DATA)
    assert first == produce_id(tags, dict(DATA)) and len(first) == 32 and int(first, 16)
    changes = [
        {"source": np.ones((8, 8, 3), np.uint8)},
        {"audio": np.ones(16, np.float32)},
        {"crop_xyxy": (0, 0, 8, 7)},
    ]
    others = {produce_id(tags, DATA | change) for change in changes} | {produce_id(metadata("draft", 8), DATA)}
    assert len(others) == 4 and first not in others


def with_metadata(path, size):
    """An MP4 whose moov/udta claims `size` bytes and has them."""
    content = path.read_bytes()
    at = content.index(b"moov") - 4
    (length,) = struct.unpack(">I", content[at : at + 4])
    moov = content[at + 8 : at + length] + boxes.box(b"udta", boxes.box(b"free", bytes(size - 8)))
    path.write_bytes(content[:at] + boxes.box(b"moov", moov) + content[at + length :])
    return path


def test_metadata_are_bounded_before_they_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(boxes, "MAX_METADATA_BYTES", 1 << 16)
    small = with_metadata(write_marked(tmp_path / "small.mp4"), 1 << 15)
    assert tags_in(small)["title"]
    with open(small, "rb") as file:
        open_video(file, "small").close()
    large = with_metadata(write_marked(tmp_path / "large.mp4"), (1 << 16) + 1)
    with open(large, "rb") as file, pytest.raises(InputError, match="^Choose another video: the metadata of large"):
        open_video(file, "large")


def test_boxes_that_nest_deeply_are_not_followed(tmp_path):
    content = b""
    for _ in range(5000):
        content = boxes.box(b"moov", content)
    (tmp_path / "a.mp4").write_bytes(content)
    with open(tmp_path / "a.mp4", "rb") as file:
        boxes.check_metadata(file, "a.mp4")
        assert file.tell() == 0


def test_a_file_of_endless_parts_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(boxes, "MAX_BOXES", 10)
    (tmp_path / "a.mp4").write_bytes(boxes.box(b"free", b"") * 11)
    with (
        open(tmp_path / "a.mp4", "rb") as file,
        pytest.raises(InputError, match="^Choose another MP4 file: .* 10 parts"),
    ):
        xmp_packet(file)


def test_a_packet_that_is_too_long_is_not_read(tmp_path, monkeypatch):
    path = write_marked(tmp_path / "a.mp4")
    with open(path, "rb") as file:
        assert len(xmp_packet(file)) > 500
        monkeypatch.setattr(provenance, "MAX_PACKET_BYTES", 500)
        assert xmp_packet(file) == b""
