"""The whole model: found, checked together, loaded network by network."""

import os
import shutil

import pytest
import torch

from sonic_nodes.errors import InputError, UsageError
from sonic_nodes.weights import sizes
from sonic_nodes.weights.convert import write_safetensors
from sonic_nodes.weights.key_maps import NETWORKS
from sonic_nodes.weights.models import Models
from sonic_nodes.weights.reader import open_weights
from sonic_nodes.weights.shapes import clip_transformers
from tests.oracles.system import is_mapped
from tests.tools.make_models import SMALL, values

FULL = {
    "unet": {"channels": (320, 640, 1280, 1280), "context": 1024, "ids": 256, "blocks": 2, "latents": 4},
    "audio2token": {"states": 19200, "hidden": 1024, "tokens": 32, "dim": 1024},
    "audio2bucket": {"states": 19200, "image": 1024, "hidden": 1024},
    "whisper": {"d": 384, "layers": 4, "inner": 1536, "positions": 1500, "mels": 80},
    "vae": {"channels": (128, 256, 512, 512), "latents": 4, "blocks": 2},
    "clip_vision": {"d": 1280, "layers": 32, "inner": 5120, "patch": 14, "tokens": 257, "out": 1024},
    "rife": {"c": 90},
}


class Shape:
    def __init__(self, shape):
        self.shape = shape


@pytest.fixture
def folder(small_models, tmp_path):
    """A copy that a test may change."""
    return shutil.copytree(small_models, tmp_path / "models")


@pytest.mark.parametrize("key", NETWORKS)
def test_published_sizes_are_read_from_every_key_map(key):
    for key_map in NETWORKS[key].key_maps():
        entries = {name: Shape(shape) for name, shape in key_map.shapes.items()}
        assert sizes.sizes_of(key, entries) == FULL[key]


def test_heads_of_the_published_networks():
    assert sizes.heads("whisper", 384) == 6 and sizes.heads("clip_vision", 1280) == 16 and sizes.head_dim(320) == 64


def test_sizes_of_a_file_that_does_not_tell_them_are_the_published_ones():
    assert all(sizes.sizes_of(key, {}) == {} for key in NETWORKS)


def test_every_network_of_a_folder(small_models):
    models = Models.in_folder(small_models)
    for key in NETWORKS:
        tensors = models.tensors(key, torch.float32)
        expected = {
            key_map.network_name(name) for key_map in NETWORKS[key].key_maps(**SMALL[key]) for name in key_map.shapes
        }
        assert tensors.keys() <= expected and {t.dtype for t in tensors.values()} == {torch.float32}
        assert models.tensors(key, torch.float32) is tensors
    assert models.heads("whisper") == 2 and models.heads("clip_vision") == 2 and models.head_dim() == 32
    half = models.tensors("unet", torch.bfloat16)
    assert {t.dtype for t in half.values()} == {torch.bfloat16}
    assert all(t.is_contiguous(memory_format=torch.channels_last) for t in half.values() if t.dim() == 4)


def test_views_of_the_file_are_not_counted_as_held(small_models):
    models = Models.in_folder(small_models)
    whisper = models.tensors("whisper", torch.float32)
    assert models.held_bytes("cpu") == 0 and whisper
    models.tensors("whisper", torch.float16)
    assert models.held_bytes("cpu") == sum(t.nbytes // 2 for t in whisper.values())
    models.release("whisper")
    assert models.held_bytes("cpu") == 0


def test_a_file_is_mapped_for_as_long_as_its_tensors_are_views_of_it(small_models, tmp_path):
    """So on Windows a user can replace it once the weights are on the graphics card, or unloaded."""
    folder = shutil.copytree(small_models, tmp_path / "models")
    models, path = Models.in_folder(folder), folder / "sonic/audio2token.pth"
    assert not is_mapped(path)
    tensors = models.tensors("audio2token", torch.float32)
    assert is_mapped(path) and sum(float(t.sum()) for t in tensors.values())
    del tensors
    models.release("audio2token")
    assert not is_mapped(path)
    assert models.tensors("audio2token", torch.float64)
    assert not is_mapped(path)


def test_a_file_that_was_replaced_or_taken_away_since_it_was_checked(small_models, tmp_path):
    path = tmp_path / "unet.pth"
    shutil.copy(small_models / "sonic/unet.pth", path)
    file = open_weights(path)
    os.utime(path, ns=(0, 0))
    with pytest.raises(InputError, match="^Leave .*unet.pth in place while it is in use, and run again: it was"):
        file.tensor("conv_in.weight")
    path.unlink()
    with pytest.raises(InputError, match="^Leave .*unet.pth in place while it is in use: it cannot be mapped"):
        file.tensor("conv_in.weight")


def test_found_in_the_folder_of_sonic_too(small_models, folder):
    with pytest.raises(
        InputError, match="^Put svd_xt.safetensors at models/checkpoints/.* Missing in .*sonic: svd_xt.safetensors.$"
    ):
        Models.in_folder(folder / "sonic")
    assert Models.in_folder(folder / "sonic", checkpoint=folder / "checkpoints/svd_xt.safetensors").sizes("rife") == {
        "c": 16
    }
    (folder / "checkpoints/svd_xt.safetensors").rename(folder / "checkpoints/svd_xt_1_1.safetensors")
    assert Models.in_folder(folder).paths["vae"].name == "svd_xt_1_1.safetensors"


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="^Name ComfyUI's models folder"):
        Models.in_folder(tmp_path / "nothing")
    with pytest.raises(
        InputError, match="Missing in .*: unet.pth, audio2token.pth, audio2bucket.pth, whisper-tiny/model.safetensors"
    ):
        Models.in_folder(tmp_path)


def network(key, **other):
    """Random weights in the names of the first key map."""
    generator = torch.Generator().manual_seed(0)
    table = NETWORKS[key].key_maps(**SMALL[key] | other)[-1 if key.startswith("audio2") else 0].shapes
    return {name: values(name, shape, generator) for name, shape in table.items()}


@pytest.mark.parametrize(
    "key, place, other, words",
    [
        (
            "whisper",
            "sonic/whisper-tiny/model.safetensors",
            {"d": 48},
            "Whisper of another size.*audio2token expects states of another size",
        ),
        (
            "audio2token",
            "sonic/audio2token.pth",
            {"dim": 64, "tokens": 4},
            "Sonic's audio2token.pth.*the UNet expects tokens of another size",
        ),
        (
            "audio2bucket",
            "sonic/audio2bucket.pth",
            {"states": 800},
            "Sonic's audio2bucket.pth.*Whisper and CLIP give inputs",
        ),
    ],
)
def test_networks_that_do_not_belong_together(folder, key, place, other, words):
    weights = network(key, **other)
    write_safetensors(folder / place, weights) if place.endswith("safetensors") else torch.save(weights, folder / place)
    with pytest.raises(InputError, match=f"^Put .* holds {words}"):
        Models.in_folder(folder)


def test_a_file_in_the_wrong_place(folder):
    shutil.copy(folder / "sonic/audio2bucket.pth", folder / "sonic/unet.pth")
    with pytest.raises(
        InputError, match="^Put unet.pth at .* is Sonic's audio2bucket.pth and does not fit Sonic's UNet"
    ):
        Models.in_folder(folder)


def test_clip_in_the_names_of_transformers():
    generator = torch.Generator().manual_seed(0)
    table = clip_transformers(**SMALL["clip_vision"])
    assert sizes.sizes_of(
        "clip_vision", {name: Shape(values(name, shape, generator).shape) for name, shape in table.items()}
    ) == {**SMALL["clip_vision"], "patch": 14}


def test_files_written_since_are_noticed(folder):
    models = Models.in_folder(folder)
    assert models.refresh() == []
    before, kept = models.stamp("rife"), models.tensors("whisper", torch.float32)
    rife = network("rife", c=24)
    torch.save(rife, folder / "sonic/RIFE/flownet.pkl")
    assert models.refresh() == ["rife"] and models.sizes("rife") == {"c": 24} and models.stamp("rife") != before
    assert models.tensors("whisper", torch.float32) is kept
