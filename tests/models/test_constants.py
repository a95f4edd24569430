"""The constants of training in Python are those in C."""

import re
from pathlib import Path

import pytest

from sonic_nodes.models import constants

HEADER = Path(__file__).resolve().parents[2] / "csrc" / "core" / "video_rates.h"


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
    (value,) = re.findall(rf"^#define {c_name} ([\d.]+)", HEADER.read_text(), re.MULTILINE)
    assert float(value) == getattr(constants, name)


def test_rates_follow_from_one_another():
    assert constants.FPS == 2 * constants.LATENT_FPS
