"""The commands as Windows runs them: open files, processes, patterns, consoles. On Linux by the rules of
tests/oracles/windows_files.py and with values as Windows has them."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from sonic_nodes.commands import check, cli, render, streams
from sonic_nodes.commands.cli import main
from sonic_nodes.gate import workers
from sonic_nodes.gate.reports import CsvReport, JsonReport
from sonic_nodes.gate.result import Result
from sonic_nodes.lipsync import fix
from sonic_nodes.media import system_errors
from sonic_nodes.media.audio import read_sound
from sonic_nodes.media.video_writer import VideoWriter
from sonic_nodes.memory import host
from tests.oracles import windows_files
from tests.tools.signal_matrix import make_speech

ROOT = Path(__file__).resolve().parents[2]
FAST = ("--min-resolution", "128")
NAMES = ("portrait \U0001f600.jpg", "说话的人.jpg", "žluťoučký.jpg")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, sample_dir):
    """A portrait, a moment of speech, a shaken clip; in a folder with spaces and Chinese characters."""
    folder = tmp_path_factory.mktemp("my videos 视频")
    make_speech(folder / "speech.wav", 0.3)
    shutil.copy(sample_dir / "portrait.jpg", folder)
    picture = np.asarray(Image.open(sample_dir / "portrait.jpg").convert("RGB").resize((96, 96)))
    with VideoWriter(folder / "clip.mp4", 80, 80, sound=read_sound(folder / "speech.wav")) as writer:
        for i in range(10):
            writer.write(np.ascontiguousarray(picture[7 * i % 5 : 7 * i % 5 + 80, i % 3 : i % 3 + 80]))
    return folder


@pytest.fixture
def windows(monkeypatch):
    monkeypatch.setattr(system_errors, "PATIENCE_S", 0.3)
    windows_files.apply(monkeypatch)


needs_open_files = pytest.mark.skipif(sys.platform not in ("linux", "win32"), reason="open files are in /proc")
COMMANDS = {
    "render": ["render", "portrait.jpg", "speech.wav", "-o", "out/a.mp4", "--frames", "out/frames", *FAST],
    "smooth": ["smooth", "clip.mp4", "-o", "out/a.mp4", "--lossless"],
    "smooth, a copy": ["smooth", "clip.mp4", "-o", "out/a.mp4", "--strength", "0"],
    "sync, a copy": ["sync", "clip.mp4", "--fix", "out/a.mp4"],
    "check": ["check", "portrait.jpg", "--heat-map", "out/a.png", "--html", "out/a.html"],
}


@needs_open_files
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_closes_what_it_renames_and_deletes(inputs, monkeypatch, windows, name, capsys):
    """Over an older output; nothing but outputs is left."""
    out = inputs / "out"
    out.mkdir()
    try:
        for older in ("a.mp4", "a.png", "a.html"):
            (out / older).write_bytes(b"older")
        monkeypatch.chdir(inputs)
        assert main(COMMANDS[name]) == 0, capsys.readouterr().err
        made = [path for path in out.rglob("*") if path.is_file() and path.read_bytes() != b"older"]
        assert len(made) == {"render": 9, "check": 2}.get(name, 1)
        assert set(os.listdir(out)) <= {"a.mp4", "a.png", "a.html", "frames"}
    finally:
        shutil.rmtree(out)


@needs_open_files
def test_a_moved_sound_closes_what_it_renames(inputs, windows, tmp_path):
    target = tmp_path / "a.mp4"
    target.write_bytes(b"older")
    fix.write_shifted(str(inputs / "clip.mp4"), str(target), read_sound(inputs / "speech.wav"), 0.0)
    assert os.listdir(tmp_path) == ["a.mp4"] and target.stat().st_size > 1000


@needs_open_files
def test_render_refuses_an_open_output_before_the_work(inputs, monkeypatch, windows, tmp_path, capsys):
    monkeypatch.setattr(render, "prepared", lambda request: pytest.fail("the work began"))
    monkeypatch.setattr(render, "engine_class", lambda name: pytest.fail("the work began"))
    out = tmp_path / "a.mp4"
    out.write_bytes(b"older")
    with out.open("rb"):
        assert main(["render", str(inputs / "portrait.jpg"), str(inputs / "speech.wav"), "-o", str(out)]) == 6
    assert capsys.readouterr().err.startswith("sonic: Close the program that has ")
    assert os.listdir(tmp_path) == ["a.mp4"] and out.read_bytes() == b"older"


# Processes


def test_jobs_up_to_what_the_system_can_wait_for(monkeypatch, capsys):
    assert workers.MAX_JOBS == (61 if os.name == "nt" else 256)
    monkeypatch.setattr(check, "MAX_JOBS", 61)
    assert main(["check", "a.png", "--jobs", "62"]) == 2
    assert "Choose --jobs from 1 to 61: it is 62." in capsys.readouterr().err


@pytest.mark.parametrize("code", [3, 0xC0000409, 0xC0000017, 0xC000012D])
def test_a_process_that_windows_ended_for_want_of_memory(monkeypatch, code):
    monkeypatch.setattr(workers, "WINDOWS", True)
    assert workers._was_killed(code)
    assert not any(workers._was_killed(other) for other in (None, 0, 1, 0xC0000005, -9))


def test_the_folder_runs_in_a_python_that_looks_nowhere_else(tmp_path):
    """As ComfyUI's portable version has it: no PYTHONPATH, no current folder."""
    command = [sys.executable, "-I", str(ROOT), "--version"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("sonic "), done


def test_processes_find_the_package_where_their_parent_does(monkeypatch):
    """Python passes its search path on, and runs no main module again that is called __main__."""
    from multiprocessing import spawn

    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace(__spec__=SimpleNamespace(name="__main__")))
    found = spawn.get_preparation_data("worker")
    assert found["init_main_from_name"] == "__main__" and str(ROOT) in found["sys_path"]


# Names on the command line


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    for name in ("b.jpg", "a.jpg", "[1].jpg", "a.txt", "sub/c.png"):
        (tmp_path / name).touch()


def test_patterns_that_no_shell_replaces(pictures):
    assert list(check.files_of(["*.jpg"], windows=True)) == ["[1].jpg", "a.jpg", "b.jpg"]
    assert list(check.files_of(["?.jpg", "s*"], windows=True)) == ["a.jpg", "b.jpg", os.path.join("sub", "c.png")]
    assert list(check.files_of(["[1].j*"], windows=True)) == ["[1].jpg"]
    assert list(check.files_of(["no*.jpg", "http://x/?a"], windows=True)) == ["no*.jpg", "http://x/?a"]
    assert list(check.files_of(["*.jpg"], windows=False)) == ["*.jpg"]


def test_a_pattern_without_a_match_is_a_file_that_does_not_exist(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["check", "none*.jpg"]) == 3
    assert "none*.jpg" in capsys.readouterr().out


def test_a_folder_that_cannot_be_listed_is_said(pictures, monkeypatch, capsys):
    real = os.scandir

    def scandir(path="."):
        if os.path.basename(path) == "sub":
            raise PermissionError(13, "Access is denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert list(check.files_of(["."])) == [os.path.join(".", name) for name in ("[1].jpg", "a.jpg", "b.jpg")]
    said = capsys.readouterr().err
    assert said.startswith("sonic: Allow this program to list ") and "sub" in said


@pytest.mark.parametrize(
    "options", [["--heat-map", "x.png", "--repair", "x.png"], ["--heat-map", "x.png", "--repair", "./x.png"]]
)
def test_two_outputs_of_one_name(pictures, options, capsys):
    assert main(["check", "a.jpg", *options]) == 2
    assert "Choose another name for --repair" in capsys.readouterr().err and not os.path.exists("x.png")


def test_two_outputs_that_differ_in_case(pictures, monkeypatch, capsys):
    """Windows takes them for one file."""
    monkeypatch.setattr(os.path, "normcase", str.lower)
    assert main(["check", "a.jpg", "--heat-map", "x.png", "--repair", "X.PNG"]) == 2
    assert "'X.PNG' is the file of --heat-map as well" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["https://x/C:evil.jpg", "https://x/a|b.jpg?q=*", "https://x/a\\..\\b.jpg/"])
def test_names_made_of_addresses(monkeypatch, address):
    real = check.allowed_stem
    monkeypatch.setattr(check, "allowed_stem", lambda stem: real(stem, windows=True))
    made = check.free_name(address, "heat", {})
    assert made.endswith("_heat.png") and not set(made) & set('\\/:*?"<>|')


@pytest.mark.parametrize("option", ["--heat-map", "--repair"])
def test_an_output_of_check_that_cannot_be(pictures, monkeypatch, capsys, option):
    from sonic_nodes.media.file_names import output_problem

    monkeypatch.setattr(check, "output_problem", lambda path: output_problem(path, True))
    monkeypatch.setattr(check, "check_sources", lambda *arguments: pytest.fail("the work began"))
    for out in ("NUL.png", "heat ", "a|b"):
        assert main(["check", "a.jpg", option, out]) == 6
        assert capsys.readouterr().err.startswith(f"sonic: Choose another name for {option}: {out!r} ")
    assert "heat " not in os.listdir()


# Consoles and pipes


@pytest.mark.parametrize("page", ["cp437", "cp936", "cp1252", "ascii", "utf-8"])
@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"]], ids=["text", "JSON", "CSV"])
def test_text_that_a_code_page_lacks(tmp_path, monkeypatch, page, form):
    for name in NAMES:
        (tmp_path / name).write_bytes(b"no picture")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), page, "strict", newline="\r\n"))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), page, "strict", newline="\r\n"))
    assert main(["check", *NAMES, "missing \U0001f600.jpg", *form]) == 3
    printed = sys.stdout.buffer.getvalue().decode("utf-8" if form == ["--csv"] else page)
    assert printed.count("unreadable") >= 4 and b"Traceback" not in sys.stderr.buffer.getvalue()
    if form == ["--json"]:
        assert [row["path"] for row in json.loads(printed)] == [*NAMES, "missing \U0001f600.jpg"]


@pytest.mark.parametrize("page", ["cp437", "cp936", "ascii"])
def test_a_progress_bar_on_a_code_page(monkeypatch, page):
    stream = io.TextIOWrapper(io.BytesIO(), page, "strict")
    stream.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", stream)
    with render.bar("drawing \u25b6"[:7]) as show:
        show(1, 3), show(3, 3)
    stream.flush()
    assert b"drawing" in stream.buffer.getvalue()


@pytest.mark.parametrize("page", ["cp437", "cp936", "ascii"])
def test_errors_and_notes_on_a_strict_stream(monkeypatch, page):
    """A program around this one may have replaced standard error."""
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), page, "strict"))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), page, "strict"))
    streams.prepare()
    streams.say("\U0001f600 žluťoučký")
    print("\U0001f600")
    sys.stderr.flush(), sys.stdout.flush()
    assert b"\\U0001f600" in sys.stderr.buffer.getvalue() and b"\\U0001f600" in sys.stdout.buffer.getvalue()


VERDICT = {"path": "a\nb 视频.jpg", "verdict": "ok", "score": 1.0, "passed": True, "jpeg_quality": None, "reasons": []}


@pytest.mark.parametrize("report", [JsonReport, CsvReport])
def test_json_and_csv_are_the_same_bytes_on_windows(report):
    def printed(**options):
        out = io.TextIOWrapper(io.BytesIO(), **options)
        with report(out) as made:
            made.add(Result(VERDICT))
        out.flush()
        return out.buffer.getvalue()

    there = printed(encoding="cp936", newline="\r\n")
    assert b"\r" not in there and there == printed(encoding="utf-8", newline="\n")


def test_a_reader_that_is_gone_ends_the_command_quietly(monkeypatch, capsys):
    """`sonic check ... | more`, ended with q: EINVAL on Windows."""

    class Gone(io.TextIOBase):
        def write(self, text):
            raise OSError(22, "Invalid argument")

        flush = fileno = write_through = lambda self, *_: self.write("")

    monkeypatch.setattr(sys, "stdout", Gone())
    monkeypatch.setattr(cli, "runner", lambda name: lambda options: print("all is well"))
    monkeypatch.setattr(cli, "is_broken_pipe", lambda error: system_errors.is_broken_pipe(error, windows=True))
    assert main(["doctor"]) == cli.EXIT_BROKEN_PIPE and capsys.readouterr().err == ""


# Memory


def test_memory_is_measured_on_this_system(monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert 1e8 < host.available_bytes() < 1e14 and 1e6 < host.peak_resident_bytes() < 1e13


def test_memory_of_windows_is_read_from_its_structures(monkeypatch):
    """By a kernel32 that fills the fields at the places that its documentation gives."""
    import ctypes

    def status(pointer):
        memory = ctypes.cast(pointer, ctypes.POINTER(ctypes.c_uint64))
        assert ctypes.cast(pointer, ctypes.POINTER(ctypes.c_uint32))[0] == 64
        memory[2] = 5 << 30  # after two 32-bit fields and ullTotalPhys
        return 1

    def counters(process, pointer, size):
        assert size == 72
        ctypes.cast(pointer, ctypes.POINTER(ctypes.c_uint64))[1] = 3 << 20
        return 1

    class Call:
        def __init__(self, function):
            self.function = function

        def __call__(self, *arguments):
            return self.function(*arguments)

    kernel32 = SimpleNamespace(
        GlobalMemoryStatusEx=status, GetCurrentProcess=lambda: -1, K32GetProcessMemoryInfo=Call(counters)
    )
    monkeypatch.setattr(ctypes, "WinDLL", lambda name: kernel32, raising=False)
    assert host._available_on_windows() == 5 << 30 and host._peak_on_windows() == 3 << 20
