"""Files recognised by content, whatever their names and neighbours."""

import logging
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from sonic_nodes.weights.catalogue import Catalogue, file_state
from tests.oracles.system import make_link, make_pipe


@pytest.fixture
def folder(small_models, tmp_path):
    shutil.copytree(small_models, tmp_path / "models")
    return tmp_path / "models"


EXPECTED = {
    "sonic/unet.pth": {"unet"},
    "sonic/audio2token.pth": {"audio2token"},
    "sonic/audio2bucket.pth": {"audio2bucket"},
    "sonic/whisper-tiny/model.safetensors": {"whisper"},
    "sonic/RIFE/flownet.pkl": {"rife"},
    "checkpoints/svd_xt.safetensors": {"vae", "clip_vision"},
}


@pytest.mark.parametrize(("place", "networks"), EXPECTED.items())
def test_each_file_is_recognised_by_content(folder, place, networks):
    renamed = folder / ("anything" + (folder / place).suffix)
    shutil.move(folder / place, renamed)
    assert Catalogue().networks(renamed) == networks


def test_other_files_hold_no_network(folder):
    others = folder / "others"
    others.mkdir()
    (others / "empty.safetensors").write_bytes(b"")
    (others / "page.pth").write_text("<!DOCTYPE html><html>")
    (others / "cut.pth").write_bytes((folder / "sonic/unet.pth").read_bytes()[:5000])
    save_file({"lora_unet.weight": torch.zeros(2, 2)}, others / "lora.safetensors")
    make_pipe(others / "pipe.pth")
    make_link(others / "link.pth", others / "nowhere")
    tensors = load_file(folder / "checkpoints/svd_xt.safetensors")
    save_file(
        {name: value for name, value in tensors.items() if "decoder.up.0" not in name},
        others / "incomplete.safetensors",
    )
    found = {path.name: set(Catalogue().networks(path)) for path in others.iterdir()}
    assert found.pop("incomplete.safetensors") == {"clip_vision"}
    files = {"empty.safetensors", "page.pth", "cut.pth", "lora.safetensors"}
    assert files <= set(found) <= files | {"pipe.pth", "link.pth"} and not any(found.values()), found


def test_a_file_is_read_once_until_it_changes(folder, monkeypatch):
    from sonic_nodes.weights import catalogue

    opened, real = [], catalogue.open_weights
    monkeypatch.setattr(catalogue, "open_weights", lambda path, limit: opened.append(path) or real(path, limit))
    known, path = Catalogue(), folder / "sonic/unet.pth"
    assert known.networks(path) == known.networks(path) == {"unet"} and len(opened) == 1
    before = file_state(path)
    shutil.copy(folder / "sonic/audio2token.pth", path)
    assert file_state(path) != before and known.networks(path) == {"audio2token"} and len(opened) == 2


def test_many_files_on_a_slow_disk_do_not_hold_up_the_page(folder, caplog):
    known, paths = Catalogue(), [folder / place for place in EXPECTED]
    with caplog.at_level(logging.WARNING):
        assert known.files_with(["unet"], paths, budget_s=-1) == []
    assert "Refresh the page's lists (key R) to see more models" in caplog.text and "6 are left" in caplog.text
    assert known.files_with(["unet"], paths) == [folder / "sonic/unet.pth"]
    assert known.files_with(["unet"], paths, budget_s=-1) == [folder / "sonic/unet.pth"], "known files take no time"


def test_a_checkpoint_needs_both_networks(folder):
    paths = [folder / place for place in EXPECTED]
    assert Catalogue().files_with(["vae", "clip_vision"], paths) == [folder / "checkpoints/svd_xt.safetensors"]
