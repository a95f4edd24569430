"""The list of the model's files in ComfyUI's page, and its downloads from a local server (models_page.py)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sonic_nodes.weights.files import FILES
from tests.e2e.common import ROOT


@pytest.fixture(scope="module")
def shown(shared_dir, tmp_path_factory):
    comfyui, tools = os.environ.get("COMFYUI_DIR"), shared_dir / "tools"
    if not comfyui or not (tools / "comfy_e2e.py").exists():
        pytest.skip("set COMFYUI_DIR to a ComfyUI checkout and COMFYUI_PYTHON to its Python to run this test")
    out = Path(os.environ.get("SONIC_E2E_OUT", tmp_path_factory.mktemp("models"))) / "models_page"
    python = os.environ.get("COMFYUI_PYTHON", sys.executable)
    command = [python, "-m", "tests.e2e.models_page", str(tools), comfyui, str(out), "en"]
    ran = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(ran.stdout.splitlines()[-1])


def test_all_files_are_listed_before_anything_is_there(shown):
    for file in FILES:
        assert file.name in shown["list"] and file.licence in shown["list"]
    assert shown["list"].count("✗ missing") == len(FILES)


def test_a_download_begins_only_after_its_licence_was_shown(shown):
    assert shown["before"] == 0 and "MIT" in shown["asked"] and shown["focused"] == "Download 12.2 MB"
    assert "loading: " in shown["loading"] and " left" in shown["loading"] and "Cancel" in shown["loading"]


def test_a_stopped_download_goes_on_where_it_was(shown):
    assert "stopped, kept so far" in shown["stopped"] and shown["cancel_s"] < 3
    (_, first), (path, second) = shown["requests"]
    assert first is None and path.endswith("/RIFE/flownet.pkl") and int(second.removeprefix("bytes=")[:-1]) > 0


def test_another_file_than_the_published_one_is_not_kept(shown):
    assert "failed: Try again, or choose another mirror" in shown["failed"] and "SHA-256 differs" in shown["failed"]


def test_missing_models_lists_six_files_without_an_error(shown):
    assert shown["dialog"].count("Download") == len(FILES) and "Only allowed" not in shown["dialog"]


def test_our_scripts_raise_no_error(shown):
    assert not [line for line in shown["console"] if "/extensions/" in line and "sonic" in line]
