"""IMAGEs in another scale than 0 to 1 are refused by every node that reads one; notes about a file reach the page."""

import pytest
import torch
from PIL import Image

from sonic_nodes.errors import InputError
from sonic_nodes.media.colour_space import ADOBE_RGB
from sonic_nodes.nodes import comfy_types

RAMP = torch.linspace(0, 1, 64 * 64 * 3).reshape(1, 64, 64, 3)
SCALES = {
    "0 to 255": (RAMP * 255, "reach 255"),
    "bytes": ((RAMP * 255).to(torch.uint8), "reach 255"),
    "0 to 65535": (RAMP * 65535, "reach 65535"),
    "-1 to 1": (RAMP * 2 - 1, "go down to -1"),
    "-127 to 128": (RAMP * 255 - 127, "reach 128"),
    "half precision": ((RAMP * 255).to(torch.float16), "reach 255"),
}
SOUND = {"waveform": torch.zeros(1, 1, 16000), "sample_rate": 16000}
LOUD = {"waveform": torch.full((1, 1, 32000), 0.1), "sample_rate": 16000}  # long and loud enough to be measured
CALLS = {
    "SONIC_PreData": lambda node, image, data: node.execute(SOUND, image, 128, 1.0, 0.5),
    "SonicImageGate": lambda node, image, data: node.execute(image),
    "SonicPasteBack": lambda node, image, data: node.execute(torch.cat([image, image], dim=2), data, 0.1),
    "SonicMotionSmooth": lambda node, image, data: node.execute(image),
    "SonicLipSyncCalibrate": lambda node, image, data: node.execute(
        torch.cat([image, *[image[:1]] * 48]), LOUD, 25.0, "fix", 200.0
    ),
}


@pytest.mark.parametrize("scale", SCALES)
def test_another_scale_is_refused_with_its_extreme(scale):
    image, extreme = SCALES[scale]
    with pytest.raises(InputError, match=f"^Scale the picture to 0 to 1: its values {extreme}[.]$"):
        comfy_types.first_picture(image)


@pytest.mark.parametrize("name", CALLS)
def test_every_node_says_so(nodes, comfy, data, name):
    image = torch.cat([torch.zeros(1, 64, 64, 3), RAMP * 255])  # the first frame alone would pass
    image = image[1:] if name == "SONIC_PreData" else image
    try:
        text = CALLS[name](nodes[name], image, data).ui["text"][0]
    except ValueError as error:
        text = str(error)
    assert "Scale the picture to 0 to 1: its values reach 255." in text


def test_values_a_little_outside_are_clipped():
    levels = comfy_types.uint8_from_image(torch.tensor([-0.03, 0.0, 1.02, 1.9, -0.4, 1.0]).reshape(1, 1, 2, 3))
    assert levels.ravel().tolist() == [0, 0, 255, 255, 0, 255]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_are_refused(value):
    image = RAMP.clone()
    image[0, 5, 5, 1] = value
    with pytest.raises(InputError, match="^Check the node that made the images"):
        comfy_types.uint8_from_image(image)


def test_a_profile_that_is_ignored_is_told_under_the_node(nodes, comfy):
    picture = Image.new("RGB", (300, 300), (120, 90, 60))
    picture.save(comfy.input_folder / "good.png", icc_profile=ADOBE_RGB.profile(is_grey=False))
    picture.save(comfy.input_folder / "bad.png", icc_profile=b"nonsense" * 40)
    note = "Save 'bad.png' again with an sRGB profile if its colours look wrong"
    for policy in ("warn", "off"):
        assert note in nodes["SonicLoadImage"].execute("bad.png", policy).ui["text"][0]
        assert note[-20:] not in nodes["SonicLoadImage"].execute("good.png", policy).ui["text"][0]
