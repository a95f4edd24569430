"""The segmentation network against MediaPipe's .tflite file run by LiteRT: a recorded output for the sample, live ones
where LiteRT is installed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file

from sonic_nodes.errors import InstallError
from sonic_nodes.matting import person_mask as network
from sonic_nodes.media.image import read_picture
from tools import convert_person_model as converter

LIMIT = 3e-4  # of a mask of 0..1, a tenth of a step of 8 bits; measured: 8e-5, on Windows with its MKL 1.1e-4


@pytest.fixture(scope="module")
def recorded():
    return load_file(Path(__file__).parent / "oracle.safetensors")


def planes(picture):
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)[None])).float() / 255


def test_the_mask_equals_the_recorded_one(recorded):
    mask = network.person_mask(planes(recorded["half_u8"].repeat(2, 0).repeat(2, 1)))
    off = np.abs(mask[0, 0, ::2, ::2].numpy() - recorded["mask"]).max()
    print(f"off by {off:.2e}")
    assert mask.shape == (1, 1, 256, 256) and off < LIMIT
    assert 0.2 < recorded["mask"].mean() < 0.9, "the sample shows a person before a background"


def test_batches_equal_single_pictures():
    pictures = torch.rand(3, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    together = network.person_mask(pictures)
    for i in range(3):
        assert torch.allclose(together[i], network.person_mask(pictures[i : i + 1])[0], atol=1e-5)


@pytest.mark.parametrize("name", ["p_astronaut.png", "p_obama.png", "kodim04.png", "kodim15.png", "bridge.png"])
def test_live_on_photos(shared_dir, name):
    pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed (pip install ai-edge-litert)")
    from PIL import Image

    from tests.oracles.person_oracle import Oracle

    try:
        model = converter.lay_model(Path(converter.ASSETS).parents[1] / ".cache" / "person_model")
    except OSError as error:
        pytest.skip(f"neither the network nor .cache/person_model has the original model: {error}")
    picture = np.asarray(Image.fromarray(read_picture(shared_dir / "photos" / name)).resize((256, 256)))
    mask = network.person_mask(planes(picture))[0, 0].numpy()
    assert np.abs(mask - Oracle(model).mask(picture)).max() < LIMIT


def test_weights_are_what_the_converter_makes():
    """The committed weights name the file that they come from, by the hashes that the converter accepts."""
    with safe_open(converter.ASSETS / converter.TARGET, "np") as weights:
        origin = weights.metadata()["origin"]
        assert sorted(weights.keys()) == sorted(f"{n}.{part}" for n in converter.names() for part in ("weight", "bias"))
    assert converter.MODEL_SHA256 in origin and converter.ARCHIVE_SHA256 in origin and "Apache-2.0" in origin


def test_an_absent_weight_is_named(monkeypatch):
    tensors, names = network.network_weights()
    kept = [i for i, name in enumerate(names.split("\n")) if name != "context.gate.weight"]
    part = tuple(tensors[i] for i in kept), "\n".join(names.split("\n")[i] for i in kept)
    monkeypatch.setattr(network, "network_weights", lambda: part)
    with pytest.raises(RuntimeError, match="context.gate.weight"):
        network.person_mask(torch.zeros(1, 3, 256, 256))


def test_damaged_weights_are_an_install_error(monkeypatch, tmp_path):
    path = tmp_path / "person_mask.safetensors"
    path.write_bytes(b"\x00" * 100)
    monkeypatch.setattr(network, "WEIGHTS", path)
    network.network_weights.cache_clear()
    with pytest.raises(InstallError, match="^Install the package again"):
        network.network_weights()
