"""Memory that runs out: exit code 5 and its sentence, never advice about the file; results of other files are kept."""

import json
import shutil
from types import SimpleNamespace

import av
import pytest
from PIL import Image

from sonic_nodes.commands import check, doctor
from sonic_nodes.commands.cli import main
from sonic_nodes.errors import InputError, ResourceError
from sonic_nodes.gate import result, workers
from sonic_nodes.media import video_reader
from sonic_nodes.media.image import read_picture
from sonic_nodes.media.sound_reader import Reader
from tests.oracles.system import WINDOWS

SHORTAGES = [
    MemoryError(),
    RuntimeError("std::bad_alloc"),
    RuntimeError("can't start new thread"),
    OSError(12, "Cannot allocate memory"),
    OSError("out of memory when reading image file"),
]


def failing(error):
    def call(*arguments, **options):
        raise error

    return call


@pytest.mark.parametrize("error", SHORTAGES, ids=str)
def test_a_picture_for_which_memory_runs_out(tmp_path, sample_dir, monkeypatch, capsys, error):
    for name in ("a.jpg", "b.jpg"):
        shutil.copy(sample_dir / "portrait.jpg", tmp_path / name)
    real = result.judged
    monkeypatch.setattr(
        result,
        "judged",
        lambda *args, **options: failing(error)() if args[-1].endswith("a.jpg") else real(*args, **options),
    )
    assert main(["check", str(tmp_path), "--json"]) == 5
    printed = capsys.readouterr()
    rows = json.loads(printed.out)
    assert [row["verdict"] == "unreadable" for row in rows] == [True, False]
    advice = rows[0]["reasons"][0]["advice"]
    assert advice.startswith("Close other programs") and printed.err.splitlines()[-1] == f"sonic: {advice}"


def test_a_failure_of_another_kind_is_the_pictures(tmp_path, sample_dir, monkeypatch, capsys):
    monkeypatch.setattr(result, "judged", failing(ZeroDivisionError()))
    assert main(["check", str(sample_dir / "portrait.jpg"), "--json"]) == 3
    assert "Save the picture again" in json.loads(capsys.readouterr().out)[0]["reasons"][0]["advice"]


NO_MEMORY, ACCESS_VIOLATION = 0xC0000017, 0xC0000005  # ntstatus.h


@pytest.mark.parametrize(
    ("code", "is_shortage"),
    [(3, True), (NO_MEMORY, True), (ACCESS_VIOLATION, False), (1, False)]
    if WINDOWS
    else [(-9, True), (-6, True), (-11, False), (1, False)],
)
def test_a_process_that_the_system_ended(code, is_shortage):
    """The system ends processes with SIGKILL when memory is short; C++ calls abort()."""
    assert workers._was_killed(code) is is_shortage


@pytest.mark.parametrize("error", SHORTAGES, ids=str)
@pytest.mark.parametrize("place", ["load", "turn"])
def test_decoders_of_pictures(sample_dir, monkeypatch, error, place):
    owner, name = {"load": (Image.Image, "convert"), "turn": (Image.Image, "getexif")}[place]
    monkeypatch.setattr(owner, name, failing(error))
    with pytest.raises(ResourceError, match="^Choose a smaller picture or close other programs"):
        read_picture(sample_dir / "portrait.jpg")


def test_decoders_of_clips_do_not_skip_what_memory_was_short_for():
    shortage, damage = av.error.MemoryError(12, "Cannot allocate memory"), av.error.InvalidDataError(1, "damaged")
    for error, expected in ((shortage, MemoryError), (damage, InputError)):
        stream = SimpleNamespace(index=0)
        packet = SimpleNamespace(stream=stream, size=9, pts=0, duration=1, time_base=1, decode=failing(error))
        container = SimpleNamespace(demux=lambda _, packet=packet: [packet])
        with pytest.raises(expected):
            list(video_reader.decode(container, stream, (), "a.mp4"))
        reader = Reader("a.wav")
        if error is shortage:
            with pytest.raises(MemoryError):
                reader.packet(packet)
        else:
            reader.packet(packet)
            assert reader.damaged == 1


@pytest.mark.parametrize("error", SHORTAGES, ids=str)
def test_doctor_and_options(monkeypatch, capsys, error):
    monkeypatch.setattr(doctor, "CHECKS", [("encoder", True, failing(error))])
    assert main(["doctor"]) == 5
    monkeypatch.setattr(check, "files_of", failing(error))
    assert main(["check", "a.png"]) == 5
    for line in capsys.readouterr().err.splitlines():
        assert line.startswith("sonic: Close other programs"), line
