"""A driver and a compiler of a card that stand in (fake_cuda.c): kernels run in C, on the CPU's tensors."""

import pytest
import torch

from sonic_nodes import kernels
from tests.kernels.fake_cuda import build


@pytest.fixture(scope="session")
def fake_library(tmp_path_factory):
    try:
        return build(tmp_path_factory.mktemp("fake_cuda"))
    except SystemExit as error:
        pytest.skip(str(error))


@pytest.fixture
def fake_cuda(fake_library):
    """The library, without planted failures; no kernel is loaded before and after the test."""
    kernels.unload()
    fake_library.fake_fail(b"")
    yield fake_library
    kernels.unload()
    fake_library.fake_fail(b"")
    assert fake_library.fake_contexts() == 0
    assert fake_library.fake_modules() == 0


@pytest.fixture
def card(fake_cuda, tmp_path):
    """Loads the kernels of all types for the CPU's tensors."""
    for dtype in kernels.VALUES:
        kernels.load(torch.device("cpu"), dtype, "sm_86", fake_cuda, fake_cuda, tmp_path)
    return fake_cuda
