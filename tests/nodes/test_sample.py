"""The nodes with the real pipeline, on a small and short version of the sample."""

import importlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from sonic_nodes import pipeline
from sonic_nodes.media.audio import read_sound
from sonic_nodes.media.image import read_picture
from tests.oracles.system import make_link

ASSETS = Path(pipeline.__file__).parent / "assets"
SETTINGS = {
    "inference_steps": 25,
    "dynamic_scale": 1.1,
    "motion_scale": 1.05,
    "appearance_guidance": 2.0,
    "audio_guidance": 7.5,
}
SECONDS = 1.0


@pytest.fixture
def prepare(nodes, extension, comfy, sample_dir):
    """SONIC_PreData on the sample: 9.6 s of speech, of which SECONDS are used."""
    extension.copy_samples(comfy.input_folder)
    sound = read_sound(sample_dir / "speech.wav")
    audio = {"waveform": torch.from_numpy(sound.waveform)[None], "sample_rate": sound.rate}

    def run(**changes):
        image = nodes["SonicLoadImage"].execute("sonic_sample_portrait.jpg").args[0]
        values = {"min_resolution": 128, "duration": SECONDS, "expand_ratio": 0.18} | changes
        return nodes["SONIC_PreData"].execute(audio, image, **values)

    return run


@pytest.fixture
def chain(nodes, prepare):
    """Calls the template's nodes up to Sonic Inference; returns (model, latent, data, PreData's output)."""

    def run(seed=0, **changes):
        prepared = prepare(**changes)
        (model,) = nodes["SonicLoader"].execute("built-in draft").args
        data = prepared.args[0]
        (latent,) = nodes["SonicInference"].execute(model, data, seed, **SETTINGS).args
        return model, latent, data, prepared

    return run


def test_the_draft_engine_animates_the_sample(nodes, chain):
    model, latent, data, prepared = chain()
    images, fps, _ = nodes["SonicLatentDecoder"].execute(model, latent, data, True).args
    assert images.shape == (25, 128, 128, 3) and fps == 25.0
    assert float((images[1:] - images[:-1]).abs().max()) > 0.2, "the frames are all alike"
    _, preview, speech, duration = prepared.args
    assert preview.shape == (1, 128, 128, 3) and duration == SECONDS
    assert speech["sample_rate"] == 16000 and speech["waveform"].shape == (1, 1, 16000)
    assert latent["samples"].shape == (25, 4, 16, 16)


def test_trimming_is_reported_under_the_node(chain):
    length, trimmed, *_ = chain()[3].ui["text"][0].split("\n")
    assert length == "1.000 s, 25 frames at 25 a second, 128x128 pixels."
    assert trimmed.startswith("The first 1.00 s of the recording are used")


def test_the_seed_determines_the_video(nodes, chain):
    videos = []
    for seed in (3, 3, 2**64 - 1):
        model, latent, data, _ = chain(seed)
        videos.append(nodes["SonicLatentDecoder"].execute(model, latent, data, True).args[0])
    assert torch.equal(videos[0], videos[1]) and not torch.equal(videos[0], videos[2])


def test_the_large_sample_fills_the_pixels_of_high_quality(sample_dir):
    data = pipeline.prepare(read_picture(ASSETS / "sample/portrait_large.jpg"), read_sound(sample_dir / "speech.wav"))
    left, top, right, bottom = data["crop_xyxy"]
    assert min(right - left, bottom - top) >= 1000


@pytest.mark.parametrize("policy", ["use shorter", "refuse"])
def test_a_shorter_duration_trims(prepare, policy):
    assert prepare(on_mismatch=policy).args[0]["frames"] == 25


@pytest.mark.parametrize(("start", "duration"), [(0, 9.8), (9, 1.0)])
def test_refuse_stops_with_both_numbers_when_the_recording_is_too_short(prepare, start, duration):
    with pytest.raises(ValueError, match=r"^Set duration to 0, or on_mismatch.*has [09]\.\d\d s.*asks for"):
        prepare(start=start, duration=duration, on_mismatch="refuse")


def test_start_skips_what_is_before(prepare, sample_dir):
    samples = torch.from_numpy(read_sound(sample_dir / "speech.wav").waveform)
    done = prepare(start=2.5)
    assert torch.equal(done.args[2]["waveform"][0], samples[:, 40000:56000])
    assert done.ui["text"][0].split("\n")[1].startswith("2.50 s to 3.50 s of the recording are used")
    assert torch.equal(prepare(start=9, duration=0).args[2]["waveform"][0], samples[:, 144000:])


def test_a_start_behind_the_recording(prepare):
    with pytest.raises(ValueError, match=r"^Set start below 9\.\d\d s"):
        prepare(start=30)


def test_paste_back_returns_the_whole_portrait(nodes, chain):
    model, latent, data, _ = chain()
    images, _, _ = nodes["SonicLatentDecoder"].execute(model, latent, data, True).args
    whole, _ = nodes["SonicPasteBack"].execute(images, data, 0.1).args
    source = torch.from_numpy(data["source"]).float() / 255
    assert whole.shape == (25, *source.shape)
    assert torch.equal(whole[0, :8, :8], source[:8, :8]), "outside the crop nothing changes"


def test_a_wide_crop_of_the_sample_is_the_whole_picture(nodes, chain):
    model, latent, data, prepared = chain(crop="wide", min_resolution=512, duration=0.2)
    assert data["crop_xyxy"] == (0, 0, 512, 600) and not data["paste_back"]
    assert "The whole picture is animated: its face is " in prepared.ui["text"][0]
    images = nodes["SonicLatentDecoder"].execute(model, latent, data, True).args[0]
    assert images.shape == (5, *data["image"].shape) and data["image"].shape == (576, 512, 3)


def test_a_wide_crop_is_pasted_back_by_the_decoder(nodes, chain):
    """At 256 pixels the sample's face is too small in the whole picture."""
    model, latent, data, prepared = chain(crop="wide", min_resolution=256)
    left, top, right, bottom = data["crop_xyxy"]
    assert data["paste_back"] and "pixels around the face are animated and pasted into" in prepared.ui["text"][0]
    assert prepared.ui["text"][0].startswith("1.000 s, 25 frames at 25 a second, 256x256 pixels, pasted into 512x600.")
    images, _, video = nodes["SonicLatentDecoder"].execute(model, latent, data, True).args
    source = torch.from_numpy(data["source"]).float() / 255
    assert images.shape == (25, 600, 512, 3) and video.get_dimensions() == (512, 600)
    outside = torch.ones(600, 512, dtype=torch.bool)
    outside[top:bottom, left:right] = False
    assert outside.any() and torch.equal(images[7][outside], source[outside])
    assert float((images[1:] - images[:-1]).abs().max()) > 0.2, "the face speaks"
    passed_on = nodes["SonicPasteBack"].execute(images, data, 0.1).args[0]
    assert torch.equal(passed_on, images), "Paste Back has nothing left to do"


def test_the_preview_shows_crop_face_and_mask(prepare):
    framing = importlib.import_module("sonic_nodes.nodes.framing")
    data = prepare(crop="wide", min_resolution=256).args[0]
    drawn, source = framing.drawn(data), data["source"]
    left, top, right, bottom = data["crop_xyxy"]
    assert drawn.shape == source.shape
    assert np.array_equal(drawn[0, 0], np.round(source[0, 0] * framing.DIMMED).astype(np.uint8)), "dimmed outside"
    assert np.array_equal(drawn[top, (left + right) // 2], framing.CROP_COLOUR)
    x0, y0, x1, y1 = (round(edge) for edge in data["face_xyxy"])
    assert np.array_equal(drawn[(y0 + y1) // 2, x0], framing.FACE_COLOUR)
    middle = slice(y0 + 20, y1 - 20), slice(x0 + 20, x1 - 20)
    change = drawn[middle].astype(int) - source[middle]
    assert change[..., 2].mean() > change[..., 0].mean() + 30, "blue where the mask is 1"


def test_a_large_portrait_is_drawn_small(prepare):
    framing = importlib.import_module("sonic_nodes.nodes.framing")
    data = prepare().args[0]
    scale = np.array([6, 6, 6, 6])
    large = data | {
        "source": np.repeat(np.repeat(data["source"], 6, 0), 6, 1),
        "crop_xyxy": tuple(data["crop_xyxy"] * scale),
        "face_xyxy": tuple(data["face_xyxy"] * scale),
    }
    assert framing.drawn(large).shape == (1024, 874, 3)


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"start": float("nan")}, "Set start|Choose start"),
        ({"start": -1.0}, "Set start|Choose start"),
        ({"start": 1e10}, r"Set start below 9\.\d\d s"),
        ({"face_order": "tallest"}, "Set face_order"),
        ({"crop": "widest"}, "Set crop"),
        ({"face_index": 1, "face_order": "left-to-right"}, r"Choose a face_index from 0 to 0 \(0 is the leftmost\)"),
    ],
)
def test_values_that_cannot_be_used(prepare, changes, remedy):
    with pytest.raises(ValueError, match=f"^({remedy})"):
        prepare(**changes)


def test_cancel_stops_the_renderer(nodes, chain, comfy):
    model, latent, data, _ = chain()
    frames = []

    def cancel_at_once(value, total, preview):
        frames.append(value)
        comfy.cancelled = True

    comfy.update = cancel_at_once
    with pytest.raises(Exception) as raised:
        nodes["SonicLatentDecoder"].execute(model, latent, data, True)
    assert type(raised.value).__name__ == "Cancelled" and len(frames) == 1


def test_a_latent_of_another_engine_is_refused(nodes, chain):
    model, _, data, _ = chain()
    with pytest.raises(ValueError, match="^Connect the model that made this latent"):
        nodes["SonicLatentDecoder"].execute(model, {"samples": torch.zeros(1, 4, 8, 8)}, data, True)
    latent = {"samples": None, "sonic": {"engine": "draft", "codes": np.zeros((3, 8), np.float32)}}
    with pytest.raises(ValueError, match="^Connect the data that made this latent: it has 3 frames, the data 25"):
        nodes["SonicLatentDecoder"].execute(model, latent, data, True)


@pytest.fixture
def small(nodes, extension, comfy, sample_dir, small_models):
    """The template `fast` with small networks, up to Sonic Inference."""
    if not make_link(comfy.models, small_models):
        shutil.copytree(small_models, comfy.models)
    sound = read_sound(sample_dir / "speech.wav")
    extension.copy_samples(comfy.input_folder)
    image = nodes["SonicLoadImage"].execute("sonic_sample_portrait.jpg").args[0]
    audio = {"waveform": torch.from_numpy(sound.waveform)[None], "sample_rate": sound.rate}
    data = nodes["SONIC_PreData"].execute(audio, image, 128, 0.4, 0.18).args[0]
    return nodes["SonicLoader"].execute("unet.pth").args[0], data


def test_the_small_model_runs_with_plan_progress_and_preview(nodes, comfy, small):
    model, data = small
    out = nodes["SonicInference"].execute(model, data, 3, **SETTINGS | {"inference_steps": 2})
    assert out.args[0]["samples"].shape == (6, 4, 16, 16)
    assert (
        out.ui["text"][0].startswith("128x128, ")
        and ": fits, " in out.ui["text"][0]
        and ", about " in out.ui["text"][0]
    )
    assert comfy.texts[0][1] == out.ui["text"][0].split("\n")[0]
    assert model.models.work_bytes > 1 << 20 and comfy.loaded[-1][1]["memory_required"] == model.models.work_bytes
    assert comfy.progress[-1][0] == comfy.progress[-1][1] and any(preview for _, _, preview in comfy.progress)
    images, fps, _ = nodes["SonicLatentDecoder"].execute(model, out.args[0], data, True).args
    assert images.shape == (10, 128, 128, 3) and fps == 25


@pytest.mark.parametrize("calls", [0, 1, 20, 60])
def test_cancel_stops_every_stage_and_the_next_run_is_complete(nodes, comfy, small, calls, monkeypatch):
    model, data = small
    checks = []

    def throw():
        checks.append(0)
        if len(checks) > calls:
            raise RuntimeWarning("stands for ComfyUI's exception")

    monkeypatch.setattr("comfy.model_management.throw_exception_if_processing_interrupted", throw)
    with pytest.raises(RuntimeWarning):
        nodes["SonicInference"].execute(model, data, 3, **SETTINGS | {"inference_steps": 20})
    assert len(checks) == calls + 1
    monkeypatch.undo()
    assert (
        nodes["SonicInference"]
        .execute(model, data, 3, **SETTINGS | {"inference_steps": 1})
        .args[0]["samples"]
        .isfinite()
        .all()
    )
