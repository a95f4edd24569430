"""What `python -m tools.wine.comfyui` takes for success. The server is started by hand; here, its answers are given."""

import json
import re
from fractions import Fraction

import av
import numpy as np
import pytest

from tools.comfyui_client import Failed
from tools.wine import comfyui, comfyui_cases, comfyui_server

RATE = 16000


@pytest.fixture
def video(tmp_path):
    """video(frames, seconds of sound, workflow) -> a file as Save Video writes it."""

    def write(frames: int, seconds: float, workflow: dict):
        path = tmp_path / "video.mp4"
        with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as container:
            container.metadata["prompt"] = json.dumps(workflow)
            picture = container.add_stream("libx264", rate=comfyui_cases.FPS)
            picture.width = picture.height = 64
            sound = container.add_stream("aac", rate=RATE, layout="mono")
            for index in range(frames):
                frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), index, np.uint8), format="rgb24")
                container.mux(picture.encode(frame))
            container.mux(picture.encode(None))
            samples = av.AudioFrame.from_ndarray(np.zeros((1, int(seconds * RATE)), np.float32), "fltp", "mono")
            samples.rate, samples.time_base, samples.pts = RATE, Fraction(1, RATE), 0
            container.mux(sound.encode(samples))
            container.mux(sound.encode(None))
        return path

    return write


def test_a_good_video_is_described(video):
    found = comfyui_cases.check_video(video(25, 1.0, comfyui_cases.graph()), 25)
    assert re.match(r"video\.mp4: 25 frames of 64 x 64, 1\.\d\d s of aac, its workflow inside", found)


@pytest.mark.parametrize(
    "frames, seconds, workflow, said",
    [
        (24, 1.0, comfyui_cases.graph(), "24 frames instead of 25"),
        (25, 0.5, comfyui_cases.graph(), "s of sound for 25 frames"),
        (25, 1.0, {"1": {"class_type": "LoadImage"}}, "has no workflow in it"),
    ],
)
def test_a_bad_video_fails(video, frames, seconds, workflow, said):
    with pytest.raises(Failed, match=said):
        comfyui_cases.check_video(video(frames, seconds, workflow), 25)


class Answers(comfyui_server.Server):
    """A server whose answers are given, by path."""

    def __init__(self, base, answers):
        self.base, self.answers, self.lines = base, answers, []

    def request(self, path, data=None, timeout=120):
        return self.answers[path]


def test_a_video_of_a_run_that_failed_is_none(tmp_path):
    error = {"node_type": "SonicLoader", "exception_message": "Choose another model.", "exception_type": "ValueError"}
    history = {"status": {"status_str": "error", "messages": [["execution_error", error]]}, "outputs": {}}
    server = Answers(tmp_path, {"/prompt": {"prompt_id": "7"}, "/history/7": {"7": history}})
    with pytest.raises(Failed, match="Choose another model"):
        comfyui_cases.draft(server)


def test_a_refused_workflow_is_no_video(tmp_path):
    server = Answers(tmp_path, {"/prompt": {"error": {"message": "Prompt outputs failed validation"}}})
    with pytest.raises(Failed, match="failed validation"):
        comfyui_cases.draft(server)


def test_a_missing_node_and_a_traceback_are_seen(tmp_path):
    wanted = json.loads(comfyui_cases.NODES.read_text("utf-8"))
    nodes = {name: {"python_module": f"custom_nodes.{comfyui_server.PACK}"} for name in wanted}
    answers = {
        "/object_info": nodes | {"LoadImage": {"python_module": "nodes"}},
        "/workflow_templates": {comfyui_server.PACK: ["draft"]},
        "/system_stats": {"system": {"os": "nt", "comfyui_version": "0.3.64"}},
    }
    assert comfyui_cases.nodes(Answers(tmp_path, answers)).startswith(f"{len(wanted)} nodes and 1 templates on nt")
    traced = Answers(tmp_path, answers)
    traced.lines = ["Traceback (most recent call last):\n"]
    with pytest.raises(Failed, match="log has an error"):
        comfyui_cases.nodes(traced)
    with pytest.raises(Failed, match="instead of"):
        comfyui_cases.nodes(Answers(tmp_path, answers | {"/object_info": dict(list(nodes.items())[1:])}))


def test_every_package_is_pinned():
    lines = comfyui_server.REQUIREMENTS.read_text("utf-8").replace("\\\n", "").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert len(pins) > 30 and all(re.fullmatch(r"[\w.-]+==[\w.]+ +--hash=sha256:[0-9a-f]{64}", pin) for pin in pins)


def test_a_failed_case_is_counted(monkeypatch, capsys):
    def bad(server):
        raise Failed("no video")

    monkeypatch.setattr(comfyui_cases, "CASES", {"good": lambda server: "a video", "bad": bad})
    assert comfyui.run_cases(None, ["bad", "good"]) == ["bad"]
    assert re.findall(r"^(\w+) +(\w+) in", capsys.readouterr().out, re.M) == [("bad", "FAILED"), ("good", "passed")]
