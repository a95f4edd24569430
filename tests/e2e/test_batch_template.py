"""The template batch in a real ComfyUI server: queued by API once for each recording, and run from the page."""

import json
import shutil

import pytest

from sonic_nodes.media.audio import read_sound
from tests.e2e.common import ROOT, SPEECH, video_of

RECORDINGS = {"chinese": "speech_zh.wav", "english": "speech.wav", "spanish": "speech_es.wav"}


@pytest.fixture(scope="module")
def runs(harness, tmp_path_factory):
    folder = tmp_path_factory.mktemp("batch")
    for name in ("inputs", "workflows"):
        (folder / name).mkdir()
    graph = json.loads((ROOT / "docs/api/batch.json").read_text("utf-8"))
    changes = {f"recording_{index}": {"index": index} for index in range(3)} | {"fails": {"folder": "../input"}}
    for name, values in changes.items():
        own = graph | {"2": graph["2"] | {"inputs": graph["2"]["inputs"] | values}}
        (folder / f"workflows/{name}.json").write_text(json.dumps(own), "utf-8")
    shutil.copy(ROOT / "workflows/batch.json", folder / "workflows/page_batch.json")
    result = harness(folder, "batch", "--skip-template-runs", "--expect-node", "SonicBatch")
    return {run["name"]: run for run in result["workflows"]}


def saved_in(run):
    return [(file["subfolder"], file["filename"]) for file in run["outputs"] if file["type"] == "output"]


def frames_of(name: str) -> int:
    return round(25 * read_sound(SPEECH.with_name(RECORDINGS[name])).duration_s)


@pytest.mark.parametrize(("index", "name"), list(enumerate(RECORDINGS)))
def test_each_index_becomes_a_video_with_its_recordings_name(runs, index, name):
    run = runs[f"recording_{index}"]
    ((subfolder, filename),) = saved_in(run)
    assert subfolder == "video/sonic_sample_recordings" and filename.startswith(f"{name}_0000")
    assert video_of(run)["video"]["frames"] == frames_of(name)


def test_the_page_runs_the_template(runs):
    ((_, filename),) = saved_in(runs["page_batch"])
    assert filename.startswith("chinese_0000") and runs["page_batch"]["ok"]


def test_a_folder_elsewhere_is_refused(runs):
    error = runs["fails"]["error"]
    text = error if isinstance(error, str) else error["exception_message"]
    assert "Choose another folder of recordings: '../input' leads out of the folder." in text
