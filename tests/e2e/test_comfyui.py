"""The pack in a real ComfyUI server and its real page, headless, with the draft engine. conftest.py explains how to run
it."""

import copy
import json
import shutil
import wave

import numpy as np
import pytest
from PIL import Image

from sonic_nodes.media.provenance import read_back
from tests.e2e.common import CANCEL_S, PACK_NAME, PORTRAIT, ROOT, SPEECH, models_with_upscaler, video_of, write_wav

NODES = [
    "SonicLoadImage",
    "SonicImageGate",
    "SONIC_PreData",
    "SonicLoader",
    "SonicInference",
    "SonicLatentDecoder",
    "SonicPasteBack",
    "SonicLipSyncCalibrate",
    "SonicMotionSmooth",
    "SonicBackground",
    "SonicCreateVideo",
    "SonicVisibleLabel",
    "SonicInspect",
    "SONICTLoader",
    "SONICSampler",
]

# Changes to docs/api/draft.json by node id, and the expected end: None for a video, or the start of the error message.
LOAD, SOUND, PRE, MODEL, INFER, DECODE, SAVE, CALIBRATE, SMOOTH = "1", "2", "3", "4", "5", "6", "8", "10", "11"
OLDER = ROOT / "tests/e2e/older"  # the draft template from before the quality gate
CASES = {
    "draft": ({}, None),
    "names": ({LOAD: {"image": 'it\'s a "图片" (1).png'}, SOUND: {"audio": "说话 it's.wav"}}, None),
    "silence": ({SOUND: {"audio": "silence.wav"}}, None),
    "two_faces": ({LOAD: {"image": "two.png"}}, None),
    "every_second_frame": ({DECODE: {"interpolate": False}}, None),
    "gate_repair": ({LOAD: {"image": "q30.jpg", "policy": "repair"}, PRE: {"min_resolution": 256}}, None),
    "fails_gate_strict": ({LOAD: {"image": "q30.jpg", "policy": "strict"}}, "Ask for the original"),
    "fails_gate_policy": ({LOAD: {"policy": "none"}}, "Set policy to one of off, warn, repair, strict"),
    "use_shorter": ({PRE: {"duration": 2.0, "on_mismatch": "use shorter"}}, None),
    "fails_no_face": ({LOAD: {"image": "grey.png"}}, "Choose"),
    "fails_corrupt_picture": ({LOAD: {"image": "corrupt.jpg"}}, "Save the picture again"),
    "fails_absent_picture": ({LOAD: {"image": "absent.jpg"}}, "Choose another picture or upload it again"),
    "fails_face_index": ({PRE: {"face_index": 7}}, "Choose"),
    "fails_duration_refused": ({PRE: {"duration": 60.0}}, "Set duration to 0"),
    "fails_crop": ({PRE: {"crop": "head"}}, "Set crop to one of face, off, wide"),
    "fails_resolution": ({PRE: {"min_resolution": 64}}, "smaller than min of 128"),
    "cancel": ({SOUND: {"audio": "long.wav"}, PRE: {"min_resolution": 1024}}, None),
}


def make_inputs(folder):
    """Pictures and recordings derived from the sample."""
    with wave.open(str(SPEECH)) as file:
        speech = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    write_wav(folder / "long.wav", np.tile(speech, 6))
    write_wav(folder / "silence.wav", np.zeros(16000))
    shutil.copy(SPEECH, folder / "说话 it's.wav")
    portrait = Image.open(PORTRAIT).convert("RGB")
    portrait.save(folder / 'it\'s a "图片" (1).png')
    two = Image.new("RGB", (portrait.width * 2, portrait.height), "grey")
    two.paste(portrait, (0, 0))
    two.paste(portrait.resize((portrait.width * 2 // 3, portrait.height * 2 // 3)), (portrait.width, 50))
    two.save(folder / "two.png")
    portrait.crop((0, 0, portrait.width - 1, portrait.height - 1)).save(folder / "odd.png")
    portrait.save(folder / "q30.jpg", quality=30)
    Image.new("RGB", (512, 512), "grey").save(folder / "grey.png")
    (folder / "corrupt.jpg").write_bytes(PORTRAIT.read_bytes()[:700])


def make_workflows(folder):
    """One API file per case, one with Paste Back, and the template itself to run from the page."""
    draft = json.loads((ROOT / "docs/api/draft.json").read_text(encoding="utf-8"))
    graphs = {}
    for name, (changes, _) in CASES.items():
        graphs[name] = copy.deepcopy(draft)
        for node, values in changes.items():
            graphs[name][node]["inputs"].update(values)
    pasted = graphs["paste_back"] = copy.deepcopy(draft)
    pasted[LOAD]["inputs"]["image"] = "odd.png"
    pasted["9"] = {"class_type": "SonicPasteBack", "inputs": {"images": [DECODE, 2], "data": [PRE, 0], "feather": 0.1}}
    pasted[CALIBRATE]["inputs"]["images"] = ["9", 1]
    images = graphs["images"] = copy.deepcopy(draft)
    images[DECODE]["inputs"]["output"] = "images"
    images[CALIBRATE]["inputs"]["images"], images[SMOOTH]["inputs"]["images"] = [DECODE, 0], [CALIBRATE, 0]
    made = {"images": [SMOOTH, 0], "model": [MODEL, 0], "latent": [INFER, 0], "data": [PRE, 0], "fps": [DECODE, 1]}
    images["9"] = {"class_type": "SonicCreateVideo", "inputs": made}
    images[SAVE]["inputs"]["video"] = ["9", 0]
    gated = graphs["gate_of_pictures"] = copy.deepcopy(draft)
    gated["9"] = {"class_type": "SonicImageGate", "inputs": {"pixels": [LOAD, 0], "policy": "warn", "min_score": 60.0}}
    gated["12"] = {"class_type": "PreviewImage", "inputs": {"images": ["9", 5]}}
    gated[PRE]["inputs"] |= {"image": ["9", 0], "min_resolution": 256}
    graphs["older_api"] = json.loads((OLDER / "api.json").read_text(encoding="utf-8"))
    for name, graph in graphs.items():
        (folder / f"{name}.json").write_text(json.dumps(graph), encoding="utf-8")
    shutil.copy(ROOT / "workflows/draft.json", folder / "page_draft.json")
    shutil.copy(OLDER / "page.json", folder / "page_older_draft.json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("comfyui")
    for name in ("inputs", "workflows"):
        (folder / name).mkdir()
    make_inputs(folder / "inputs")
    make_workflows(folder / "workflows")
    return folder


@pytest.fixture(scope="module")
def models(small_models, tmp_path_factory):
    return models_with_upscaler(small_models, tmp_path_factory.mktemp("models") / "models")


@pytest.fixture(scope="module")
def result(harness, folder, models):
    options = [option for node in NODES for option in ("--expect-node", node)]
    return harness(
        folder, "run", *options, "--locale", "zh", "--cancel-timeout", str(CANCEL_S), "--models", str(models)
    )


@pytest.fixture(scope="module")
def runs(result):
    return {run["name"]: run for run in result["workflows"]}


def test_the_harness_reports_no_problem(result):
    assert result["problems"] == []


def test_the_pack_imported(result):
    pack = result["pack"]
    assert set(pack["nodes"]) == set(NODES) and pack["tracebacks_at_start"] == 0
    assert pack["i18n"]["zh"]["missing"] == []
    assert all(page["default"] and page["zh"] for page in pack["docs"].values())


def test_the_template_opens_from_the_dialog(result):
    cards = result["templates"]["cards"]
    assert {card["name"] for card in cards} == {path.stem for path in (ROOT / "workflows").glob("*.json")}
    for card in cards:
        template = json.loads((ROOT / f"workflows/{card['name']}.json").read_text(encoding="utf-8"))
        assert card["shown"] and card["thumbnail_width"] > 100 and card["nodes"] == len(template["nodes"])


LABELLED = ["draft", "page_draft", "use_shorter", "paste_back", "images"]


@pytest.mark.parametrize("name", LABELLED)
def test_the_file_carries_label_and_workflow(runs, name):
    found = read_back(video_of(runs[name])["path"])
    assert found["engine"] == "draft" and found["seed"] == 0 and found["xmp_digital_source_type"]
    assert json.loads(found["tags"]["prompt"])[INFER]["class_type"] == "SonicInference"
    assert ("workflow" in found["tags"]) == name.startswith("page")


@pytest.mark.parametrize("name", ["draft", "page_draft", "older_api", "page_older_draft", "images"])
def test_the_sample_becomes_a_video(runs, name):
    made = video_of(runs[name])
    with wave.open(str(SPEECH)) as file:
        frames = round(25 * file.getnframes() / file.getframerate())
    assert made["video"]["codec"] == "h264" and made["video"]["fps"] == 25 and made["video"]["frames"] == frames
    assert made["audio"]["codec"] == "aac"


def test_the_page_plays_the_decoders_preview_and_the_video(runs):
    preview, video = sorted(runs["page_draft"]["videos"], key=lambda player: player["seconds"])
    assert preview["seconds"] == 5 and video["seconds"] > 9
    assert all(player["width"] and not player["error"] for player in (preview, video))


@pytest.mark.parametrize("name", ["draft", "page_draft"])
def test_progress_arrives(runs, name):
    steps = runs[name]["step_progress"][SAVE]
    # at most 20 a second (nodes/common.py), and 240 frames are written in a few seconds
    assert steps["events"] >= 12 and steps["last"] == steps["max"]


@pytest.mark.parametrize(("name", "least"), [("images", 3), ("older_api", 3), ("draft", 0)])
def test_previews_arrive_from_nodes_that_show_no_video(runs, name, least):
    assert runs[name]["previews"] >= least and bool(runs[name]["previews"]) == bool(least)


@pytest.mark.parametrize("name", [name for name, (_, message) in CASES.items() if message is not None])
def test_errors_begin_with_the_remedy(runs, name):
    error = runs[name]["error"]
    text = error if isinstance(error, str) else error["exception_message"]
    assert text.count(CASES[name][1]) == 1  # each problem is said once
    if not isinstance(error, str):
        assert text.startswith(CASES[name][1]) and error["exception_type"] == "ValueError"


def test_duration_and_frame_rate(runs):
    assert video_of(runs["use_shorter"])["video"]["frames"] == 50
    assert video_of(runs["every_second_frame"])["video"]["fps"] == 12.5


@pytest.mark.parametrize("name", ["gate_repair", "gate_of_pictures"])
def test_checked_pictures_become_a_video(runs, name):
    assert video_of(runs[name])["video"]["width"] == 256


def test_paste_back_has_the_size_of_the_portrait(runs):
    video = video_of(runs["paste_back"])["video"]
    with Image.open(PORTRAIT) as portrait:
        assert (video["width"], video["height"]) == (portrait.width - 2, portrait.height - 2)


def test_unchanged_nodes_are_cached(runs):
    """The previous case differs only in nodes after SONIC_PreData."""
    assert {LOAD, SOUND} <= set(runs["every_second_frame"]["cached_nodes"] or [])


def test_cancel_stops_within_half_a_second(result):
    assert {c["how"] for c in result["cancel"]} == {"POST /interrupt", "the page's Interrupt command"}
    for cancel in result["cancel"]:
        assert cancel["end"] == "execution_interrupted" and cancel["seconds_to_stop"] <= CANCEL_S, cancel


def test_chinese_titles_are_shown(result):
    titles = result["locales"]["zh"]["titles"]
    assert "Sonic 推理" in titles and "Sonic 加载器" in titles


def test_two_copies_do_not_crash_the_server(harness, folder):
    second = folder / "second-copy"
    second.mkdir()
    for name in ("__init__.py", "sonic_nodes", "locales", "workflows"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, second / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, second / name)
    result = harness(folder, "two", "--no-ui", "--extra-pack", str(second), "--only", "^use_shorter$")
    # Which copy ComfyUI imports first depends on the file system; the other one registers nothing.
    unexpected = [p for p in result["problems"] if p != f"no node of custom_nodes.{PACK_NAME} in /object_info"]
    assert unexpected == [] and result["workflows"][0]["end"] == "execution_success"
    assert "Remove one of two copies of the Sonic nodes" in result["server_log"]
