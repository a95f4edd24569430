"""Temporary folders: what is swept and what is not, and outputs that appear whole or not at all."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sonic_nodes.errors import OutputError, UsageError
from sonic_nodes.media import temporary
from sonic_nodes.media.files import atomic_write, new_folders
from sonic_nodes.media.frame_folder import FrameFolder
from sonic_nodes.media.temporary import LOCK, NOTE, TemporaryFolder, sweep_again
from tests.oracles.system import make_link

FRAMES = np.random.default_rng(0).integers(0, 256, (3, 8, 12, 3), np.uint8)
OTHER_MACHINE = "0123abcd"


def abandoned(parent, machine=None, age_s=0.0, note=NOTE):
    """What a process leaves that is killed: a folder as TemporaryFolder makes it, without the lock."""
    folder = TemporaryFolder(parent)
    name = Path(folder.path).name.replace(temporary.machine(), machine or temporary.machine())
    path = Path(parent) / name
    os.rename(folder.path, path)
    os.close(folder._descriptor)
    temporary._in_use.discard(folder)
    (path / "output").write_bytes(b"half")
    (path / LOCK).write_bytes(note)
    for entry in (path / "output", path / LOCK, path):
        os.utime(entry, (time.time() - age_s, time.time() - age_s))
    return path


def test_left_overs_are_swept_once_their_process_is_gone(tmp_path):
    working = TemporaryFolder(tmp_path)
    left = [abandoned(tmp_path) for _ in range(3)]
    empty = tmp_path / (Path(working.path).name[:-16] + "0" * 16)
    empty.mkdir()  # killed before it made the lock
    sweep_again(tmp_path)
    assert not any(path.exists() for path in [*left, empty]) and os.path.isdir(working.path)
    working.remove()
    assert os.listdir(tmp_path) == []


def test_a_process_of_another_machine_is_given_a_day(tmp_path):
    """Its lock may not be seen from here, for example on a network share without locks."""
    recent = abandoned(tmp_path, OTHER_MACHINE, age_s=3600)
    unlocked = abandoned(tmp_path, temporary.WITHOUT_LOCKS, age_s=3600)
    old = abandoned(tmp_path, OTHER_MACHINE, age_s=2 * temporary.KEPT_S)
    sweep_again(tmp_path)
    assert recent.exists() and unlocked.exists() and not old.exists()
    os.utime(recent / LOCK, (0, 0)), os.utime(recent, (0, 0))
    sweep_again(tmp_path)
    assert recent.exists(), "its output was written an hour ago"


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    monkeypatch.setattr(temporary, "try_lock", lambda descriptor: None)
    folder = TemporaryFolder(tmp_path)
    assert Path(folder.path).name.startswith(f".sonic-{temporary.WITHOUT_LOCKS}-")
    sweep_again(tmp_path)
    assert os.path.isdir(folder.path)
    folder.remove()
    assert os.listdir(tmp_path) == []


def test_what_is_not_ours_is_never_touched(tmp_path):
    name = abandoned(tmp_path).name
    sweep_again(tmp_path)
    theirs = {
        name: "full",  # our pattern, but no lock in it
        ".sonic-settings": "folder",
        name + "-x": "ours but the name",
        name[:-1]: "ours but the name",
        name[:-2] + "zz": "ours but the name",
        name[:-3] + "000": "another note",
        name[:-3] + "001": "file",
        name[:-3] + "002": "link",
    }
    for entry, kind in theirs.items():
        path = tmp_path / entry
        if kind == "file":
            path.write_text("mine")
            continue
        if kind == "link":
            (tmp_path / "elsewhere").mkdir()
            if not make_link(path, tmp_path / "elsewhere"):
                continue
            path = tmp_path / "elsewhere"
        else:
            path.mkdir()
        (path / "mine.txt").write_text("mine")
        if kind not in ("full", "folder"):
            (path / LOCK).write_bytes(b"my lock" if kind == "another note" else NOTE)
    before = sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*"))
    sweep_again(tmp_path)
    assert sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*")) == before


def test_new_folders_go_with_an_error_unless_they_hold_something(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(ZeroDivisionError), new_folders(tmp_path / "a" / "b" / "c"):
        assert (tmp_path / "a" / "b" / "c").is_dir()
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == ["a"] and os.listdir(tmp_path / "a") == []
    with pytest.raises(ZeroDivisionError), new_folders(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "mine").touch()
        raise ZeroDivisionError
    assert (tmp_path / "a" / "b" / "mine").exists()


def write(folder, publish=True):
    with FrameFolder(folder) as frames:
        frames.write(FRAMES[:2])
        assert not list(Path(folder).glob("0*"))
        frames.write(FRAMES[2:])
        if publish:
            frames.publish()
        raise_if = publish == "then fail"
        if raise_if:
            raise ZeroDivisionError


@pytest.mark.parametrize("existing", [False, True])
def test_frames_appear_together(tmp_path, existing):
    folder = tmp_path / "deep" / "frames"
    if existing:
        folder.mkdir(parents=True)
        (folder / "notes.txt").touch()
    write(folder)
    names = sorted(p.name for p in folder.iterdir())
    assert names == ["000001.png", "000002.png", "000003.png"] + ["notes.txt"] * existing
    for i, frame in enumerate(FRAMES):
        assert np.array_equal(np.asarray(Image.open(folder / names[i])), frame)


@pytest.mark.parametrize("links", [True, False], ids=["links", "FAT"])
@pytest.mark.parametrize("existing", [False, True])
def test_frames_of_a_failed_run_leave_what_was_there(tmp_path, monkeypatch, existing, links):
    """Also when the video fails after the frames have their names."""
    folder = tmp_path / "deep" / "frames"
    if existing:
        folder.mkdir(parents=True)
        (folder / "notes.txt").write_text("mine")
    if not links:

        def link(source, target):
            raise OSError(1, "Operation not permitted") if not os.path.lexists(target) else FileExistsError

        monkeypatch.setattr(os, "link", link)
    with pytest.raises(ZeroDivisionError):
        write(folder, "then fail")
    left = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*"))
    assert left == ["deep", "deep/frames", "deep/frames/notes.txt"] * existing


@pytest.mark.parametrize("links", [True, False], ids=["links", "FAT"])
def test_a_frame_that_appears_meanwhile_is_kept(tmp_path, monkeypatch, links):
    if not links:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(PermissionError(1, "no links")))
    with pytest.raises(OutputError, match="^Choose another folder for --frames"), FrameFolder(tmp_path) as frames:
        frames.write(FRAMES)
        (tmp_path / "000002.png").write_text("mine")
        frames.publish()
    assert os.listdir(tmp_path) == ["000002.png"] and (tmp_path / "000002.png").read_text() == "mine"


def test_a_run_killed_between_the_names_of_frames_is_taken_back(tmp_path):
    left = abandoned(tmp_path)
    (left / "output").unlink()
    (left / "output").mkdir()
    for name in ("000001.png", "000002.png"):
        (left / "output" / name).write_text("ours")
    os.link(left / "output" / "000001.png", tmp_path / "000001.png")
    (tmp_path / "000002.png").write_text("mine")
    sweep_again(tmp_path)
    assert os.listdir(tmp_path) == ["000002.png"]


@pytest.mark.parametrize("name", ["000001.png", "000500.PNG", "1234567.png"])
def test_a_folder_with_frames_is_refused(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match="^Choose another folder for --frames: .* already holds frames"):
        FrameFolder.check(tmp_path)
    assert (tmp_path / name).read_text() == "mine"


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "frames", "/proc/frames", tmp_path / "a\0b"):
        with pytest.raises(OutputError, match="^Choose another folder for --frames"):
            FrameFolder.check(path)
    FrameFolder.check(tmp_path / "new" / "frames")
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.posix("RLIMIT_FSIZE stands for the full disk")
@pytest.mark.parametrize("limit", [10, 150], ids=["in the lock", "in the output"])
def test_a_full_disk(tmp_path, limit):
    """RLIMIT_FSIZE fails like a full disk."""
    import resource

    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    attempts = (lambda: write(tmp_path / "frames"), lambda: write(tmp_path), lambda: write_bytes(tmp_path / "a.png"))
    for attempt in attempts:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, unlimited[1]))
        try:
            with pytest.raises(OutputError):
                attempt()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
        assert os.listdir(tmp_path) == []


def write_bytes(path):
    with atomic_write(path) as file:
        file.write(bytes(1000))
