"""Our networks while a real ComfyUI's ModelPatcher loads and unloads their weights (real_patcher.py): whole or in part,
between runs, the clip keeps its bits, and what ComfyUI counts is what is there."""

import json
import os
import subprocess
import sys

import pytest

from tests.e2e.common import ROOT


@pytest.fixture(scope="module", params=["cpu", "simulated:1"])
def found(request, small_models):
    comfyui = os.environ.get("COMFYUI_DIR")
    if not comfyui:
        pytest.skip("set COMFYUI_DIR to a ComfyUI checkout and COMFYUI_PYTHON to its Python to run this test")
    python = os.environ.get("COMFYUI_PYTHON", sys.executable)
    command = [python, "-m", "tests.e2e.real_patcher", comfyui, str(small_models), request.param]
    ran = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(ran.stdout.splitlines()[-1]) | {"device": request.param}


@pytest.mark.parametrize("when", ["first_run", "after_part_unloaded", "after_part_loaded", "after_unloaded"])
def test_every_run_has_the_bits_of_weights_that_stay(found, when):
    assert found[when] is True


def test_comfyui_counts_what_is_loaded(found):
    loaded = found["loaded"]
    assert loaded["tensors"] > 1000 and loaded["devices"] == [found["device"]] and loaded["listed"] == 1
    assert loaded["comfyui_counts"] == loaded["bytes"] == loaded["size"]


def test_a_part_is_never_left_behind(found):
    """Our networks need all of their weights: they leave when a part of their room is wanted, and come whole when a
    part of it is given."""
    gone, loaded = found["part_unloaded"], found["part_loaded"]
    assert gone["left"] and (gone["tensors"], gone["comfyui_counts"]) == (0, 0)
    assert loaded["tensors"] == found["loaded"]["tensors"] and loaded["comfyui_counts"] == loaded["bytes"]


def test_nothing_is_left_after_unloading(found):
    unloaded = found["unloaded"]
    assert (unloaded["tensors"], unloaded["listed"], unloaded["comfyui_counts"]) == (0, 0, 0)
    assert unloaded["held"] < found["loaded"]["held"] or found["device"] == "cpu"
    assert found["held_when_released"] == 0
    assert found.get("other_device", 0) == 0, "nothing is on the first device"
