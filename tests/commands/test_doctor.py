"""`sonic doctor`, also on a machine where everything else is missing."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sonic_nodes import __version__
from sonic_nodes.commands import doctor
from sonic_nodes.commands.cli import command
from sonic_nodes.extension import places, targets, versions

PACKAGE = Path(doctor.__file__).absolute().parents[1]
NAMES = {
    "python",
    "torch",
    "numpy",
    "av",
    "pillow",
    "safetensors",
    "tqdm",
    "extension",
    "face models",
    "encoder",
    "tested",
    "threads",
    "simd",
    "newer functions of PyTorch",
    "comfyui",
    "cuda",
    "kernels for the card",
    "weights",
    "memory",
    "disk",
}


def findings():
    return {item["name"]: item for item in doctor.examine()}


def test_every_capability_is_named_with_its_reason():
    found = findings()
    assert found.keys() == NAMES and all(item["detail"] for item in found.values())
    assert {name for name, item in found.items() if item["required"]} == {
        "python",
        *versions.LIBRARIES,
        "extension",
        "face models",
        "encoder",
    }
    assert str(PACKAGE) in found["extension"]["detail"] and "version 0." in found["extension"]["detail"]
    assert "OpenCV 4." in found["simd"]["detail"] and "SSE" in found["simd"]["detail"] or os.uname().machine != "x86_64"


def test_it_says_which_file_was_loaded_and_how_that_was_built():
    from sonic_nodes.extension.native import _sonic

    found, info = findings()["extension"], _sonic.build_info()
    assert found["build"] == {
        **{name: info[name] for name in ("version", "target", "compiler", "build")},
        "path": _sonic.__file__,
        "tested": findings()["tested"]["detail"],
    }
    assert info["target"] == targets.this() and info["compiler"].split()[0] in ("GCC", "Clang")
    assert all(
        str(word) in found["detail"] for word in (info["compiler"], _sonic.__file__, targets.title(info["target"]))
    )


@pytest.mark.parametrize("target", targets.TARGETS, ids=lambda target: target.name)
def test_it_says_what_a_build_was_tested_on(monkeypatch, target):
    """A mark where that was no such system; nothing is claimed for a build of this machine."""
    info = {**doctor.build_info(), "target": target.name, "build": "wheel"}
    monkeypatch.setattr(doctor, "build_info", lambda: info)
    found = findings()
    assert found["tested"]["ok"] == target.on_itself and target.tested in found["tested"]["detail"]
    assert found["extension"]["ok"] and found["extension"]["build"]["tested"] == found["tested"]["detail"]
    monkeypatch.setitem(info, "build", "local")
    assert findings()["tested"]["ok"] and target.tested not in findings()["tested"]["detail"]


def test_it_names_what_older_versions_left(monkeypatch, tmp_path):
    old = tmp_path / "_sonic-0.0.9-windows-x86_64.pyd"
    monkeypatch.setattr(places, "left_over", lambda: [old])
    assert f"delete what other versions left: {old}" in findings()["extension"]["detail"]


def test_optional_functions_are_those_that_this_pytorch_has():
    """torch_exception_get_what_without_backtrace came with PyTorch 2.13."""
    import torch

    from sonic_nodes.extension.native import _sonic

    present = {name: there for name, _, there in _sonic.build_info()["optional"]}
    assert present["torch_exception_get_what_without_backtrace"] == (versions.numbers(torch.__version__) >= (2, 13))
    assert findings()["newer functions of PyTorch"]["ok"] == all(present.values())


@pytest.mark.parametrize(
    "how",
    [["-E", "-s", "-S", "-m", "sonic_nodes"], ["-I", "-S", "sonic_nodes"], ["-I", "-S", "sonic_nodes/__main__.py"]],
    ids=["module", "folder", "file"],
)
def test_it_works_without_the_extension_and_without_libraries(tmp_path, how):
    """A clone and a bare Python, without torch and numpy: exit code 7, one finding each, and only JSON is printed. By
    the folder's path it runs where Python looks for modules nowhere else, as in ComfyUI portable."""
    leave_out = shutil.ignore_patterns("__pycache__", "*.so", "*.pyd", "assets")
    shutil.copytree(PACKAGE, tmp_path / "sonic_nodes", ignore=leave_out)
    done = subprocess.run(
        [sys.executable, *how, "doctor", "--json"], check=False, capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 7, done.stderr
    found = {item["name"]: item for item in json.loads(done.stdout)}
    assert found.keys() == NAMES and found["python"]["ok"] and found["memory"]["ok"]
    for name in versions.LIBRARIES:
        least = versions.text(versions.MINIMUM[name])
        assert found[name]["detail"].endswith(f'-m pip install "{name}>={least}"`: it is not installed.'), found[name]
    assert "1. Run `" in found["extension"]["detail"] and "the compiled part is not in" in found["extension"]["detail"]
    assert found["simd"]["detail"] == "unknown, because the extension does not load"
    assert done.stderr == ""


@pytest.mark.parametrize(("name", "module"), [("numpy", "numpy"), ("pillow", "PIL"), ("av", "av")])
def test_a_library_that_is_too_old(monkeypatch, capsys, name, module):
    monkeypatch.setattr(f"{module}.__version__", "0.9.7")
    least = versions.text(versions.MINIMUM[name])
    assert findings()[name]["detail"] == f"Update {versions.title(name)} to {least} or newer: it is 0.9.7."
    assert doctor.report() == 7
    assert f"NO  {name}: Update" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("version", "ok", "words"),
    [
        ("0.3.64", True, "0.3.64, "),
        ("0.12.0", True, "0.12.0, "),
        ("0.3.9", False, "Update ComfyUI to 0.3.64 or newer: it is 0.3.9."),
    ],
)
def test_comfyui_is_found_around_the_pack(monkeypatch, tmp_path, version, ok, words):
    (tmp_path / "comfyui_version.py").write_text(f'__version__ = "{version}"\n')
    monkeypatch.setattr(doctor, "PACK", tmp_path / "custom_nodes" / "sonic")
    found = findings()["comfyui"]
    assert found["ok"] == ok and found["detail"].startswith(words)


def test_weights_are_looked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("SONIC_MODELS", str(tmp_path))
    found = findings()["weights"]
    assert not found["ok"]
    assert found["detail"].startswith(f"0 of 6 files of the Sonic model in {tmp_path}; missing or unusable: unet.pth")
    monkeypatch.setenv("SONIC_MODELS", str(tmp_path / "absent"))
    assert findings()["weights"]["detail"].startswith("UsageError: Name ComfyUI's models folder")


def test_too_little_memory_and_disk(monkeypatch):
    monkeypatch.setattr(doctor, "available_bytes", lambda: 5 << 20)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(1, 1, 0))
    found = findings()
    assert not found["memory"]["ok"] and found["memory"]["detail"].endswith("close other programs")
    assert not found["disk"]["ok"] and "delete files" in found["disk"]["detail"]


def labelled(path, **options):
    from sonic_nodes.media.provenance import metadata
    from sonic_nodes.media.video_writer import VideoWriter

    tags = {**metadata("draft", 7), **options.pop("more", {})}
    with VideoWriter(path, 32, 32, metadata=tags, **options) as writer:
        writer.write(np.zeros((3, 32, 32, 3), np.uint8))
    return str(path)


def test_file_says_how_a_video_was_made(tmp_path, capsys):
    assert command(["doctor", "--file", labelled(tmp_path / "a.mp4")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"ok  label: AI-generated, sonic-talking-portrait {__version__}, engine draft, seed 7",
        "ok  for platforms (XMP): http://cv.iptc.org/newscodes/digitalsourcetype/compositeSynthetic",
        " -  ComfyUI: no workflow",
    ]
    with_workflow = labelled(tmp_path / "b.mp4", any_tag=True, more={"workflow": "{}", "prompt": "{}"})
    assert command(["doctor", "--file", with_workflow]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "ok  ComfyUI: workflow, prompt"
    assert command(["doctor", "--json", "--file", with_workflow]) == 0
    assert json.loads(capsys.readouterr().out)["seed"] == 7


def test_file_without_a_label_is_an_error(tmp_path, capsys):
    (tmp_path / "a.mp4").write_bytes(b"no video")
    assert command(["doctor", "--file", str(tmp_path / "a.mp4")]) == 3
    assert capsys.readouterr().err.startswith("sonic: Choose a video that was made by this program: ")
