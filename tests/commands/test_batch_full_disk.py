"""`sonic batch` on a disk that fills up in the middle of a video: in words, nothing half, and it goes on afterwards."""

import errno
import json
import subprocess

import pytest

from sonic_nodes.batch.runner import DISK, OUTPUT, PROGRAM
from sonic_nodes.commands.batch_job import failure
from sonic_nodes.errors import OutputError
from tests.commands.test_batch import batch, is_whole, journal, left_overs, make_portraits, make_recordings, videos


def mount(folder, *options):
    return subprocess.run(
        ["mount", "-t", "tmpfs", *options, "tmpfs", str(folder)], check=False, capture_output=True, text=True
    )


@pytest.fixture
def small_disk(tmp_path, sample_dir):
    """A list of eight videos, whose folder is on a disk that holds some of them."""
    faces, voices = make_portraits(tmp_path, sample_dir, 2), make_recordings(tmp_path, sample_dir, 4, 0.4)
    lines = [f"{face},{voice},{face[:5]}/{voice[:6]}.mp4" for face in faces for voice in voices]
    (tmp_path / "list.csv").write_text("\n".join(["portrait,speech,output", *lines]), "utf-8")
    (tmp_path / "out").mkdir()
    mounted = mount(tmp_path / "out", "-o", "size=400k")
    if mounted.returncode:
        pytest.skip(f"mounting needs root: {mounted.stderr.strip()}")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path / "out")], check=True)


@pytest.mark.posix("mounts a small disk")
def test_a_disk_that_fills_up_stops_the_batch_which_goes_on_later(small_disk, capsys):
    code, report, said = batch(small_disk, capsys, "--lossless")
    assert (code, report) == (5, None) and "Free disk space" in said and "Traceback" not in said, said
    assert said.count("The same command goes on") + said.count("give the same command again") >= 1
    done = [record["output"] for record in journal(small_disk) if record["event"] == "done"]
    assert 0 < len(done) < 8 and videos(small_disk / "out") == sorted(done) and not left_overs(small_disk)
    assert all(is_whole(small_disk / "out" / name, 0.4) for name in done)
    remounted = mount(small_disk / "out", "-o", "remount,size=64m")
    assert remounted.returncode == 0, remounted.stderr
    code, report, said = batch(small_disk, capsys, "--lossless")
    assert (code, report["skipped"], report["done"]) == (0, len(done), 8 - len(done)), said
    assert all(is_whole(small_disk / "out" / name, 0.4) for name in videos(small_disk / "out"))
    status = json.loads((small_disk / "out/sonic-batch/status.json").read_text("utf-8"))
    assert status["state"] == "done" and len(videos(small_disk / "out")) == 8


FULL = OSError(errno.ENOSPC, "No space left on device")


def raised(error: Exception, cause: Exception) -> Exception:
    try:
        raise error from cause
    except type(error) as found:
        return found


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (FULL, DISK),
        (raised(OutputError("Choose another folder: it cannot be written."), FULL), DISK),
        (OutputError("Free disk space and run again: the video does not fit."), DISK),
        (OutputError("Choose another folder: it cannot be written."), OUTPUT),
        (OSError(errno.EACCES, "Permission denied"), PROGRAM),
    ],
)
def test_a_full_disk_is_told_from_other_failures(error, kind):
    assert failure(error)["kind"] == kind
