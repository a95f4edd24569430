"""Registration: ComfyUI imports the folder once, twice, beside another pack, and without the compiled extension."""

import asyncio
import importlib.metadata
import importlib.util
import inspect
import json
import logging
import re
import shutil
import struct
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from sonic_nodes import __version__ as VERSION
from sonic_nodes.extension.native import _sonic
from tests.oracles.system import WINDOWS, make_link

ROOT = Path(__file__).resolve().parents[2]
COUNT = len(json.loads((ROOT / "locales/zh/nodeDefs.json").read_text(encoding="utf-8")))


def import_as_comfy_does(folder: Path, name: str):
    """ComfyUI names the module of a pack after its path, not after a package."""
    spec = importlib.util.spec_from_file_location(name, folder / "__init__.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def pack(comfy, tmp_path):
    """Imports a link to the repository as ComfyUI does; removes its modules afterwards."""
    before = set(sys.modules)

    def load(name):
        folder = tmp_path / "custom_nodes" / name
        folder.parent.mkdir(exist_ok=True)
        if not make_link(folder, ROOT):
            leave_out = shutil.ignore_patterns("tests", "build", "bench", "dist", ".*", "__pycache__", "*.pyc")
            shutil.copytree(ROOT, folder, ignore=leave_out)
        return import_as_comfy_does(folder, str(folder).replace(".", "_x_"))

    yield load
    for name in set(sys.modules) - before:
        if "custom_nodes" in name:
            del sys.modules[name]


def node_list(module):
    async def registered():
        return await (await module.comfy_entrypoint()).get_node_list()

    return asyncio.run(registered())


def register(module):
    listed = node_list(module)
    sys.modules["nodes"].NODE_CLASS_MAPPINGS.update({node.NODE_ID: node for node in listed})
    return listed


@pytest.mark.parametrize("name", ["sonic", "ComfyUI-Sonic 说话肖像 (2)", "a.b-c"])
def test_the_folder_may_have_any_name(pack, name):
    module = pack(name)
    assert (ROOT / module.WEB_DIRECTORY).is_dir()
    assert not hasattr(module, "NODE_CLASS_MAPPINGS"), "with it ComfyUI never calls comfy_entrypoint"
    assert len(register(module)) == COUNT


def test_importing_the_folder_alone_has_no_effect(comfy, pack, monkeypatch):
    for name in ("comfy", "comfy_api", "comfy_api.latest", "folder_paths", "nodes"):
        monkeypatch.setitem(sys.modules, name, None)
    pack("plain")
    assert list(comfy.input_folder.iterdir()) == []


def test_a_second_copy_registers_nothing_and_warns(pack, caplog):
    first = register(pack("one"))
    with caplog.at_level(logging.WARNING):
        second = node_list(pack("two"))
    assert len(first) == COUNT and second == []
    assert "Remove one of two copies of the Sonic nodes" in caplog.text


def test_a_node_id_of_another_pack_is_reported(pack, caplog):
    sys.modules["nodes"].NODE_CLASS_MAPPINGS["SONIC_PreData"] = object
    with caplog.at_level(logging.WARNING):
        assert len(register(pack("one"))) == COUNT
    assert "Keep one of the two packs that define SONIC_PreData" in caplog.text


def make_unimportable(monkeypatch, name):
    """Makes the import of `name` fail, and drops this package's modules that already imported it."""
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "sonic_nodes.engines.draft", raising=False)
    if name == "sonic_nodes._sonic":
        monkeypatch.delitem(sys.modules, "sonic_nodes.extension.native", raising=False)
        monkeypatch.delattr("sonic_nodes._sonic", raising=False)


def test_a_missing_python_package_is_reported(extension, nodes, monkeypatch):
    make_unimportable(monkeypatch, "numpy")
    assert len(asyncio.run(extension.SonicExtension().get_node_list())) == COUNT
    command = f'"{sys.executable}" -m pip install -r "{ROOT / "requirements.txt"}"'
    with pytest.raises(ValueError) as raised:
        nodes["SonicLoader"].execute("built-in draft")
    assert str(raised.value).startswith(
        f"Run `{command}`, then restart ComfyUI: a part of the Sonic nodes does not load"
    )


def test_a_pytorch_that_is_too_old_is_reported(nodes, monkeypatch):
    make_unimportable(monkeypatch, "sonic_nodes._sonic")
    monkeypatch.setattr("torch.__version__", "2.9.1+cu128")
    with pytest.raises(
        ValueError, match=r"^Update PyTorch to 2\.10 or newer, then start again.*\n  1\. .*: it is 2\.9\.1\+cu128\."
    ):
        nodes["SonicLoader"].execute("built-in draft")


COMPILED = Path(_sonic.__file__)
PE_FILE = b"MZ" + bytes(58) + struct.pack("<I4sH", 64, b"PE\0\0", 0x8664) + bytes(900)  # for x86-64
HERE, OTHER, OTHER_FILE = ("Windows", "Linux", b"\x7fELF" + bytes(900)) if WINDOWS else ("Linux", "Windows", PE_FILE)
UNUSABLE_FILES = {
    "absent": (None, "the source code alone does not contain it"),
    "cut short": (lambda: COMPILED.read_bytes()[:5000], "is cut short: it has 5,000 of"),
    "of another system": (lambda: OTHER_FILE, f"is made for {OTHER}, and this is {HERE}"),
}


def no_distribution(name):
    raise importlib.metadata.PackageNotFoundError(name)


@pytest.mark.skipif(sys.platform not in ("linux", "win32"), reason="files of macOS are not made here")
@pytest.mark.parametrize("case", UNUSABLE_FILES)
def test_without_the_compiled_extension_every_node_reports_the_remedy(comfy, tmp_path, monkeypatch, caplog, case):
    """A clone, an interrupted download, a file for another system: the nodes register, and each reports the remedy. No
    installed wheel stands in."""
    monkeypatch.setattr(importlib.metadata, "distribution", no_distribution)
    content, reason = UNUSABLE_FILES[case]
    folder = tmp_path / "custom_nodes" / "a clone"
    for name in ("__init__.py", "Makefile", "requirements.txt", "sonic_nodes"):
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.so", "*.pyd"))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    if content:
        (folder / "sonic_nodes" / COMPILED.name).write_bytes(content())
    before = set(sys.modules)
    with caplog.at_level(logging.WARNING):
        listed = register(import_as_comfy_does(folder, str(folder)))
    command = f'Run `make -C "{folder}" build PYTHON="{sys.executable}"`, then start again'
    if WINDOWS:
        command = f'Unpack sonic-talking-portrait-{VERSION}.zip over "{folder}", or run `"{sys.executable}" -m pip '
    assert len(listed) == COUNT and f"Sonic nodes: {command}" in caplog.text
    for node in listed:
        node.define_schema()
        with pytest.raises(ValueError) as raised:
            node.execute()
        assert str(raised.value).startswith(command) and reason in str(raised.value), node.NODE_ID
    for name in set(sys.modules) - before:
        if "custom_nodes" in name:
            del sys.modules[name]


@pytest.mark.parametrize(("version", "warns"), [("0.3.63", True), ("0.3.64", False), ("0.10.0", False)])
def test_a_comfyui_that_is_too_old_is_reported(pack, monkeypatch, caplog, version, warns):
    monkeypatch.setitem(sys.modules, "comfyui_version", SimpleNamespace(__version__=version))
    with caplog.at_level(logging.WARNING):
        pack("one")
    assert (f"Update ComfyUI to 0.3.64 or newer: it is {version}" in caplog.text) == warns


def test_samples_are_copied_without_overwriting(comfy, extension):
    own_file = comfy.input_folder / "sonic_sample_portrait.jpg"
    own_file.write_bytes(b"own file")
    extension.copy_samples(comfy.input_folder)
    speech = comfy.input_folder / "sonic_sample_speech.wav"
    assert own_file.read_bytes() == b"own file"
    assert speech.read_bytes() == (ROOT / "sonic_nodes/assets/sample/speech.wav").read_bytes()
    names = [*extension.SAMPLES.values(), extension.SAMPLE_FOLDER]
    assert sorted(p.name for p in comfy.input_folder.iterdir()) == sorted(names)
    recordings = sorted(p.name for p in (comfy.input_folder / extension.SAMPLE_FOLDER).iterdir())
    assert recordings == ["chinese.wav", "english.wav", "spanish.wav"]


def test_an_unwritable_input_folder_only_warns(extension, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        extension.copy_samples(tmp_path / "absent")
    assert "Choose your own picture and recording" in caplog.text


def test_the_page_shows_the_notes_of_every_node_that_has_some(nodes):
    script = (ROOT / "sonic_nodes/web/sonic.js").read_text("utf-8")
    shown = set(re.findall(r'"(\w+)"', re.search(r"const NODES = new Set\(\[(.*?)\]\);", script, re.DOTALL)[1]))
    assert shown == {name for name, node in nodes.items() if "ui=" in inspect.getsource(node)}
