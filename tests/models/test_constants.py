"""The constants that Python and C both have are the same."""

import re
from pathlib import Path

import pytest

from sonic_nodes import face
from sonic_nodes.models import constants

CSRC = Path(__file__).resolve().parents[2] / "csrc"


def defined(header: str, name: str) -> float:
    (value,) = re.findall(rf"^#define {name} ([\d.]+)", (CSRC / header).read_text(), re.MULTILINE)
    return float(value)


@pytest.mark.parametrize(
    "c_name, name",
    [
        ("SONIC_VIDEO_FPS", "FPS"),
        ("SONIC_LATENT_FPS", "LATENT_FPS"),
        ("SONIC_WINDOW_FRAMES", "WINDOW"),
        ("SONIC_CHUNK_FRAMES", "CHUNK"),
    ],
)
def test_constants_are_the_same_in_c(c_name, name):
    assert defined("core/video_rates.h", c_name) == getattr(constants, name)


def test_the_width_of_a_face_is_the_same_in_c():
    assert defined("face/geometry.h", "SONIC_WIDE_FACE_PX") == face.WIDE_FACE_PX


def test_rates_follow_from_one_another():
    assert constants.FPS == 2 * constants.LATENT_FPS
