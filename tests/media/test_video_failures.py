"""Writing is atomic: any failure gives one error message, leaves no file behind, and keeps an older video."""

import os
import signal
import subprocess
import threading

import av
import numpy as np
import pytest

from sonic_nodes.errors import OutputError, ResourceError
from sonic_nodes.media import video_writer
from sonic_nodes.media.audio import Sound
from sonic_nodes.media.provenance import metadata
from sonic_nodes.media.video_writer import VideoWriter
from tests.oracles.system import WINDOWS, file_names

SIDE = 128
NOISE = np.random.default_rng(0).integers(0, 256, (8, SIDE, SIDE, 3), np.uint8)
SOUND = Sound(np.random.default_rng(1).uniform(-0.5, 0.5, (1, 48000)).astype(np.float32), 48000)


def render(path, chunks=5):
    with VideoWriter(path, SIDE, SIDE, sound=SOUND, metadata=metadata("draft", 1)) as writer:
        for _ in range(chunks):
            writer.write(NOISE)


def refusal(path, **settings):
    with pytest.raises(OutputError) as caught:
        render(path, **settings)
    return str(caught.value)


def writers():
    return [thread for thread in threading.enumerate() if thread.name == "sonic-video-writer"]


@pytest.fixture(autouse=True)
def nothing_left(tmp_path):
    yield
    assert [p.name for p in tmp_path.rglob("*") if p.name.startswith(".sonic-")] == []
    assert writers() == []


def test_targets_that_cannot_be(tmp_path):
    (tmp_path / "file").touch()
    assert refusal(tmp_path / "no" / "a.mp4").startswith("Create the folder first")
    assert refusal(tmp_path / "file" / "a.mp4").startswith("Create the folder first")
    assert refusal(tmp_path).startswith("Choose a file name")
    assert refusal(tmp_path / ("x" * 300)).startswith("Choose a shorter file name" if not WINDOWS else "Choose another")
    assert refusal("a\0b").startswith("Choose another file name")
    assert WINDOWS or refusal("/dev/null").startswith("Choose a file name")  # NUL and the like: test_windows_names.py


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a folder that not even root may write to: /proc")
def test_an_unwritable_folder_is_reported_before_rendering():
    with (
        pytest.raises(OutputError, match="^Choose a folder in which you may write"),
        VideoWriter("/proc/a.mp4", SIDE, SIDE),
    ):
        pytest.fail("the block was entered")


@pytest.mark.parametrize(
    "name", file_names("a b.mp4", 'it\'s "quoted".mp4', "说话.mp4", "http:x.mp4", "-x.mp4", "%d.mp4", "no-suffix")
)
def test_file_names(tmp_path, name):
    render(tmp_path / name, chunks=1)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_permissions_are_the_usual_ones(tmp_path):
    (tmp_path / "plain").touch()
    render(tmp_path / "a.mp4", chunks=1)
    assert (tmp_path / "a.mp4").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_an_exception_leaves_the_older_video(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"older")
    for error in (KeyboardInterrupt, ZeroDivisionError):
        with pytest.raises(error), VideoWriter(tmp_path / "a.mp4", SIDE, SIDE, sound=SOUND) as writer:
            writer.write(NOISE)
            raise error
        assert (tmp_path / "a.mp4").read_bytes() == b"older"


def test_interrupt_signal_while_writing(tmp_path):
    with pytest.raises(KeyboardInterrupt), VideoWriter(tmp_path / "a.mp4", SIDE, SIDE, sound=SOUND) as writer:
        for chunk in range(1000):
            writer.write(NOISE)
            if chunk == 5:
                signal.raise_signal(signal.SIGINT)
    assert list(tmp_path.iterdir()) == []


def test_no_frames(tmp_path):
    assert refusal(tmp_path / "a.mp4", chunks=0).startswith("Render at least one frame")


def test_wrong_frames_are_a_programming_error(tmp_path):
    for frames in (NOISE.astype(np.float32), NOISE[:, 1:], NOISE[..., :2]):
        with (
            pytest.raises(ValueError, match="frames must be uint8"),
            VideoWriter(tmp_path / "a.mp4", SIDE, SIDE) as writer,
        ):
            writer.write(frames)
    assert list(tmp_path.iterdir()) == []


def test_sizes_that_cannot_be(tmp_path):
    for width, height in ((0, 10), (10, 9000)):
        with pytest.raises(OutputError, match="^Choose a smaller picture"):
            VideoWriter(tmp_path / "a.mp4", width, height)


@pytest.mark.posix("RLIMIT_FSIZE stands for the full disk")
def test_file_size_limit_at_every_stage(tmp_path):
    """RLIMIT_FSIZE fails like a full disk: in the header, in the frames, while the index moves to the front, in the
    last bytes."""
    import resource

    render(tmp_path / "a.mp4")
    size = (tmp_path / "a.mp4").stat().st_size
    (tmp_path / "a.mp4").write_bytes(b"older")
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (10, size // 3, size - 5000, size - 1500, size - 900, size - 10, size - 1):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, unlimited[1]))
        try:
            message = refusal(tmp_path / "a.mp4")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
        assert message.startswith("Free disk space"), (limit, message)
        assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]
        assert (tmp_path / "a.mp4").read_bytes() == b"older"


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], check=False, capture_output=True
    ).returncode:
        pytest.skip("a small disk cannot be mounted here (that needs root); the file size limit is tested instead")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.posix("mounts a small disk")
def test_full_disk(small_disk):
    assert refusal(small_disk / "a.mp4", chunks=40).startswith("Free disk space")
    assert list(small_disk.iterdir()) == []


FULL = OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("call", "error", "expected"),
    [(call, error, OutputError) for call in ("write", "close") for error in (FULL, av.error.InvalidDataError(1, "bad"))]
    + [(call, MemoryError(), ResourceError) for call in ("to_video_frame", "write", "close")]
    + [(call, KeyboardInterrupt(), KeyboardInterrupt) for call in ("to_video_frame", "close")],
)
def test_injected_failures(tmp_path, monkeypatch, call, error, expected):
    real, calls = getattr(video_writer._Encoder, call), []

    def failing(self, *arguments):
        calls.append(call)
        if call == "close" or len(calls) == 7:
            raise error
        return real(self, *arguments)

    monkeypatch.setattr(video_writer._Encoder, call, failing)
    with pytest.raises(expected):
        render(tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_failing_encoder_does_not_block_the_renderer(tmp_path, monkeypatch):
    """The queue holds a few frames only; thousands must still be taken, or refused, after the worker has failed."""
    monkeypatch.setattr(video_writer._Encoder, "write", lambda self, picture: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        render(tmp_path / "a.mp4", chunks=1000)


def test_a_truncated_result_is_noticed(tmp_path, monkeypatch):
    """Errors while a container closes can get lost; the finished file is checked before it takes its name."""
    real = video_writer._append

    def cut(path, content):
        real(path, content)
        os.truncate(path, os.path.getsize(path) - 3)

    monkeypatch.setattr(video_writer, "_append", cut)
    assert refusal(tmp_path / "a.mp4").startswith("Free disk space")
    assert list(tmp_path.iterdir()) == []
