"""Sonic Background as ComfyUI calls it: images, mask, video chunk by chunk, and what is refused."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

from sonic_nodes.matting.backdrop import Backdrop
from sonic_nodes.matting.presenter import Presenter
from sonic_nodes.media.image import read_picture
from sonic_nodes.nodes.comfy_types import image_from_uint8, uint8_from_image
from sonic_nodes.nodes.frame_streams import ImageFrames


@pytest.fixture
def clip(sample_dir):
    picture = Image.fromarray(read_picture(sample_dir / "portrait.jpg")).resize((96, 128))
    return image_from_uint8(np.repeat(np.asarray(picture)[None], 3, 0))


def expected(clip, backdrop):
    return np.concatenate(list(Presenter(backdrop, *clip.shape[1:3]).run([uint8_from_image(clip)])))


def test_images_stand_before_the_colour(nodes, clip, comfy):
    given = clip.clone()
    images, _, _ = nodes["SonicBackground"].execute(clip, "colour", "#0000ff").args
    assert np.array_equal(uint8_from_image(images), expected(clip, Backdrop("colour", (0, 0, 255))))
    assert torch.equal(clip, given) and comfy.progress[-1][:2] == (3, 3)


def test_a_transparent_background_makes_images_and_a_mask(nodes, clip):
    images, mask, _ = nodes["SonicBackground"].execute(clip, "transparent").args
    made = expected(clip, Backdrop("transparent"))
    assert images.shape == clip.shape and mask.shape == clip.shape[:3]
    assert np.array_equal(uint8_from_image(images), made[..., :3])
    assert np.abs(1 - mask.numpy() - made[..., 3] / 255).max() < 1e-6


def test_a_picture_is_seen_behind_the_person(nodes, clip):
    wall = torch.zeros(1, 50, 50, 3)
    images, _, _ = nodes["SonicBackground"].execute(clip, "picture", picture=wall).args
    assert (images[:, :8, -8:] == 0).all()


def test_a_video_is_made_when_its_frames_are_asked_for(nodes, clip):
    from sonic_nodes.nodes.video import SonicVideo

    video = SonicVideo(ImageFrames(clip, Fraction(25)), None, {"title": "kept"})
    images, _, out = nodes["SonicBackground"].execute(video, "blur").args
    frames = np.concatenate(list(out.frames.chunks(lambda *_: None)))
    assert np.array_equal(frames, expected(clip, Backdrop("blur"))) and out.tags == {"title": "kept"}
    assert "video" in images.message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("colour", "blue"), "Write the colour of the node as # and six"),
        (("picture", "#000000"), "Connect a picture to the input picture"),
    ],
)
def test_what_is_refused_says_what_to_do(nodes, clip, arguments, words):
    with pytest.raises(ValueError, match=f"^{words}"):
        nodes["SonicBackground"].execute(clip, *arguments)


def test_a_transparent_video_and_a_clip_without_a_person_are_refused(nodes, clip):
    from sonic_nodes.nodes.video import SonicVideo

    with pytest.raises(ValueError, match="^Connect images instead of a video"):
        nodes["SonicBackground"].execute(SonicVideo(ImageFrames(clip, 25), None, {}), "transparent")
    with pytest.raises(ValueError, match="^Choose a picture that shows a person"):
        nodes["SonicBackground"].execute(torch.full((2, 64, 64, 3), 0.7), "blur")
