"""Paths on the command line that are no files on disk: one sentence at once, whatever the option. Nothing waits at a
pipe, and nothing of a device is read."""

import contextlib
import os
import socket

import pytest

from sonic_nodes.commands.cli import main
from tests.oracles.system import WINDOWS

NO_FILE = pytest.mark.posix("a folder of Windows holds files and folders alone")
KINDS = [
    "folder",
    "pipe",
    "device",
    *(pytest.param(k, marks=NO_FILE) for k in ("socket", "link to a device", "shell's pipe")),
]


@pytest.fixture
def sample(sample_dir):
    return str(sample_dir / "portrait.jpg"), str(sample_dir / "speech.wav")


@pytest.fixture(params=KINDS)
def special(request, tmp_path, monkeypatch):
    """A path of each kind. The pipes have a writer or none; both would block or give bytes without an end."""
    monkeypatch.chdir(tmp_path)
    with contextlib.ExitStack() as stack:
        if request.param == "pipe" and not WINDOWS:
            os.mkfifo("special")
        elif request.param in ("device", "pipe"):
            yield {"device": "NUL", "pipe": r"\\.\pipe\special"}[request.param] if WINDOWS else "/dev/zero"
            return
        elif request.param == "socket":
            stack.enter_context(socket.socket(socket.AF_UNIX)).bind("special")
        elif request.param == "folder":
            os.mkdir("special")
        elif request.param == "link to a device":
            os.symlink("/dev/urandom", "special")
        else:
            reading, writing = os.pipe()
            stack.callback(os.close, reading)
            stack.callback(os.close, writing)
            yield f"/dev/fd/{reading}"
            return
        yield "special"


def refused(capsys, *arguments):
    assert main(list(arguments)) == 3
    out, err = capsys.readouterr()
    assert "a device or pipe" in out + err or "a folder" in out + err
    assert sorted(os.listdir()) in ([], ["special"])


def test_inputs_of_render(special, sample, capsys):
    portrait, speech = sample
    refused(capsys, "render", special, speech, "-o", "o.mp4")
    refused(capsys, "render", portrait, special, "-o", "o.mp4")
    refused(capsys, "render", portrait, speech, "--face-mask", special, "-o", "o.mp4")


@pytest.mark.parametrize("option", ["--unet", "--checkpoint"])
def test_weights_of_render(special, sample, small_models, capsys, option):
    refused(
        capsys, "render", *sample, "--engine", "sonic", "--models", str(small_models), option, special, "-o", "o.mp4"
    )


def test_inputs_of_the_other_commands(special, capsys):
    refused(capsys, "sync", special)
    refused(capsys, "smooth", special, "-o", "o.mp4")
    if os.path.isdir(special):
        return  # a folder of pictures
    refused(capsys, "check", special)


@NO_FILE
def test_a_models_folder_with_a_pipe_in_it(tmp_path, capsys):
    (tmp_path / "sonic").mkdir()
    os.mkfifo(tmp_path / "sonic/unet.pth")
    assert main(["models", "--models", str(tmp_path)]) == 7
    assert "NO  unet.pth: Put unet.pth at" in capsys.readouterr().out
    assert main(["models", "convert", "--models", str(tmp_path), "-o", str(tmp_path / "out")]) == 3
    assert not (tmp_path / "out").exists()
