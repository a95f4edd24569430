"""What is written is what other software reads back: frames, colours, sound, timing."""

import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from sonic_nodes.media.audio import Sound, read_sound
from sonic_nodes.media.provenance import metadata, read_back
from sonic_nodes.media.video_writer import VideoWriter
from tests.media import clips


@pytest.fixture(scope="module")
def portrait(sample_dir):
    return np.asarray(Image.open(sample_dir / "portrait.jpg").convert("RGB").resize((128, 96)))


def moving(portrait, count):
    return np.stack([np.roll(portrait, i % 7, axis=1) for i in range(count)])


def test_lossless_frames_are_exact(tmp_path, portrait):
    frames = moving(portrait, 30)
    with VideoWriter(tmp_path / "a.mp4", 128, 96, lossless=True) as writer:
        writer.write(frames[:10])
        for frame in frames[10:]:
            writer.write(frame)
    with av.open(str(tmp_path / "a.mp4")) as container:
        found = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    assert np.array_equal(found, frames)


def test_frames_rate_and_sound(tmp_path, portrait, sample_dir):
    sound = read_sound(sample_dir / "speech.wav")
    count = round(25 * sound.duration_s)
    with VideoWriter(tmp_path / "a.mp4", 128, 96, sound=sound, metadata=metadata("draft", seed=3)) as writer:
        writer.write(moving(portrait, count))
    with av.open(str(tmp_path / "a.mp4")) as container:
        video = container.streams.video[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert video.average_rate == 25 and video.start_time == 0 and video.frames == count
        times = [frame.pts * video.time_base for frame in container.decode(video)]
    assert times == [Fraction(i, 25) for i in range(count)]
    back = read_sound(tmp_path / "a.mp4")
    assert (back.samples, back.rate) == (sound.samples, sound.rate)
    assert read_back(tmp_path / "a.mp4")["seed"] == 3
    a, b = sound.waveform[0], back.waveform[0]
    lags = range(-400, 401)
    fits = [np.dot(a[1000:60000], b[1000 + lag : 60000 + lag]) for lag in lags]
    assert abs(lags[int(np.argmax(fits))]) <= sound.rate // 1000


def rgb_of(frame):
    """A decoded 4:2:0 frame as float RGB by BT.709's own formulas (ITU-R BT.709-6, 3.2 to 3.5), limited range."""
    height, width = frame.height, frame.width
    y, u, v = np.split(frame.to_ndarray().reshape(-1).astype(float), [height * width, height * width * 5 // 4])
    y = (y.reshape(height, width) - 16) / 219
    u, v = (((c - 128) / 224).reshape(height // 2, width // 2).repeat(2, 0).repeat(2, 1) for c in (u, v))
    return 255 * np.stack([y + 1.5748 * v, y - 0.18732 * u - 0.46812 * v, y + 1.8556 * u], -1)


def last_frame(path):
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        frames = list(container.decode(video))
        context = video.codec_context
        return frames[-1], (context.color_primaries, context.color_trc, context.colorspace, context.color_range)


def test_colours_are_tagged_and_converted_as_bt709(tmp_path, portrait):
    colours = [
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
        (255, 255, 255),
        (0, 0, 0),
        (128, 128, 128),
        (200, 150, 120),
        (12, 40, 90),
    ]
    flat = np.array(colours, np.uint8).reshape(2, 4, 3).repeat(32, 0).repeat(32, 1)
    for picture, bias, worst in ((flat, 0.5, 1.5), (portrait, 0.5, None)):
        with VideoWriter(tmp_path / "a.mp4", picture.shape[1], picture.shape[0]) as writer:
            writer.write(np.repeat(picture[None], 5, 0))
        frame, tags = last_frame(tmp_path / "a.mp4")
        assert tags == (1, 1, 1, 1)
        difference = rgb_of(frame) - picture
        assert np.abs(difference.mean((0, 1))).max() < bias
        if worst:
            assert np.abs(difference[16::32, 16::32]).max() < worst


@pytest.mark.parametrize(("width", "height"), [(33, 32), (32, 33), (33, 35), (1, 1), (2, 3)])
def test_odd_sizes(tmp_path, portrait, width, height):
    """4:2:0 gets its last column and row repeated; lossless keeps the size."""
    picture = np.ascontiguousarray(portrait[:height, :width])
    with VideoWriter(tmp_path / "a.mp4", width, height) as writer:
        writer.write(picture)
    frame, _ = last_frame(tmp_path / "a.mp4")
    assert (frame.width, frame.height) == (width + width % 2, height + height % 2)
    assert np.abs(rgb_of(frame)[:height, :width].mean((0, 1)) - picture.mean((0, 1))).max() < 6
    with VideoWriter(tmp_path / "b.mp4", width, height, lossless=True) as writer:
        writer.write(picture)
    frame, _ = last_frame(tmp_path / "b.mp4")
    assert np.array_equal(frame.to_ndarray(format="rgb24"), picture)


@pytest.mark.parametrize(
    ("channels", "rate", "stored"),
    [(1, 8000, (1, 8000)), (2, 44100, (2, 44100)), (6, 48000, (6, 48000))]
    + [(3, 48000, (3, 48000)), (4, 48000, (2, 48000)), (1, 11111, (1, 48000)), (2, 192000, (2, 48000))],
)
def test_sounds_that_aac_lacks_are_converted(tmp_path, portrait, channels, rate, stored):
    waveform = np.stack([clips.tone(rate + 77, rate, 200 + 50 * c) for c in range(channels)])
    with VideoWriter(tmp_path / "a.mp4", 128, 96, sound=Sound(waveform, rate)) as writer:
        writer.write(moving(portrait, 25))
    back = read_sound(tmp_path / "a.mp4")
    assert (back.waveform.shape[0], back.rate) == stored
    assert abs(back.duration_s - (rate + 77) / rate) < 0.001
    click = np.argmax(np.abs(back.waveform).max(axis=0) > 0.2)
    assert click <= back.rate / 1000


@pytest.mark.parametrize("seconds", [0.05, 1.0, 4.0])
def test_sound_shorter_or_longer_than_the_pictures(tmp_path, portrait, seconds):
    sound = Sound(clips.tone(round(16000 * seconds), 16000)[None], 16000)
    with VideoWriter(tmp_path / "a.mp4", 128, 96, sound=sound) as writer:
        writer.write(moving(portrait, 50))
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.video[0].frames == 50
    assert abs(read_sound(tmp_path / "a.mp4").duration_s - seconds) < 0.001


def test_sound_and_pictures_lie_side_by_side(tmp_path, portrait):
    """A player that streams the file finds each frame's sound within a second of it."""
    sound = Sound(clips.tone(16000 * 20, 16000)[None], 16000)
    with VideoWriter(tmp_path / "a.mp4", 128, 96, sound=sound) as writer:
        writer.write(moving(portrait, 500))
    latest = {"video": 0.0, "audio": 0.0}
    with av.open(str(tmp_path / "a.mp4")) as container:
        for packet in container.demux():
            if packet.size:
                latest[packet.stream.type] = float(packet.dts * packet.time_base)
                assert abs(latest["video"] - latest["audio"]) < 1.5


def test_clipping_instead_of_wrapping(tmp_path, portrait):
    loud = Sound(4 * clips.tone(16000, 16000)[None], 16000)
    with VideoWriter(tmp_path / "a.mp4", 128, 96, sound=loud) as writer:
        writer.write(moving(portrait, 25))
    assert 0.9 < np.abs(read_sound(tmp_path / "a.mp4").waveform[0, 2000:14000]).max() < 1.6


@pytest.mark.parametrize("fps", [25, 12.5, 30, 29.97, 24, 60])
def test_frame_rates(tmp_path, portrait, fps):
    with VideoWriter(tmp_path / "a.mp4", 128, 96, fps=fps) as writer:
        writer.write(moving(portrait, 40))
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert abs(float(container.streams.video[0].average_rate) - fps) < 0.001
        assert container.streams.video[0].frames == 40


def test_the_same_input_gives_the_same_file(tmp_path, portrait):
    sound = Sound(clips.tone(16000, 16000)[None], 16000)
    for name in ("a.mp4", "b.mp4"):
        with VideoWriter(tmp_path / name, 128, 96, sound=sound, metadata=metadata("draft", 1)) as writer:
            writer.write(moving(portrait, 25))
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_the_callers_array_may_be_reused(tmp_path, portrait):
    frames, buffer = moving(portrait, 40), np.empty_like(portrait)
    with VideoWriter(tmp_path / "a.mp4", 128, 96, lossless=True) as writer:
        for frame in frames:
            buffer[:] = frame
            writer.write(buffer)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert np.array_equal(np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)]), frames)


def test_several_writers_at_once(tmp_path, portrait):
    frames = moving(portrait, 60)

    def render(name):
        with VideoWriter(tmp_path / name, 128, 96, lossless=True) as writer:
            for frame in frames:
                writer.write(frame)

    threads = [threading.Thread(target=render, args=(f"{i}.mp4",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    contents = {(tmp_path / f"{i}.mp4").read_bytes() for i in range(4)}
    assert len(contents) == 1 and len(list(tmp_path.iterdir())) == 4


@pytest.mark.skipif(sys.platform not in ("linux", "win32"), reason="memory is read from /proc, or asked of Windows")
def test_memory_does_not_grow_with_length(tmp_path):
    """One minute is 1500 frames, 41 MB, with their sound: none of it may stay. In a process of its own, whose memory is
    its own."""
    script = """
import sys
import numpy as np
from sonic_nodes.media.audio import Sound
from sonic_nodes.media.video_writer import VideoWriter
from tests.oracles.system import resident_memory
sound = Sound(np.broadcast_to(np.float32(0.1), (1, 8000 * 60)), 8000)
frames = np.arange(25, dtype=np.uint8)[:, None, None, None].repeat(96, 1).repeat(96, 2).repeat(3, 3)
megabytes = []
with VideoWriter(sys.argv[1], 96, 96, sound=sound) as writer:
    for _ in range(60):
        writer.write(frames)
        megabytes.append(resident_memory() / 2**20)
print(max(megabytes[:20]), max(megabytes))
"""
    command = [sys.executable, "-c", script, str(tmp_path / "a.mp4")]
    root = Path(__file__).resolve().parents[2]
    early, late = map(
        float, subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.split()
    )
    assert late - early < 12, f"from {early:.0f} to {late:.0f} MB"
