"""Our weights beside those of other packs, in the memory manager of a real ComfyUI (dynamic_vram.py)."""

import json
import os
import subprocess
import sys

import pytest

from tests.e2e.common import ROOT


@pytest.fixture(scope="module")
def found():
    comfyui = os.environ.get("COMFYUI_DIR")
    if not comfyui:
        pytest.skip("set COMFYUI_DIR to a ComfyUI checkout and COMFYUI_PYTHON to its Python to run this test")
    python = os.environ.get("COMFYUI_PYTHON", sys.executable)
    command = [python, str(ROOT / "tests/e2e/dynamic_vram.py"), comfyui]
    ran = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(ran.stdout.splitlines()[-1])


def test_without_dynamic_vram_comfyui_makes_room_before_ours_are_read(found):
    static = found["static"]
    assert static["tensors"] == ["a.weight"] and 5.9 < static["lost_gb"] < 6.1 and static["still_listed"] == 1


def test_with_dynamic_vram_no_other_model_is_unloaded_for_ours(found):
    if not found["has_dynamic_vram"]:
        pytest.skip(f"ComfyUI {found['version']} has no dynamic VRAM")
    dynamic = found["dynamic"]
    assert dynamic["tensors"] == ["a.weight"] and dynamic["lost_gb"] == 0 and dynamic["still_listed"] == 2


def test_ours_are_unloaded_when_a_later_model_needs_the_room(found):
    """They do not leave by themselves, so they must not look as if they did."""
    for kind in ("static", "dynamic") if found["has_dynamic_vram"] else ("static",):
        assert not found[kind]["dynamic_afterwards"] and found[kind]["ours_left_for_a_later_model"], kind


def test_connected_clip_vision_and_vae_are_read(found):
    assert found["clip_vision"] == [520, [1024, 1280]] and found["vae"] == [372, [512, 4, 3, 3]]
