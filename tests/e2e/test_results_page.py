"""Results under the nodes in ComfyUI's page, and again after a reload (results_page.py). SONIC_FRONT_END names another
front end's folder (comfyui_frontend_package/static) to be tried as well, with both kinds of nodes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.e2e.common import PORTRAIT, ROOT

NEWER = os.environ.get("SONIC_FRONT_END")
PAGES = {
    "en": ["en"],
    "zh": ["zh"],
    "newer": ["en", "--front-end-root", NEWER],
    "newer-nodes-2": ["zh", "--front-end-root", NEWER, "--nodes-2"],
}


@pytest.fixture(scope="module", params=PAGES)
def shown(request, shared_dir, tmp_path_factory):
    comfyui, tools = os.environ.get("COMFYUI_DIR"), shared_dir / "tools"
    if not comfyui or not (tools / "comfy_e2e.py").exists():
        pytest.skip("set COMFYUI_DIR to a ComfyUI checkout and COMFYUI_PYTHON to its Python to run this test")
    if None in PAGES[request.param]:
        pytest.skip("set SONIC_FRONT_END to the static folder of a newer front end to run this test")
    out = Path(os.environ.get("SONIC_E2E_OUT", tmp_path_factory.mktemp("results"))) / f"results_{request.param}"
    (out / "inputs").mkdir(parents=True, exist_ok=True)
    with Image.open(PORTRAIT) as portrait:
        portrait.save(out / "inputs" / "poor.jpg", quality=20)
    python = os.environ.get("COMFYUI_PYTHON", sys.executable)
    command = [python, "-m", "tests.e2e.results_page", str(tools), comfyui, str(out), *PAGES[request.param]]
    ran = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(ran.stdout.splitlines()[-1])


@pytest.mark.parametrize("when", ["run", "reload"])
def test_the_heat_map_lies_over_its_picture(shown, when):
    found = shown[when]["SonicLoadImage"]
    (badge,), (legend,), ((_, width), (_, map_width)) = found["badge"], found["legend"], found["images"]
    assert found["attached"] and badge.startswith(("✗ ", "! ")) and legend and width == map_width > 0


@pytest.mark.parametrize("when", ["run", "reload"])
def test_the_measurement_is_plotted(shown, when):
    found = shown[when]["SonicLipSyncCalibrate"]
    (said,), lines = found["plot"], found["lines"]
    assert found["attached"] and said.startswith(("offset ", "偏移 ")) and len(lines) == 3 and min(lines) > 100


@pytest.mark.parametrize("when", ["run", "reload"])
def test_the_decoder_plays_a_preview(shown, when):
    (video,) = shown[when]["SonicLatentDecoder"]["video"]
    assert video["error"] is None and video["loop"] and video["controls"] and video["label"] and video["w"] == 512
    assert abs(video["s"] - 5) < 0.1


def test_a_reload_shows_the_same(shown):
    def without_layout(results):
        return {kind: {**found, "hidden": 0} for kind, found in results.items() if found}

    assert without_layout(shown["reload"]) == without_layout(shown["run"])


def test_another_picture_does_not_show_results_of_the_last(shown):
    assert shown["other"] == dict.fromkeys(shown["run"])


def test_a_choice_keeps_its_value_and_shows_its_label(shown, request):
    is_chinese = PAGES[request.node.callspec.params["shown"]][0] == "zh"
    assert shown["policy"] == ["strict", "严格 (strict)" if is_chinese else "strict"]


def test_everything_fits_into_the_nodes(shown):
    assert {kind: found["hidden"] for kind, found in shown["run"].items() if found and found["hidden"] > 4} == {}


def test_the_slider_answers_to_the_keyboard(shown):
    assert shown["opacity"] == "0.4"  # from 70 %, in steps of 10


def test_our_scripts_raise_no_error(shown):
    assert not [line for line in shown["console"] if "/extensions/" in line and "sonic" in line]
