"""What is written is what other software reads back: frames, colours, sound, timing."""
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from sonic_nodes.media.audio import read_sound
from sonic_nodes.media.provenance import metadata, read_back
from sonic_nodes.media.video import VideoWriter


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
