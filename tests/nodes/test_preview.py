"""The preview under Sonic Latent Decoder, and the memory beside the time left."""

import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from sonic_nodes.media.provenance import read_back
from tests.nodes.test_sample import SETTINGS


@pytest.fixture
def made(nodes, extension, comfy, sample_dir):
    """(model, latent, data) of the sample's 9.6 s at 128 x 128."""
    import torch

    from sonic_nodes.media.audio import read_sound

    extension.copy_samples(comfy.input_folder)
    sound = read_sound(sample_dir / "speech.wav")
    audio = {"waveform": torch.from_numpy(sound.waveform)[None], "sample_rate": sound.rate}
    picture = nodes["SonicLoadImage"].execute("sonic_sample_portrait.jpg", "off").args[0]
    data = nodes["SONIC_PreData"].execute(audio, picture, 128, 0.0, 0.18).args[0]
    (model,) = nodes["SonicLoader"].execute("built-in draft").args
    (latent,) = nodes["SonicInference"].execute(model, data, 0, **SETTINGS).args
    return model, latent, data


def file_of(shown) -> Path:
    folder = sys.modules["sonic_nodes.nodes.preview"].temporary_path()
    assert (shown["clip"]["subfolder"], shown["clip"]["type"]) == ("", "temp")
    return Path(folder).parent / shown["clip"]["filename"]


@pytest.mark.parametrize("output", ["images", "video"])
def test_the_first_seconds_are_a_labelled_clip_with_sound(nodes, made, output):
    (shown,) = nodes["SonicLatentDecoder"].execute(*made, True, output).ui["sonic_preview"]
    assert (shown["width"], shown["height"], shown["duration_s"]) == (128, 128, 5.0)
    path = file_of(shown)
    with av.open(str(path)) as clip:
        video, sound = clip.streams.video[0], clip.streams.audio[0]
        assert (video.frames, video.average_rate) == (125, 25)
        assert float(sound.duration * sound.time_base) == pytest.approx(5, abs=0.05)
    assert read_back(path)["engine"] == "draft"


def test_frames_that_take_long_are_not_made_for_it(nodes, made, monkeypatch):
    monkeypatch.setattr(type(made[0]), "redraws", False)
    assert nodes["SonicLatentDecoder"].execute(*made, True, "video").ui is None


def test_large_frames_are_reduced_by_the_mean(nodes):
    reduced = sys.modules["sonic_nodes.nodes.preview"].reduced
    frames = np.random.default_rng(1).integers(0, 256, (2, 64, 96, 3), np.uint8)
    small = reduced(frames, 2)
    mean = frames.reshape(2, 32, 2, 48, 2, 3).mean((2, 4))
    assert small.shape == (2, 32, 48, 3) and np.abs(small - mean).max() <= 0.5
    assert reduced(frames[:, :63, :95], 2).shape == (2, 32, 48, 3) and reduced(frames, 1) is frames
    assert Image.fromarray(small[0]).size == (48, 32)


def test_cancel_ends_the_preview(nodes, made, comfy):
    comfy.cancelled = True
    with pytest.raises(Exception) as raised:
        nodes["SonicLatentDecoder"].execute(*made, True, "video")
    assert type(raised.value).__name__ == "Cancelled"


def test_the_memory_in_use_is_beside_the_time_left_and_in_the_notes(nodes, made, comfy, monkeypatch):
    common, inference = (sys.modules[f"sonic_nodes.nodes.{name}"] for name in ("common", "inference"))
    for limit in ("MIN_ELAPSED_S", "TEXT_INTERVAL_S", "BAR_INTERVAL_S"):
        monkeypatch.setattr(common, limit, 0.0)
    monkeypatch.setattr(inference, "MIN_ELAPSED_S", 0.0)
    monkeypatch.setattr("sonic_nodes.memory.host.resident_bytes", lambda: 1_230_000_000)
    comfy.texts.clear()
    model, _, data = made
    (notes,) = nodes["SonicInference"].execute(model, data, 0, **SETTINGS).ui["text"]
    assert notes.endswith(" s, and 1.23 GB of memory.")
    assert any("1.23 GB of memory in use, 1.23 GB at most so far" in text for _, text in comfy.texts)
