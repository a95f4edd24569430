"""Wide crops of pictures that people have: strips, tiny faces, and the size that the memory plan counts."""

import numpy as np
import pytest
import torch
from PIL import Image

from sonic_nodes import pipeline
from sonic_nodes.engines import engine_class
from sonic_nodes.engines.settings import DraftOptions, SonicOptions, SonicSettings
from sonic_nodes.errors import InputError
from sonic_nodes.media.audio import Sound


@pytest.fixture(scope="module")
def portrait(sample_dir):
    with Image.open(sample_dir / "portrait.jpg") as picture:
        return picture.convert("RGB")


@pytest.fixture(scope="module")
def sound():
    return Sound(0.1 * np.random.default_rng(0).normal(size=(1, 8000)).astype(np.float32), 16000)


def placed(portrait, height, size, at):
    """The portrait `height` pixels high in a grey picture of `size` (width, height)."""
    small = portrait.resize((round(height * portrait.width / portrait.height), height), Image.Resampling.LANCZOS)
    picture = Image.new("RGB", size, (128, 128, 128))
    picture.paste(small, at)
    return np.asarray(picture)


def wide(picture, sound, **settings):
    return pipeline.prepare(picture, sound, **{"crop": "wide", "min_resolution": 512} | settings)


@pytest.mark.parametrize(
    ("size", "at"), [((6000, 300), (2000, 0)), ((300, 6000), (20, 5600)), ((6000, 300), (0, 0))], ids=str
)
def test_a_strip_of_1_to_20_is_cut_to_4_to_1(portrait, sound, size, at):
    data = wide(placed(portrait, 300, size, at), sound)
    left, top, right, bottom = data["crop_xyxy"]
    x0, y0, x1, y1 = data["face_xyxy"]
    assert max(right - left, bottom - top) == 4 * min(right - left, bottom - top) and data["paste_back"]
    assert left <= x0 and top <= y0 and x1 <= right and y1 <= bottom
    assert "the model's pictures are at most 4 times as long as they are wide" in " ".join(data["notes"])
    assert sorted(data["image"].shape[:2]) == [512, 2048]


def test_a_strip_as_a_whole_is_refused(portrait, sound):
    with pytest.raises(InputError, match="^Crop the picture, or set crop to 'face'"):
        wide(placed(portrait, 300, (6000, 300), (2000, 0)), sound, crop="off")


def test_a_tiny_face_is_enlarged_and_named(portrait, sound):
    data = wide(placed(portrait, 120, (640, 480), (300, 200)), sound)
    notes = " ".join(data["notes"])
    assert "pixels around the face are animated and pasted into the picture of 640x480" in notes
    assert "Choose a picture that shows the face larger: it is " in notes
    face_px = min(np.diff(np.array(data["face_xyxy"]).reshape(2, 2), axis=0)[0])
    shown = face_px * 512 / min(np.diff(np.array(data["crop_xyxy"]).reshape(2, 2), axis=0)[0])
    assert face_px < 64 and shown == pytest.approx(128, rel=0.03)


def test_a_resolution_too_low_for_any_crop_is_named(portrait, sound):
    notes = wide(np.asarray(portrait), sound, min_resolution=128)["notes"]
    assert any(note.startswith("Raise min_resolution: at 128 the face is ") for note in notes)


@pytest.mark.parametrize("engine", ["draft", "sonic"])
def test_both_engines_make_frames_of_the_prepared_size(portrait, sound, small_models, engine):
    options = DraftOptions() if engine == "draft" else SonicOptions(models=str(small_models))
    made = engine_class(engine).open(options)
    data = wide(placed(portrait, 300, (1200, 300), (500, 0)), sound, min_resolution=256, duration=0.2)
    settings = SonicSettings(steps=1) if engine == "sonic" else None
    latent = made.infer(data, 0, settings)
    height, width = data["image"].shape[:2]
    assert height == 256 and width > 2 * height and not height % 64 and not width % 64
    frames = np.concatenate(list(made.decode(latent, data)))
    assert frames.shape == (5, height, width, 3) and tuple(latent["samples"].shape[2:]) == (height // 8, width // 8)


def test_the_memory_plan_counts_the_wide_size(portrait, sound, small_models):
    engine, settings = engine_class("sonic").open(SonicOptions(models=str(small_models))), SonicSettings(steps=1)
    picture = placed(portrait, 300, (1200, 300), (500, 0))
    both = [wide(picture, sound, min_resolution=256, crop=crop) for crop in ("face", "wide")]
    narrow, broad = (engine.plan(data, settings) for data in both)
    height, width = both[1]["image"].shape[:2]
    assert (broad.rows, broad.columns) == (height // 8, width // 8) and width > 2 * height
    for small, large in zip(narrow.stages, broad.stages, strict=True):
        assert large.stage == small.stage and large.peak >= small.peak and large.flops >= small.flops
    assert max(s.peak - s.weights for s in broad.stages) > 1.5 * max(s.peak - s.weights for s in narrow.stages)


def test_a_mask_marks_the_face_of_a_statue(sound):
    """The crop follows the mask where no face is found."""
    mask = np.zeros((600, 900), np.float32)
    mask[200:360, 600:740] = 1
    data = wide(np.full((600, 900, 3), 90, np.uint8), sound, face_mask=mask, min_resolution=256)
    left, top, right, bottom = data["crop_xyxy"]
    assert left <= 600 and top <= 200 and right >= 740 and bottom >= 360 and data["paste_back"]
    assert torch.from_numpy(data["mask"]).max() == 1
