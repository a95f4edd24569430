"""The script that makes random weights in users' layout, and every network running from its files."""

import pytest
import torch

from sonic_nodes.models.call import run_network
from sonic_nodes.weights import files
from sonic_nodes.weights.check import load
from sonic_nodes.weights.key_maps import NETWORKS
from tests.tools.make_models import SMALL

INPUTS = {
    "whisper": ("whisper", {"mel": (80, 3000)}, [2], (1500, 5, 32)),
    "clip_vision": ("clip_vision", {"pixels": (1, 3, 56, 56)}, [2], (1, 32)),
    "audio2token": ("audio_tokens", {"states": (16, 5, 32)}, [4], (4, 8, 32)),
    "audio2bucket": ("motion_bucket", {"states": (16, 5, 32), "image": (1, 32)}, [4], (4, 2)),
    "vae": ("vae_decoder", {"latents": (2, 4, 3, 5)}, [], (2, 3, 24, 40)),
    "rife": ("rife", {"before": (1, 3, 32, 48), "after": (1, 3, 32, 48)}, [], (1, 3, 32, 48)),
}


@pytest.fixture
def folder(small_models):
    return small_models


def place(folder, network):
    return next(found.path for found in files.find(folder) if network in found.file.networks)


@pytest.mark.parametrize("network", NETWORKS)
def test_every_file_loads(network, folder):
    assert load(network, place(folder, network), check_values=True, **SMALL[network])


@pytest.mark.parametrize("network", INPUTS)
def test_every_network_runs_from_its_file(network, folder):
    operator, shapes, numbers, expected = INPUTS[network]
    generator = torch.Generator().manual_seed(0)
    inputs = {name: torch.rand(shape, generator=generator) for name, shape in shapes.items()}
    out = run_network(
        operator, inputs, load(network, place(folder, network), **SMALL[network]), numbers, check_finite=True
    )[0]
    assert out.shape == expected and 1e-3 < out.std() < 1e3
