"""The archive for ComfyUI's registry, dist/*.zip of `make pack`: its content, and that a real ComfyUI runs it.

The second part needs COMFYUI_DIR, a checkout, and COMFYUI_PYTHON, the Python that runs it.
"""

import json
import os
import re
import subprocess
import zipfile
from pathlib import Path

import pytest

from sonic_nodes import __version__
from sonic_nodes.extension import binary

ROOT = Path(__file__).resolve().parents[2]
ARCHIVE = ROOT / "dist" / f"sonic-talking-portrait-{__version__}.zip"


@pytest.fixture(scope="module")
def archive():
    if not ARCHIVE.is_file():
        pytest.skip(f"{ARCHIVE.relative_to(ROOT)} is absent: type make pack")
    with zipfile.ZipFile(ARCHIVE) as file:
        yield file


@pytest.fixture(scope="module")
def unpacked(archive, tmp_path_factory):
    """Unpacked into custom_nodes, as ComfyUI's manager does; two levels up is ComfyUI's base directory."""
    folder = tmp_path_factory.mktemp("base") / "custom_nodes" / "sonic-talking-portrait"
    archive.extractall(folder)
    return folder


def test_what_a_user_needs_is_inside(archive):
    names = set(archive.namelist())
    needed = [
        "__init__.py",
        "pyproject.toml",
        "requirements.txt",
        "README.md",
        "LICENSE",
        "THIRD_PARTY.md",
        "CHANGELOG.md",
        "docs/nodes.md",
        "locales/zh/nodeDefs.json",
        "workflows/draft.json",
        "workflows/draft.jpg",
        "sonic_nodes/_sonic.abi3.so",
        "sonic_nodes/web/sonic.js",
        "sonic_nodes/assets/face_mesh.safetensors",
        "sonic_nodes/assets/sample/portrait.jpg",
    ]
    assert not [name for name in needed if name not in names]
    # for make build, on a machine that the compiled part does not fit
    assert {
        "Makefile",
        "setup.py",
        "tools/bootstrap.sh",
        "tools/cross/targets.py",
        "csrc/bindings/exports.map",
    } <= names


def test_what_a_user_does_not_need_is_not(archive):
    assert not [
        name
        for name in archive.namelist()
        if re.match(r"(tests|bench|build|dist|\.)|tools/(?!bootstrap.sh|__init__.py|cross/)|.*__pycache__", name)
    ]
    assert ARCHIVE.stat().st_size < 20 << 20


def test_the_binary_needs_no_library_of_the_building_machine(unpacked):
    """The licences of what is linked into it are included."""
    path = unpacked / "sonic_nodes" / "_sonic.abi3.so"
    assert binary.flaw(path) is None
    needed = subprocess.run(["readelf", "-d", path], check=True, capture_output=True, text=True).stdout
    assert not re.search("opencv|jpeg|tbb", needed)
    assert {"OpenCV-LICENSE.txt", "libjpeg-turbo-LICENSE.md"} <= {
        file.name for file in (unpacked / "licenses").iterdir()
    }


# What main.py does before it serves, then the nodes of a template in order.
RUN = """
import asyncio, json, sys, wave
base, pack = sys.argv[1:]
sys.argv = ["main.py", "--cpu", "--base-directory", base]
import comfy.options
comfy.options.enable_args_parsing()
import utils.extra_config
import nodes, torch
asyncio.run(nodes.init_external_custom_nodes())
registered = nodes.NODE_CLASS_MAPPINGS.items()
mine = {name: node for name, node in registered if getattr(node, "SONIC_PACK_FOLDER", None) == pack}
def execute(name, **inputs):
    return mine[name].PREPARE_CLASS_CLONE({}).execute(**inputs).args
with torch.inference_mode():
    picture, mask = execute("SonicLoadImage", image="sonic_sample_portrait.jpg", policy="off")
    with wave.open(pack + "/sonic_nodes/assets/sample/speech.wav") as file:
        samples = torch.frombuffer(bytearray(file.readframes(file.getframerate())), dtype=torch.int16)
        sound = {"waveform": samples.float()[None, None] / 32768, "sample_rate": file.getframerate()}
    data, *_ = execute("SONIC_PreData", audio=sound, image=picture, min_resolution=256, duration=0.0, expand_ratio=0.2)
    model, = execute("SonicLoader", model="built-in draft")
    latent, = execute("SonicInference", model=model, data=data, seed=1, dynamic_scale=1.0, motion_scale=1.0)
    images, fps = execute("SonicLatentDecoder", model=model, latent=latent, data=data)
moves = float((images - images[:1]).abs().max())
print(json.dumps({"nodes": sorted(mine), "frames": len(images), "moves": moves, "fps": fps,
                  "web": list(nodes.EXTENSION_WEB_DIRS.values())}))
"""


def test_a_comfyui_runs_it(unpacked):
    """Its nodes are registered, its web folder is found, and the compiled part works in ComfyUI's process."""
    comfyui, python = os.environ.get("COMFYUI_DIR"), os.environ.get("COMFYUI_PYTHON")
    if not (comfyui and python):
        pytest.skip("no ComfyUI at hand: set COMFYUI_DIR to a checkout and COMFYUI_PYTHON to its Python")
    base = unpacked.parents[1]
    for name in ("input", "output", "user", "models", "temp"):
        (base / name).mkdir()
    command = [python, "-c", RUN, str(base), str(unpacked)]
    done = subprocess.run(command, cwd=comfyui, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "IMPORT FAILED" not in done.stderr and "Sonic nodes:" not in done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    nodes = {"SonicLoadImage", "SONIC_PreData", "SonicLoader", "SonicInference", "SonicLatentDecoder", "SonicPasteBack"}
    assert nodes <= set(result["nodes"])
    assert (result["frames"], result["fps"]) == (25, 25.0) and result["moves"] > 0.05
    assert str(unpacked / "sonic_nodes" / "web") in [str(Path(folder).resolve()) for folder in result["web"]]
