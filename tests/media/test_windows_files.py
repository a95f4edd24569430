"""Files that other programs have open, as Windows has it: the rules of tests/oracles/windows_files.py on Linux, those
of the system on Windows."""

import errno
import os
import shutil
import sys
import threading
import time
from types import SimpleNamespace

import av
import numpy as np
import pytest

from sonic_nodes.errors import InputError, OutputError, is_out_of_memory, shortage
from sonic_nodes.media import files, system_errors, temporary, video_writer
from sonic_nodes.media.file_lock import LOCKED_BYTE, try_lock
from sonic_nodes.media.files import atomic_video, atomic_write, regular_file
from sonic_nodes.media.frame_folder import FrameFolder
from sonic_nodes.media.system_errors import is_broken_pipe, is_disk_full, is_in_use, retried
from sonic_nodes.media.temporary import TemporaryFolder, sweep_again
from sonic_nodes.media.video_writer import VideoWriter
from sonic_nodes.weights.convert import atomic_folder
from tests.oracles import windows_files
from tests.oracles.windows_files import windows_error

pytestmark = pytest.mark.skipif(sys.platform not in ("linux", "win32"), reason="open files are found through /proc")
FRAMES = np.zeros((2, 16, 16, 3), np.uint8)


@pytest.fixture(autouse=True)
def windows(monkeypatch, tmp_path):
    """Windows' rules, in an empty folder, with a patience of half a second."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(system_errors, "PATIENCE_S", 0.5)
    monkeypatch.setattr(temporary, "CLEAR_UP_S", 0.3)
    windows_files.apply(monkeypatch)
    return tmp_path


def write(name, content=b"new"):
    with atomic_write(name) as file:
        file.write(content)


def held(name, seconds=None):
    """Another program's handle of the file; closed after that time, as a virus scanner does."""
    file = open(name, "rb")
    if seconds is not None:
        threading.Timer(seconds, file.close).start()
    return file


def test_the_rules_are_those_of_windows(windows):
    """What the other tests rest on; on Windows this asks the system."""
    for name in ("a", "b"):
        (windows / name).write_bytes(b"1")
    (windows / "folder").mkdir()
    with open("a", "rb"):
        for call in (lambda: os.replace("b", "a"), lambda: os.rename("a", "c"), lambda: os.unlink("a")):
            with pytest.raises(PermissionError) as refused:
                call()
            assert is_in_use(refused.value)
    with pytest.raises(FileExistsError):
        os.rename("a", "b")
    os.rename("a", "a"), os.replace("b", "a"), os.unlink("a")
    assert os.listdir() == ["folder"]


def test_a_lock_is_seen_by_others_and_leaves_the_file_readable(windows):
    first, second = (os.open("lock", os.O_CREAT | os.O_RDWR) for _ in range(2))
    assert try_lock(first) is True and try_lock(second) is False
    os.write(first, b"note")
    assert os.read(second, 10) == b"note" and os.fstat(first).st_size == 4 < LOCKED_BYTE
    os.close(first)
    assert try_lock(second) is True
    os.close(second)


def test_outputs_take_the_place_of_older_ones(windows):
    write("a.png", b"old"), write("a.png")
    with atomic_video("a.mp4") as path, open(path, "wb") as file:
        file.write(b"video")
    with FrameFolder("frames") as frames:
        frames.write(FRAMES)
        frames.publish()
    with atomic_folder("models", 1) as folder:
        (folder / "a").write_bytes(b"1")
    assert sorted(os.listdir()) == ["a.mp4", "a.png", "frames", "models"]
    assert (windows / "a.png").read_bytes() == b"new" and len(os.listdir("frames")) == 2


def test_left_overs_are_swept_and_a_working_process_is_not_robbed(windows):
    working, left = TemporaryFolder(windows), TemporaryFolder(windows)
    (windows / left.path / "output").write_bytes(b"half")
    os.close(left._descriptor)
    left._descriptor = None
    temporary._in_use.difference_update((left, working))
    sweep_again(windows)
    assert os.listdir() == [os.path.basename(working.path)]
    working.remove()
    assert os.listdir() == []


def test_a_file_system_without_locks(windows, monkeypatch):
    monkeypatch.setattr(temporary, "try_lock", lambda descriptor: None)
    folder = TemporaryFolder(windows)
    assert f".sonic-{temporary.WITHOUT_LOCKS}-" in folder.path
    assert [name[:15] for name in os.listdir()] == [f".sonic-{temporary.WITHOUT_LOCKS}"]
    folder.remove()
    assert os.listdir() == []


def test_a_scanner_that_has_the_new_file_open_for_a_moment(windows):
    with atomic_write("a.png") as file:
        file.write(b"new")
        file.flush()
        held(file.name, 0.2)
    with atomic_video("a.mp4") as path:
        held(path, 0.2)
    with FrameFolder("frames") as frames:
        frames.write(FRAMES)
        held(os.path.join(frames.temporary.output, "000001.png"), 0.2)
        frames.publish()
    assert sorted(os.listdir()) == ["a.mp4", "a.png", "frames"] and len(os.listdir("frames")) == 2


def test_a_scanner_that_has_a_file_of_a_failed_run_open_for_a_moment(windows):
    with pytest.raises(ZeroDivisionError), atomic_video("a.mp4") as path:
        held(path, 0.1)
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), FrameFolder("frames") as frames:
        frames.write(FRAMES)
        held(os.path.join(frames.temporary.output, "000002.png"), 0.1)
        raise ZeroDivisionError
    assert os.listdir() == []


def test_what_cannot_be_deleted_now_is_deleted_by_the_next_run(windows):
    """The lock goes last, so that the folder is recognised."""
    with pytest.raises(ZeroDivisionError), FrameFolder("frames") as frames:
        frames.write(FRAMES)
        other = held(os.path.join(frames.temporary.output, "000001.png"))
        raise ZeroDivisionError
    (left,) = os.listdir()
    assert temporary.LOCK in os.listdir(left)
    other.close()
    sweep_again(windows)
    assert os.listdir() == []


def test_a_target_that_is_open_is_refused_before_the_work(windows):
    write("clip.mp4", b"old"), write("a.png", b"old")
    for make, name in ((atomic_video, "clip.mp4"), (atomic_write, "a.png")):
        with held(name), pytest.raises(OutputError, match="^Close the program that has .* open, or choose another"):
            with make(name):
                pytest.fail("the work began")
    assert sorted(os.listdir()) == ["a.png", "clip.mp4"] and (windows / "a.png").read_bytes() == b"old"


def test_a_target_that_is_open_at_the_end_loses_nothing(windows):
    """The user opens the older video while the new one is made, twice."""
    write("clip.mp4", b"old")
    for number in (2, 3):
        with pytest.raises(OutputError, match="^Close the program that has .* open and rename the new file") as told:
            with atomic_video("clip.mp4") as path:
                with open(path, "wb") as file:
                    file.write(b"new %d" % number)
                other = held("clip.mp4")
        other.close()
        assert repr(str(windows / f"clip ({number}).mp4")) in str(told.value)
    assert sorted(os.listdir()) == ["clip (2).mp4", "clip (3).mp4", "clip.mp4"]
    assert [(windows / name).read_bytes() for name in sorted(os.listdir())] == [b"new 2", b"new 3", b"old"]


def test_a_new_file_that_stays_open_is_copied(windows):
    with pytest.raises(OutputError, match=r"rename the new file to it: .*a \(2\)\.png"), atomic_write("a.png") as file:
        file.write(b"new")
        file.flush()
        other = held(file.name)
    other.close()
    assert (windows / "a (2).png").read_bytes() == b"new"
    sweep_again(windows)
    assert os.listdir() == ["a (2).png"]


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EIO])
def test_a_name_that_cannot_be_given_for_another_reason(windows, monkeypatch, number):
    """A folder that leads to another drive, for example (WinError 17)."""

    def fail(source, target):
        raise OSError(number, os.strerror(number), source)

    monkeypatch.setattr(os, "replace", fail)
    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(OutputError, match=r"a \(2\)\.png"):
        write("a.png")
    assert os.listdir() == ["a (2).png"] and (windows / "a (2).png").read_bytes() == b"new"


def test_a_folder_of_models_whose_target_is_taken_is_kept(windows):
    with pytest.raises(OutputError, match=r"models \(2\)"), atomic_folder("models", 1) as folder:
        (folder / "unet.safetensors").write_bytes(b"1")
        (windows / "models").mkdir()
        (windows / "models" / "mine").write_bytes(b"1")
    assert os.listdir("models (2)") == ["unet.safetensors"] and os.listdir("models") == ["mine"]
    assert len(os.listdir()) == 2


def test_a_read_only_target(windows):
    write("a.mp4", b"old"), os.chmod("a.mp4", 0o444)
    with pytest.raises(OutputError, match="read-only"), atomic_video("a.mp4"):
        pytest.fail("the work began")
    os.chmod("a.mp4", 0o666)
    assert os.listdir() == ["a.mp4"]


def test_a_video_whose_encoder_does_not_start_leaves_nothing(windows, monkeypatch):
    """FFmpeg has the file open then."""

    def fail(self, *arguments):
        raise av.error.InvalidDataError(1, "no such encoder")

    monkeypatch.setattr(video_writer._Encoder, "_video_stream", fail)
    with pytest.raises(OutputError), VideoWriter("a.mp4", 16, 16):
        pytest.fail("the work began")
    assert os.listdir() == []


def test_a_video_that_is_stopped_leaves_nothing(windows):
    with pytest.raises(KeyboardInterrupt), VideoWriter("a.mp4", 16, 16) as writer:
        writer.write(FRAMES)
        raise KeyboardInterrupt
    assert os.listdir() == []


@pytest.mark.parametrize("code", [32, 33])
def test_an_input_that_is_locked(windows, monkeypatch, code):
    write("a.png")

    def refuse(path, *arguments):
        raise windows_error(code, path)

    monkeypatch.setattr(files.os, "open", refuse)
    with pytest.raises(InputError, match="^Close the program that has 'a.png' open"), regular_file("a.png", "'a.png'"):
        pytest.fail("opened")


def test_only_files_in_use_are_waited_for():
    calls = []

    def call(error):
        calls.append(error)
        raise error

    for error in (PermissionError(errno.EACCES, "no"), windows_error(2, "x", errno.ENOENT), ValueError()):
        with pytest.raises(type(error)):
            retried(call, error)
    assert len(calls) == 3
    begun = time.monotonic()
    with pytest.raises(PermissionError):
        retried(call, windows_error(32), patience_s=0.2)
    assert 0.2 <= time.monotonic() - begun < 0.7 and len(calls) > 5


@pytest.mark.parametrize("winerror", [39, 112, 1295])
def test_a_full_disk_of_windows(winerror):
    error = windows_error(winerror, "x", errno.EINVAL)
    assert is_disk_full(error) and str(files.unwritable("x", error)).startswith("Free disk space")
    assert not is_disk_full(windows_error(32))


@pytest.mark.parametrize("winerror", [8, 14, 1450, 1455])
def test_a_paging_file_that_is_too_small(winerror):
    """The text is in the user's language, and errno says EINVAL."""
    error = windows_error(winerror, "", errno.EINVAL)
    error.strerror = "页面文件太小，无法完成操作。"
    assert is_out_of_memory(error) and str(shortage(error)).startswith("Close other programs")
    assert is_out_of_memory(RuntimeError("Couldn't open file mapping: <unet.pth>, error code: <1455>"))
    assert not is_out_of_memory(windows_error(5))


def test_a_pipe_whose_reader_is_gone(monkeypatch):
    invalid = OSError(errno.EINVAL, "Invalid argument")

    def flush():
        raise invalid

    assert is_broken_pipe(BrokenPipeError(errno.EPIPE, "Broken pipe"), windows=True)
    assert not is_broken_pipe(invalid, windows=True), "another file's error: standard output takes what is printed"
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(flush=flush))
    assert is_broken_pipe(invalid, windows=True) and not is_broken_pipe(invalid, windows=False)
    assert not is_broken_pipe(windows_error(32), windows=True)


def test_a_pipe_whose_reader_is_gone_and_whose_stream_has_nothing_left(monkeypatch):
    """Its flush succeeds; a write shows the state of the pipe."""
    invalid, (reading, writing) = OSError(errno.EINVAL, "Invalid argument"), os.pipe()
    with open(writing, "wb", buffering=0) as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert not is_broken_pipe(invalid, windows=True) and os.read(reading, 9) == b"\n"
        os.close(reading)
        assert is_broken_pipe(invalid, windows=True)


def test_shutil_is_used_by_path(windows):
    """rmtree of the rules deletes like Windows: what is open stays."""
    (windows / "folder").mkdir()
    (windows / "folder" / "a").write_bytes(b"1")
    with open("folder/a", "rb"), pytest.raises(PermissionError):
        shutil.rmtree("folder")
    assert os.listdir("folder") == ["a"]
