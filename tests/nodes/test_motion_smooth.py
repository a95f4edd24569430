"""Motion Smooth as ComfyUI calls it: what changes, what stays bit for bit, the report, and Cancel."""

import numpy as np
import pytest
import torch

from sonic_nodes.nodes.comfy_types import image_from_uint8, uint8_from_image
from sonic_nodes.smooth.frames import Smoother
from tests.smooth.test_smooth import FRAMES, clip


@pytest.fixture
def faulty():
    return image_from_uint8(np.stack(clip(np.random.default_rng(1), shake=0.5, flicker=0.015, noise=2)))


def test_the_output_equals_the_smoother_and_is_reported(nodes, faulty, comfy):
    given = faulty.clone()
    out = nodes["SonicMotionSmooth"].execute(faulty, 0.5, False)
    images, report, _ = out.args
    expected = np.stack(list(Smoother(0.5, False).run(uint8_from_image(faulty))))
    assert np.array_equal(uint8_from_image(images), expected) and not torch.equal(images, faulty)
    assert torch.equal(faulty, given), "other nodes use the input too"
    assert report.startswith("Corrected: shake of ") and out.ui["text"] == (report,)
    assert comfy.progress[0][:2] == (0, FRAMES) and comfy.progress[-1][:2] == (FRAMES, FRAMES) and comfy.progress[-1][2]


@pytest.mark.parametrize("strength", [0.0, 0.5])
def test_a_clean_clip_is_returned_as_the_same_tensor(nodes, strength):
    images = image_from_uint8(np.stack(clip(np.random.default_rng(2), drift=0.3)))
    out, report, _ = nodes["SonicMotionSmooth"].execute(images, strength, True).args
    assert out is images and report.startswith("Nothing was changed: ")


def test_strength_0_returns_a_faulty_clip_unchanged(nodes, faulty):
    assert nodes["SonicMotionSmooth"].execute(faulty, 0.0, True).args[0] is faulty


def test_unchanged_frames_keep_levels_finer_than_8_bits_and_alpha(nodes):
    """Noise in the second half only; all frames have levels finer than 8 bits and a fourth channel."""
    random = np.random.default_rng(3)
    plain, faults = clip(random), clip(random, noise=2.5)
    levels = torch.from_numpy(np.stack(plain + [255 - frame for frame in faults])).float()
    images = torch.cat([(levels + 0.3) / 255, torch.full_like(levels[..., :1], 0.25)], dim=-1)
    out, report, _ = nodes["SonicMotionSmooth"].execute(images, 0.5, False).args
    assert "noise of" in report and out.shape == images.shape
    assert torch.equal(out[:FRAMES], images[:FRAMES]) and torch.equal(out[..., 3], images[..., 3])
    assert not torch.equal(out[FRAMES:], images[FRAMES:])


def test_nan_passes_through_with_a_reason(nodes, faulty):
    faulty[20, 5, 5, 0] = float("nan")
    out, report, _ = nodes["SonicMotionSmooth"].execute(faulty, 0.5, False).args
    assert out is faulty and report.startswith("Nothing was changed: Check the node that made the images")


@pytest.mark.parametrize("strength", [-0.1, 1.5, float("nan")])
def test_a_strength_out_of_range_is_an_error(nodes, faulty, strength):
    with pytest.raises(ValueError, match="^Set strength between 0 and 1"):
        nodes["SonicMotionSmooth"].execute(faulty, strength, True)


def test_cancel_stops_at_the_next_frame(nodes, faulty, comfy, monkeypatch):
    class Pressed(Smoother):
        seen = 0

        def _checked(self, frame):
            Pressed.seen += 1
            comfy.cancelled = Pressed.seen == 3
            return super()._checked(frame)

    monkeypatch.setattr("sonic_nodes.smooth.frames.Smoother", Pressed)
    with pytest.raises(Exception) as raised:
        nodes["SonicMotionSmooth"].execute(faulty, 0.5, False)
    assert type(raised.value).__name__ == "Cancelled" and Pressed.seen == 3


def test_too_little_memory_is_reported(nodes, faulty, comfy):
    comfy.free_bytes = 1 << 20
    with pytest.raises(ValueError, match="^Shorten the recording"):
        nodes["SonicMotionSmooth"].execute(faulty, 0.5, False)


@pytest.mark.parametrize("count", [1, 3])
def test_short_clips_keep_their_shape(nodes, faulty, count):
    assert nodes["SonicMotionSmooth"].execute(faulty[:count], 0.5, True).args[0].shape == faulty[:count].shape


@pytest.mark.parametrize(
    "images",
    [
        None,
        torch.zeros(0, 80, 80, 3),
        torch.zeros(5, 80, 80, 1),
        torch.zeros(80, 80, 3),
        torch.full((5, 80, 80, 3), float("inf")),
    ],
)
def test_an_invalid_clip_is_returned_with_a_reason(nodes, images):
    out, report, _ = nodes["SonicMotionSmooth"].execute(images, 0.5, True).args
    assert out is images and report.startswith("Nothing was changed: ")


@pytest.mark.parametrize(
    "change",
    [
        lambda images: images.half(),
        lambda images: images.double().requires_grad_(),
        lambda images: images.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1),
        lambda images: torch.cat([images, torch.rand_like(images[..., :1])], dim=-1),
        lambda images: (images - 0.5) * 1.5 + 0.5,
    ],
)
def test_images_of_any_layout_are_corrected(nodes, faulty, change):
    given = change(faulty)
    kept = given.detach().clone()
    out, report, _ = nodes["SonicMotionSmooth"].execute(given, 0.5, False).args
    expected = np.stack(list(Smoother(0.5, False).run(uint8_from_image(kept))))
    assert report.startswith("Corrected: ") and out.shape == given.shape and out.dtype == given.dtype
    assert torch.equal(given.detach(), kept) and torch.equal(out[..., 3:], kept[..., 3:])
    assert np.array_equal(uint8_from_image(out.detach()), expected)


def test_a_still_image_is_returned_as_the_same_tensor(nodes, faulty):
    images = faulty[:1].expand(30, -1, -1, -1)
    assert nodes["SonicMotionSmooth"].execute(images, 0.5, True).args[0] is images
