"""File names in a workflow, which strangers wrote: none reaches a file outside of ComfyUI's folders, a device or a
pipe, and none is opened before it is judged."""

import shutil
import socket
import sys

import pytest
from PIL import Image

from sonic_nodes.media.file_names import is_device, is_inside, problem_of
from tests.oracles.system import make_link, make_pipe


@pytest.fixture
def pictures(nodes, comfy, tmp_path):
    """ComfyUI's input folder with pictures, and what is not one, in it and beside it."""
    folder = comfy.input_folder
    Image.new("RGB", (300, 300), (90, 120, 200)).save(folder / "a.png")
    (folder / "sub").mkdir()
    shutil.copy(folder / "a.png", folder / "sub/b c.png")
    shutil.copy(folder / "a.png", tmp_path / "outside.png")
    make_link(folder / "out.png", tmp_path / "outside.png")
    if not make_link(folder / "in.png", folder / "sub/b c.png"):
        shutil.copy(folder / "a.png", folder / "in.png")
    make_link(folder / "zero.png", "/dev/zero")
    (folder / "folder.png").mkdir()
    make_link(folder / "up", tmp_path)
    make_pipe(folder / "pipe.png")
    return folder


@pytest.fixture
def unopened(nodes, monkeypatch):
    """Fails when anything is opened for reading, but for ComfyUI's settings, which no workflow names."""
    monkeypatch.setattr("sonic_nodes.nodes.language.saved_language", lambda: "en")
    monkeypatch.setattr("builtins.open", lambda *a, **k: pytest.fail(f"opened {a}"))
    monkeypatch.setattr("os.open", lambda *a, **k: pytest.fail(f"opened {a}"))


REFUSED = {
    "parent": "../outside.png",
    "parent later": "sub/../../outside.png",
    "parent of Windows": "sub\\..\\..\\outside.png",
    "parent, annotated": "../outside.png [input]",
    "parent, output": "../outside.png [output]",
    "only parent": "..",
    "absolute": "/etc/hostname",
    "device": "/dev/urandom",
    "standard input": "/dev/stdin",
    "process": "/proc/self/environ",
    "drive": "C:\\Windows\\win.ini",
    "drive, slashes": "d:/x.png",
    "UNC": "\\\\server\\share\\x.png",
    "UNC, slashes": "//server/share/x.png",
    "device path": "\\\\.\\pipe\\x",
    "device path 2": "\\\\?\\C:\\x.png",
    "NUL": "a.png\0.jpg",
    "no such bytes": "\ud800.png",
    "empty": "",
    "space": "  ",
    "the folder": ".",
    "a folder": "folder.png",
    "pipe": "pipe.png",
    "link to a device": "zero.png",
    "link outside": "out.png",
    "through a linked folder": "up/outside.png",
    "absent": "absent.png",
    "a device's name": "CON",
    "a device's name with an ending": "nul.png",
    "a stream": "a.png:stream",
    "long": "x" * 5000,
    "long folders": "x/" * 3000 + "x.png",
    "number": 7,
    "NaN": float("nan"),
    "list": ["a.png"],
    "dictionary": {"image": "a.png"},
    "escape sequence": "\x1b[31m\nx.png",
}


@pytest.mark.parametrize("kind", REFUSED)
def test_load_image_refuses_before_it_reads(nodes, pictures, unopened, kind):
    node, name = nodes["SonicLoadImage"], REFUSED[kind]
    told = node.validate_inputs(name)
    assert told.startswith("Choose another picture or upload it again: ") and told.isprintable() and len(told) < 500
    assert node.fingerprint_inputs(name) == told
    with pytest.raises(ValueError, match="^(Choose another picture or upload it again|Choose image from its list): "):
        node.execute(name)


@pytest.mark.posix("a folder of Windows holds files and folders alone")
def test_a_socket_is_refused(nodes, pictures, monkeypatch):
    monkeypatch.chdir(pictures)
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind("socket.png")
        assert "is a folder, device or pipe" in nodes["SonicLoadImage"].validate_inputs("socket.png")


@pytest.mark.parametrize("name", ["a.png", "sub/b c.png", "./a.png", "a.png [input]", "in.png"])
def test_pictures_in_the_folder_are_read(nodes, pictures, name):
    node = nodes["SonicLoadImage"]
    assert node.validate_inputs(name) is True and len(node.fingerprint_inputs(name)) == 64
    assert node.execute(name, "off").args[0].shape == (1, 300, 300, 3)


def test_an_input_folder_that_is_a_link_itself_works(nodes, comfy, tmp_path):
    real = tmp_path / "real"
    shutil.move(comfy.input_folder, real)
    if not make_link(comfy.input_folder, real):
        pytest.skip("Windows makes links in developer mode alone")
    Image.new("RGB", (300, 300)).save(real / "a.png")
    assert nodes["SonicLoadImage"].validate_inputs("a.png") is True


def test_the_digest_of_a_large_file_is_not_read(nodes, pictures):
    with (pictures / "huge.png").open("wb") as out:
        out.truncate(1 << 40)
    assert nodes["SonicLoadImage"].fingerprint_inputs("huge.png").startswith(str(1 << 40))


# of a file that is absent, and of what no file can be called
NO_MODEL = ("Put unet.pth at models/sonic/unet.pth", "Choose model from its list", "Choose sonic_unet from its list")


@pytest.mark.parametrize("kind", [kind for kind in REFUSED if kind not in ("the folder", "space")])
def test_the_loaders_refuse_such_models(nodes, comfy, small_models, kind, unopened):
    """By the message about a missing file; links inside the folders are the user's own and are followed."""
    name = REFUSED[kind]
    for told in (
        nodes["SonicLoader"].validate_inputs(name),
        nodes["SonicLoader"].validate_inputs("built-in draft") and nodes["SONICTLoader"].validate_inputs(name),
        nodes["SonicLoader"].fingerprint_inputs(name),
    ):
        assert told.startswith(NO_MODEL) and told.isprintable() and len(told) < 900
    with pytest.raises(ValueError, match="|".join(NO_MODEL)):
        nodes["SonicLoader"].execute(name)


def test_a_model_outside_of_the_folders_is_not_reached(extension, comfy, small_models, tmp_path):
    shutil.copytree(small_models, comfy.models)
    files = sys.modules["sonic_nodes.nodes.model_files"]
    shutil.copy(comfy.models / "sonic/unet.pth", tmp_path / "unet.pth")
    if make_link(comfy.models / "sonic/linked.pth", tmp_path / "unet.pth"):
        assert files.full_path("sonic", "linked.pth")
    assert files.full_path("sonic", "unet.pth")
    for name in ("../../unet.pth", "..\\..\\unet.pth", str(tmp_path / "unet.pth")):
        assert files.full_path("sonic", name) is None


# Names that only Windows refuses, judged as there


@pytest.mark.parametrize(
    "name",
    "CON con.png NUL aux.tar.gz COM1 com9.jpg LPT1.x COM\u00b9 CONIN$ PRN. sub/NUL.png sub\\con a.png:s a:b C:x.png "
    "a. a.png. x/b./c.png".split()
    + ["a.png ", "nul .png", "CON:", "a /b.png"],
)
def test_names_that_windows_takes_for_devices_or_streams(name):
    assert problem_of(name, windows=True) and problem_of(name, windows=False) is None


@pytest.mark.parametrize(
    "name", "console.png com10.jpg nullify.png a.b.png sub/a.png sub\\a.png ./a.png .hidden.png COMA ü.png".split()
)
def test_other_names_are_allowed_on_windows(name):
    assert problem_of(name, windows=True) is None


def test_devices_are_judged_by_the_last_part():
    assert is_device("D:\\x\\con.png", True) and not is_device("C:\\con\\x.png", True)
    assert not is_device("/tmp/con.png", False)


def test_a_folder_whose_name_begins_alike_is_another(tmp_path):
    folder = tmp_path / "input"
    assert is_inside(folder / "a", folder) and not is_inside(tmp_path / "input2/a", folder)
