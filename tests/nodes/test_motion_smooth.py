"""Motion Smooth as ComfyUI calls it: what changes, what stays to the bit, what is said, and Cancel."""

import numpy as np
import pytest
import torch

from sonic_nodes.nodes.comfy_types import image_from_pictures, pictures_from_image
from sonic_nodes.smooth.frames import Smoother
from tests.smooth.test_smooth import FRAMES, clip


@pytest.fixture
def faulty():
    return image_from_pictures(np.stack(clip(np.random.default_rng(1), shake=0.5, flicker=0.015, noise=2)))


def test_it_gives_what_the_smoother_makes_and_says_so(nodes, faulty, comfy):
    given = faulty.clone()
    out = nodes["SonicMotionSmooth"].execute(faulty, 0.5, False)
    images, report = out.args
    wanted = np.stack(list(Smoother(0.5, False).run(pictures_from_image(faulty))))
    assert np.array_equal(pictures_from_image(images), wanted) and not torch.equal(images, faulty)
    assert torch.equal(faulty, given), "the pictures given belong to other nodes too"
    assert report.startswith("Mended: shake of ") and out.ui["text"] == (report,)
    assert comfy.progress[0][:2] == (0, FRAMES) and comfy.progress[-1][:2] == (FRAMES, FRAMES) and comfy.progress[-1][2]


@pytest.mark.parametrize("strength", [0.0, 0.5])
def test_what_has_no_fault_is_handed_on_itself(nodes, strength):
    images = image_from_pictures(np.stack(clip(np.random.default_rng(2), drift=0.3)))
    out, report = nodes["SonicMotionSmooth"].execute(images, strength, True).args
    assert out is images and report.startswith("Nothing was changed: ")


def test_strength_0_hands_on_faults_too(nodes, faulty):
    assert nodes["SonicMotionSmooth"].execute(faulty, 0.0, True).args[0] is faulty


def test_levels_between_the_8_bit_ones_and_alpha_stay_where_nothing_changed(nodes):
    """Flicker in the middle of the clip alone; the frames around it carry finer levels and a fourth channel."""
    random = np.random.default_rng(3)
    plain, faults = clip(random), clip(random, noise=2.5)
    levels = torch.from_numpy(np.stack(plain + [255 - frame for frame in faults])).float()
    images = torch.cat([(levels + 0.3) / 255, torch.full_like(levels[..., :1], 0.25)], dim=-1)
    out, report = nodes["SonicMotionSmooth"].execute(images, 0.5, False).args
    assert "noise of" in report and out.shape == images.shape
    assert torch.equal(out[:FRAMES], images[:FRAMES]) and torch.equal(out[..., 3], images[..., 3])
    assert not torch.equal(out[FRAMES:], images[FRAMES:])


def test_not_a_number_passes_through_in_words(nodes, faulty):
    faulty[20, 5, 5, 0] = float("nan")
    out, report = nodes["SonicMotionSmooth"].execute(faulty, 0.5, False).args
    assert out is faulty and report.startswith("Nothing was changed: Check the node that made the picture")


@pytest.mark.parametrize("strength", [-0.1, 1.5, float("nan")])
def test_a_strength_out_of_range_is_an_error(nodes, faulty, strength):
    with pytest.raises(ValueError, match="^Choose a strength from 0 to 1"):
        nodes["SonicMotionSmooth"].execute(faulty, strength, True)


def test_cancel_ends_it_at_the_next_frame(nodes, faulty, comfy, monkeypatch):
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


def test_want_of_memory_is_said(nodes, faulty, comfy):
    comfy.free_bytes = 1 << 20
    with pytest.raises(ValueError, match="^Shorten the recording"):
        nodes["SonicMotionSmooth"].execute(faulty, 0.5, False)


@pytest.mark.parametrize("count", [1, 3])
def test_few_frames(nodes, faulty, count):
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
def test_what_is_no_clip_is_handed_on_in_words(nodes, images):
    out, report = nodes["SonicMotionSmooth"].execute(images, 0.5, True).args
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
def test_pictures_of_any_make_are_mended(nodes, faulty, change):
    given = change(faulty)
    kept = given.detach().clone()
    out, report = nodes["SonicMotionSmooth"].execute(given, 0.5, False).args
    wanted = np.stack(list(Smoother(0.5, False).run(pictures_from_image(kept))))
    assert report.startswith("Mended: ") and out.shape == given.shape and out.dtype == given.dtype
    assert torch.equal(given.detach(), kept) and torch.equal(out[..., 3:], kept[..., 3:])
    assert np.array_equal(pictures_from_image(out.detach()), wanted)


def test_one_picture_shown_many_times_is_handed_on_itself(nodes, faulty):
    images = faulty[:1].expand(30, -1, -1, -1)
    assert nodes["SonicMotionSmooth"].execute(images, 0.5, True).args[0] is images
