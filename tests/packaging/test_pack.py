"""The archive for ComfyUI's registry, dist/*.zip of `make pack`: how it is put together, its content, and that a real
ComfyUI runs it.

The last part needs COMFYUI_DIR, a checkout, and COMFYUI_PYTHON, the Python that runs it.
"""

import json
import os
import re
import subprocess
import zipfile
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from sonic_nodes import __version__
from sonic_nodes.extension import binary, places, targets
from tests.packaging import binary_rules as rules
from tests.packaging.binary_facts import read
from tools import pack_binaries
from tools.cross.targets import TARGETS as BUILT

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
        "locales/zh/messages.json",
        "workflows/draft.json",
        "workflows/draft.jpg",
        "subgraphs/Talking portrait.json",
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
    assert ARCHIVE.stat().st_size <= 25 << 20


LICENSES = {"OpenCV-LICENSE.txt", "OpenCV-COPYRIGHT.txt", "libjpeg-turbo-LICENSE.md", "libjpeg-turbo-README.ijg"}


def test_each_binary_is_for_the_system_that_its_name_says(unpacked):
    """And needs no library of the building machine. The licences of what is linked into them are included, once."""
    folder = unpacked / "sonic_nodes" / "binaries"
    named = {places.archive_name(target): target for target in targets.TARGETS}
    paths = sorted(folder.iterdir())
    assert paths and {path.name for path in paths} <= named.keys()
    for path in paths:
        facts = read(path)
        assert facts.target == named[path.name].name and rules.problems(facts) == []
        assert not path.stat().st_mode & 0o111 and __version__.encode() + b"\0" in path.read_bytes()
    assert not list(unpacked.glob("sonic_nodes/_sonic*"))
    assert LICENSES | {"zlib-LICENSE.txt"} <= {file.name for file in (unpacked / "licenses").iterdir()}


def test_its_own_file_is_found_and_whole(unpacked):
    """By the same functions that load it."""
    found = places.candidates(unpacked / "sonic_nodes")
    if places.archive_name(targets.find(targets.this())) not in os.listdir(unpacked / "sonic_nodes" / "binaries"):
        pytest.skip(f"type make pack for this test: the archive in dist/ was made without {targets.this()}")
    assert found[0].parent.name == "binaries" and binary.flaw(found[0]) is None


def made_wheel(root, target, version=__version__, licenses=(), content=b"binary"):
    """A wheel with the least that the archive takes from it."""
    tag = target.tag.replace("*manylinux*", "manylinux_2_27").replace("*", "11_0")
    path = root / "dist" / f"sonic_talking_portrait-{version}-{tag}"
    path.parent.mkdir(exist_ok=True)
    folder = f"sonic_talking_portrait-{version}.dist-info/licenses"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"sonic_nodes/_sonic{target.suffix}", content + target.name.encode())
        file.writestr("sonic_nodes/web/licenses/x.js", "not a licence of a library")
        for name, text in {"LICENSE": "ours", "THIRD_PARTY.md": "ours", **dict(licenses)}.items():
            file.writestr(f"{folder}/{name}", text)
    return path


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Sources that are older than each wheel made now."""
    for name in ("csrc/a.c", "sonic_nodes/__init__.py", "setup.py", "sonic_nodes/_sonic.abi3.so"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1e9, 1e9 if name.endswith((".c", ".py")) else 4e9))
    monkeypatch.setattr(pack_binaries, "ROOT", tmp_path)
    return tmp_path


def test_it_takes_each_systems_binary_and_every_licence_once(checkout, tmp_path, capsys):
    for number, target in enumerate(targets.TARGETS):
        made_wheel(checkout, target, licenses={"zlib.txt": "zlib", f"own{number}.txt": "x"}.items())
    tree = tmp_path / "tree"
    assert pack_binaries.main([str(tree)]) == 0
    binaries = {path.name: path.read_bytes() for path in (tree / "sonic_nodes" / "binaries").iterdir()}
    assert binaries == {places.archive_name(t): b"binary" + t.name.encode() for t in targets.TARGETS}
    licenses = {path.name for path in (tree / "licenses").iterdir()}
    assert licenses == {"zlib.txt", *(f"own{number}.txt" for number in range(len(targets.TARGETS)))}
    assert all(target.title in capsys.readouterr().err for target in targets.TARGETS[:1])


def test_all_that_is_absent_is_named_with_what_to_type(checkout, tmp_path):
    linux, windows, arm, macos = targets.TARGETS
    for target in (linux, windows, arm):
        made_wheel(checkout, target)
    made_wheel(checkout, macos, version="0.0.9")
    os.utime(next((checkout / "dist").glob("*win_amd64.whl")), (1e8, 1e8))
    with pytest.raises(SystemExit) as ended:
        pack_binaries.main([str(tmp_path / "tree")])
    text = str(ended.value)
    assert text.startswith("Type make wheel-macos wheel-windows, or make pack ")
    assert ' BINARIES="linux-x86_64 linux-aarch64" for an archive without: ' in text
    assert "there is no wheel for macOS on Apple processors" in text
    assert "that for Windows on x86-64 is older than the sources" in text
    assert not (tmp_path / "tree").exists()


def test_fewer_systems_can_be_named(checkout, tmp_path):
    made_wheel(checkout, targets.find("linux-aarch64"))
    assert pack_binaries.main([str(tmp_path / "tree"), "linux-aarch64"]) == 0
    assert len(list((tmp_path / "tree" / "sonic_nodes" / "binaries").iterdir())) == 1
    with pytest.raises(SystemExit, match="Set BINARIES to some of linux-x86_64 .*: solaris-x86_64 is none of them"):
        pack_binaries.main([str(tmp_path / "tree"), "solaris-x86_64"])


def test_a_wheel_for_this_machine_alone_is_not_taken(checkout, tmp_path):
    """pip's tag before auditwheel: it needs the OpenCV of this system."""
    path = made_wheel(checkout, targets.find("linux-x86_64"))
    path.rename(path.with_name(path.name.replace("manylinux_2_27", "linux")))
    with pytest.raises(SystemExit, match=r"^Type make wheel: there is no wheel for Linux on x86-64"):
        pack_binaries.main([str(tmp_path / "tree"), "linux-x86_64"])


def test_licences_that_differ_are_refused(checkout, tmp_path):
    made_wheel(checkout, targets.TARGETS[0], licenses={"zlib.txt": "of 1.2"}.items())
    made_wheel(checkout, targets.TARGETS[1], licenses={"zlib.txt": "of 1.3"}.items())
    with pytest.raises(SystemExit, match=r"^Build the wheels from the same sources: zlib.txt in .* differs"):
        pack_binaries.main([str(tmp_path / "tree"), *(target.name for target in targets.TARGETS[:2])])


def test_names_and_tags_are_those_of_the_build():
    """tools/cross/targets.py builds what sonic_nodes/extension/targets.py lists."""
    for name, built in BUILT.items():
        target = targets.find(name)
        assert target and built.extension == f"_sonic{target.suffix}"
        tag = built.wheel_tag.replace("linux_", "manylinux_2_28_")  # as auditwheel repairs it
        assert fnmatchcase(f"cp310-abi3-{tag}.whl", target.tag)
    assert {target.name for target in targets.TARGETS} == {"linux-x86_64", *BUILT}


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
