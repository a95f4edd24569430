"""Sonic Inspect: the findings about the file of a VIDEO."""

import json

import pytest

from tests.nodes.fake_video import VideoFromFile
from tests.provenance.marked_clip import write_marked


def test_a_file_is_read_as_it_is(nodes, tmp_path):
    path = write_marked(tmp_path / "a.mp4")
    made = nodes["SonicInspect"].execute(VideoFromFile(str(path)))
    report, generated, findings = made.args
    assert generated is True and report.startswith("AI-generated: the file says so.\nLabel of this program: ")
    assert json.loads(findings)["aigc"]["agree"] is True and made.ui["text"][0] == report


def test_a_file_that_is_no_video_is_an_error(nodes, tmp_path):
    (tmp_path / "a.mp4").write_text("no video")
    with pytest.raises(ValueError, match="^Choose "):
        nodes["SonicInspect"].execute(VideoFromFile(str(tmp_path / "a.mp4")))
