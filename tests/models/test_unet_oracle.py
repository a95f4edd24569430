"""The UNet without audio against diffusers, where that is installed."""

import pytest

pytest.importorskip(
    "diffusers", reason="diffusers, the independent implementation, is not installed (pip install diffusers)"
)

from tests.oracles import parity_unet


@pytest.mark.parametrize("case", parity_unet.CASES, ids=str)
def test_unet_equals_diffusers(case):
    assert parity_unet.relative_error(case, sum(case)) < parity_unet.TOLERANCE
