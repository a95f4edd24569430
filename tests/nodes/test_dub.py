"""A VIDEO in SONIC_PreData: from a file and from memory, its size and label, and what is refused."""

import sys
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sonic_nodes.media.audio import read_sound
from sonic_nodes.media.provenance import read_back
from tests.dub.clips import read_frames, speaking_frames, write_clip
from tests.nodes.fake_video import VideoFromComponents, VideoFromFile
from tests.nodes.test_sample import SETTINGS

COUNT = 30


@pytest.fixture(scope="module")
def frames():
    return np.ascontiguousarray(speaking_frames(COUNT)[:, :-1, :-3])


@pytest.fixture(scope="module")
def path(tmp_path_factory, frames):
    return str(write_clip(tmp_path_factory.mktemp("dub") / "clip.mp4", frames))


@pytest.fixture
def prepare(nodes, sample_dir):
    sound = read_sound(sample_dir / "speech.wav")
    audio = {"waveform": torch.from_numpy(sound.waveform)[None], "sample_rate": sound.rate}

    def run(video, **changes):
        values = {"min_resolution": 512, "duration": 1.2, "expand_ratio": 0.18} | changes
        return nodes["SONIC_PreData"].execute(audio, video, **values)

    return run


@pytest.fixture
def dubbed(nodes, prepare):
    """The VIDEO that Sonic Latent Decoder gives, and the data."""

    def run(video, **changes):
        data = prepare(video, **changes).args[0]
        (model,) = nodes["SonicLoader"].execute("built-in draft").args
        (latent,) = nodes["SonicInference"].execute(model, data, 5, **SETTINGS).args
        return nodes["SonicLatentDecoder"].execute(model, latent, data, True, "video").args[2], data

    return run


def in_memory(frames, fps=25):
    images = torch.from_numpy(frames).float() / 255
    return VideoFromComponents(SimpleNamespace(images=images, audio=None, frame_rate=Fraction(fps)))


def levels_of(video):
    return (video.get_components().images * 255).round().byte().numpy()


def test_a_file_and_images_in_memory_give_the_same_video(dubbed, path, frames):
    from_file, from_memory = (levels_of(dubbed(video)[0]) for video in (VideoFromFile(path), in_memory(frames)))
    assert from_file.shape == (COUNT, 254, 252, 3), "a row and a column fewer: H.264 wants even sides"
    assert np.array_equal(from_file, from_memory)
    assert np.array_equal(from_file[:, :60], frames[:, :60, :252]), "above the nose every bit stays"
    assert (from_file != frames[:, :254, :252]).any((1, 2, 3)).mean() > 0.5


def test_images_of_another_rate_are_shown_in_their_time(dubbed, frames):
    slow = levels_of(dubbed(in_memory(frames[:10], Fraction(25, 3)))[0])
    assert np.array_equal(slow[:, :60], np.repeat(frames[:10], 3, 0)[:, :60, :252])


def test_the_saved_file_has_label_and_length(dubbed, path, tmp_path):
    video, data = dubbed(VideoFromFile(path))
    video.save_to(str(tmp_path / "out.mp4"), metadata={})
    assert read_back(tmp_path / "out.mp4")["engine"] == "draft"
    assert len(read_frames(tmp_path / "out.mp4")) == COUNT == data["frames"]


def test_a_longer_recording_continues_the_clip_and_says_so(prepare, path):
    done = prepare(VideoFromFile(path), duration=2.0, clip_end="hold")
    first, *notes = done.ui["text"][0].split("\n")
    assert first == "2.000 s, 50 frames at 25 a second, 253x255 pixels."
    assert "The clip has 1.20 s and the speech 2.00 s: its last frame is held." in notes
    assert done.args[0]["clip"].order[30:].tolist() == [29] * 20


def test_paste_back_passes_it_on(nodes, dubbed, path):
    video, data = dubbed(VideoFromFile(path))
    passed = nodes["SonicPasteBack"].execute(video, data, 0.1).args[1]
    assert np.array_equal(levels_of(passed), levels_of(video))


def test_frames_are_made_when_they_are_asked_for(dubbed, path, monkeypatch):
    video, _ = dubbed(VideoFromFile(path))
    clip, drawn = sys.modules["sonic_nodes.dub.portrait"], []
    draw = clip._sonic.dub_frames
    counted = SimpleNamespace(dub_frames=lambda *arguments: drawn.append(len(arguments[0])) or draw(*arguments))
    monkeypatch.setattr(clip, "_sonic", counted)
    chunks = video.frames.chunks(lambda *_: None)
    next(chunks)
    assert len(drawn) == 1 and drawn[0] < COUNT
    chunks.close()


def test_no_face_is_said_with_the_second(prepare):
    grey = in_memory(np.full((40, 128, 128, 3), 90, np.uint8))
    with pytest.raises(ValueError, match=r"^Cut the clip there, .* from 0\.00 s on there is no face"):
        prepare(grey)


def test_cancel_while_the_face_is_followed(prepare, path, comfy):
    seen = []

    def cancel(value, total, preview):
        seen.append(value)
        comfy.cancelled = True

    comfy.update = cancel
    with pytest.raises(Exception) as raised:
        prepare(VideoFromFile(path))
    assert type(raised.value).__name__ == "Cancelled" and len(seen) <= 2


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"face_mask": torch.ones(1, 255, 253)}, "Leave out face_mask, or give a picture instead of a clip"),
        ({"clip_end": "bounce"}, "Set clip_end"),
        ({"face_index": 3}, "Choose a face_index from 0 to 0"),
    ],
)
def test_values_that_cannot_be_used(prepare, path, changes, remedy):
    with pytest.raises(ValueError, match=f"^{remedy}"):
        prepare(VideoFromFile(path), **changes)


@pytest.mark.parametrize("change", [lambda clip: "a clip", lambda clip: replace(clip, order=clip.order[:-1])])
def test_a_changed_clip_is_refused(nodes, prepare, path, change):
    data = prepare(VideoFromFile(path)).args[0]
    (model,) = nodes["SonicLoader"].execute("built-in draft").args
    with pytest.raises(ValueError, match="^Connect the data of SONIC_PreData of this pack, unchanged, .*'clip'"):
        nodes["SonicInference"].execute(model, data | {"clip": change(data["clip"])}, 5, **SETTINGS)


def test_what_is_no_video_is_named(prepare, tmp_path):
    (tmp_path / "notes.mp4").write_text("no video")
    with pytest.raises(ValueError, match=r"^Choose a video file: 'notes\.mp4' cannot be read as one"):
        prepare(VideoFromFile(str(tmp_path / "notes.mp4")))
