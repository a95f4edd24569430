"""The UNet without sound against an independent implementation, where that is installed."""

import sys
from pathlib import Path

import pytest

pytest.importorskip(
    "diffusers", reason="diffusers, the independent implementation, is not installed (pip install diffusers)"
)
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import parity_unet  # noqa: E402


@pytest.mark.parametrize("case", parity_unet.CASES, ids=str)
def test_unet_equals_diffusers(case):
    assert parity_unet.relative_error(case, sum(case)) < parity_unet.TOLERANCE
