"""Every video says that it is AI-generated, by what, and how to make it again."""

import json

import numpy as np
import pytest

from sonic_nodes import __version__
from sonic_nodes.errors import InputError
from sonic_nodes.media import boxes
from sonic_nodes.media.provenance import metadata, read_back
from sonic_nodes.media.video_writer import VideoWriter
from tests.media import clips


def write(path, tags):
    with VideoWriter(path, 32, 32, metadata=tags) as writer:
        writer.write(np.zeros((3, 32, 32, 3), np.uint8))


@pytest.mark.parametrize(("engine", "term"), [("draft", "compositeSynthetic"), ("sonic", "trainedAlgorithmicMedia")])
def test_read_back(tmp_path, engine, term):
    write(tmp_path / "a.mp4", metadata(engine, 2**53 - 1, note='说 <&> "话"'))
    found = read_back(tmp_path / "a.mp4")
    assert found["ai_generated"] is True
    assert (found["engine"], found["seed"], found["version"]) == (engine, 2**53 - 1, __version__)
    assert found["note"] == '说 <&> "话"'
    term = "http://cv.iptc.org/newscodes/digitalsourcetype/" + term
    assert found["digital_source_type"] == found["xmp_digital_source_type"] == term


def test_standard_tags_speak_plainly(tmp_path):
    write(tmp_path / "a.mp4", metadata("draft", 7))
    tags = read_back(tmp_path / "a.mp4")["tags"]
    assert "AI-generated" in tags["title"] and "AI-generated" in tags["description"]
    assert "draft" in tags["description"] and "seed 7" in tags["description"] and __version__ in tags["description"]
    assert tags["encoder"] == f"sonic-talking-portrait {__version__}"
    assert json.loads(tags["comment"])["seed"] == 7


def test_xmp_is_where_the_standard_puts_it(tmp_path):
    """A top-level uuid box with XMP's identifier, after the index and the frames, so that players meet it last."""
    write(tmp_path / "a.mp4", metadata("draft", 7))
    with open(tmp_path / "a.mp4", "rb") as file:
        kinds = [kind for kind, _, _ in boxes.walk(file)]
    assert kinds[0] == b"ftyp" and kinds[-1] == b"uuid"
    assert kinds.index(b"moov") < kinds.index(b"mdat")
    content = (tmp_path / "a.mp4").read_bytes()
    packet = content[content.index(bytes.fromhex("be7acfcb97a942e89c71999491e3afac")) + 16 :].decode()
    assert packet.startswith("<?xpacket begin") and packet.endswith('<?xpacket end="r"?>')


def test_videos_of_others(tmp_path):
    clips.write_silent_video(tmp_path / "other.mp4")
    write(tmp_path / "bare.mp4", {})
    write(tmp_path / "odd.mp4", {"comment": "[1]"})
    (tmp_path / "text.mp4").write_text("no video")
    for name in ("other.mp4", "bare.mp4", "odd.mp4", "text.mp4", "missing.mp4"):
        with pytest.raises(InputError, match="^Choose a"):
            read_back(tmp_path / name)
    whole = tmp_path / "whole.mp4"
    write(whole, metadata("draft", 7))
    (tmp_path / "cut.mp4").write_bytes(whole.read_bytes()[:-5])
    with pytest.raises(InputError, match="^Choose an intact"):
        read_back(tmp_path / "cut.mp4")
