"""Sonic Visible Label: the frames that show it, what the file says, and what stops the run."""

import json

import numpy as np
import pytest

from sonic_nodes.media.provenance import read_back
from sonic_nodes.provenance.inspection import inspected
from tests.nodes.fake_video import VideoFromFile
from tests.nodes.test_video import written
from tests.provenance.marked_clip import write_marked

CHOSEN = {"text": "AI", "corner": "top-left", "size": 0.2, "always": False}


def test_the_first_two_seconds_show_it_and_the_file_says_so(nodes, tmp_path):
    given = VideoFromFile(str(write_marked(tmp_path / "a.mp4", frames=60)))
    (video,) = nodes["SonicVisibleLabel"].execute(given, **CHOSEN, consent="Ada agrees.").args
    (again,) = nodes["SonicVisibleLabel"].execute(video, **CHOSEN | {"corner": "bottom-right"}, consent="Bob too.").args
    again.save_to(str(tmp_path / "b.mp4"), metadata={"prompt": {}})
    (before, *_), (after, *_) = written(tmp_path / "a.mp4"), written(tmp_path / "b.mp4")
    darker = before - after > 20  # its plate
    assert darker.tolist() == [True] * 50 + [False] * 10
    found = inspected(str(tmp_path / "b.mp4"))
    assert found["visible_label"] == {"text": "AI", "corner": "bottom-right", "size": 0.2, "always": False}
    assert [consent["text"] for consent in found["consent"]] == ["Ada agrees.", "Bob too."]
    assert json.loads(video.tags["AIGC"]) == found["aigc"]["mp4"] and read_back(tmp_path / "b.mp4")["seed"] == 7


def test_all_frames_show_it_where_asked(nodes, tmp_path):
    given = VideoFromFile(str(write_marked(tmp_path / "a.mp4", frames=60)))
    (video,) = nodes["SonicVisibleLabel"].execute(given, **CHOSEN | {"always": True}).args
    shown = [frame for chunk in video.frames.chunks(lambda *_: None) for frame in chunk]
    assert len(shown) == 60 and all(np.ptp(frame) > 100 for frame in shown)


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"text": ""}, "Give the label a text of 1 to 100 characters"),
        ({"text": "AI-generated " * 7}, "Shorten the label's text"),
        ({"consent": "Ada agrees.\nuntil: 2020-01-01"}, "Ask for a new consent: that of the text ended on 2020-01-01"),
        ({"video": None}, "Connect a video to video"),
        ({"size": 0.01}, "Set size between 0.05 and 0.2"),
    ],
)
def test_what_makes_no_label_stops_the_run(nodes, tmp_path, changes, remedy):
    given = {"video": VideoFromFile(str(write_marked(tmp_path / "a.mp4")))} | CHOSEN
    with pytest.raises(ValueError, match=f"^{remedy}"):
        nodes["SonicVisibleLabel"].execute(**given | changes)


def test_a_text_is_never_taken_for_the_name_of_a_file(nodes, tmp_path):
    """A workflow of someone else must not put the content of a file into a video."""
    (tmp_path / "secret.txt").write_text("secret")
    given = VideoFromFile(str(write_marked(tmp_path / "a.mp4")))
    (video,) = nodes["SonicVisibleLabel"].execute(given, **CHOSEN, consent=str(tmp_path / "secret.txt")).args
    assert json.loads(video.tags["comment"])["consent"][0]["text"] == str(tmp_path / "secret.txt")
