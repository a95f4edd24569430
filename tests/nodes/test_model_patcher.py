"""Weights that ComfyUI may take away. The real ModelPatcher and server are in tests/e2e."""

import gc
import shutil
import sys
import weakref
from types import SimpleNamespace

import pytest
import torch


@pytest.fixture
def managed(extension, comfy, small_models):
    shutil.copytree(small_models, comfy.models)
    paths = sys.modules["sonic_nodes.nodes.model_files"].paths_for("unet.pth", "automatic")
    return sys.modules["sonic_nodes.nodes.common"].part("nodes.model_patcher").ManagedModels(paths)


def evict(comfy):
    for patchers, _ in comfy.loaded:
        for patcher in patchers:
            patcher.detach()


def test_tensors_go_when_evicted_and_come_back_equal(managed, comfy):
    first = managed.tensors("vae", torch.float32)
    kept = {name: tensor.clone() for name, tensor in first.items()}
    name, alive = next((name, weakref.ref(tensor)) for name, tensor in first.items())
    assert managed.tensors("vae", torch.float32)[name] is alive(), "what is there is not read again"
    del first
    evict(comfy)
    gc.collect()
    assert alive() is None and managed.held_bytes("cpu") == 0
    again = managed.tensors("vae", torch.float32)
    assert again.keys() == kept.keys() and all(torch.equal(again[n], kept[n]) for n in kept)


def test_cancel_ends_the_reading_and_leaves_nothing(managed, comfy):
    comfy.cancelled = True
    with pytest.raises(Exception) as raised:
        managed.tensors("vae", torch.float32)
    assert type(raised.value).__name__ == "Cancelled" and managed.held_bytes("cpu") == 0
    comfy.cancelled = False
    assert len(managed.tensors("vae", torch.float32)) > 300


def test_comfyui_is_told_sizes_and_the_room_for_the_work(managed, comfy):
    managed.work_bytes = 12345
    tensors = managed.tensors("unet", torch.float16)
    (patcher,), options = comfy.loaded[-1]
    assert options == {"memory_required": 12345, "force_full_load": True}
    assert patcher.size == sum(tensor.nbytes for tensor in tensors.values())
    assert type(patcher.model).__name__ == "Sonic_unet" and len(patcher.model.state_dict()) == len(tensors)


def test_another_precision_replaces_the_first(managed, comfy):
    full = managed.tensors("vae", torch.float32)
    half = managed.tensors("vae", torch.float16)
    assert {t.dtype for t in half.values()} == {torch.float16} and {t.dtype for t in full.values()} == {torch.float32}
    gone = weakref.ref(comfy.loaded[0][0][0])
    comfy.loaded.clear()
    gc.collect()
    assert gone() is None


def test_release_drops_and_leaves_no_cycle(managed, comfy):
    managed.tensors("vae", torch.float32)
    managed.tensors("rife", torch.float32)
    patchers = [weakref.ref(patchers[0]) for patchers, _ in comfy.loaded]
    comfy.loaded.clear()
    gc.disable()
    try:
        managed.release("vae")
        assert patchers[0]() is None and patchers[1]() is not None
        managed.release()
        assert patchers[1]() is None
    finally:
        gc.enable()


def test_connected_weights_stand_in_and_the_rest_is_shared(managed, comfy):
    from sonic_nodes.weights.reader import open_weights

    unet = managed.tensors("unet", torch.float32)
    file = open_weights(managed.paths["vae"])
    file.identity = 77
    other = managed.with_connected({"vae": file})
    assert other.stamp("vae")[0].mtime_ns == 77 != managed.stamp("vae")[0].mtime_ns
    assert other.stamp("clip_vision") == managed.stamp("clip_vision")
    again = other.tensors("unet", torch.float32)
    assert all(again[name] is unet[name] for name in unet)
    assert other.refresh() == [] and managed.refresh() == []


def test_the_stand_in_is_kept_until_something_else_is_connected(managed, extension, monkeypatch):
    module = sys.modules["sonic_nodes.nodes.comfy_models"]
    monkeypatch.setattr(module, "connected", lambda network, owner: owner.file)
    from sonic_nodes.weights.reader import open_weights

    def vae(number):
        file = open_weights(managed.paths["vae"])
        file.identity = number
        return SimpleNamespace(file=file)

    class Engine:
        models = managed

    engine, one, two = Engine(), vae(1), vae(2)
    first, data = module.with_connected(engine, {"vae": one, "image": 0})
    assert first is not engine and data == {"image": 0} and first.models.paths["vae"] is one.file
    assert module.with_connected(engine, {"vae": one, "clip_vision": None})[0] is first
    assert module.with_connected(engine, {"vae": two})[0] is not first
    assert module.with_connected(engine, {"image": 0}) == (engine, {"image": 0}) and engine.stand_in is None


def test_what_comfyui_can_evict_counts_as_free(managed, comfy, monkeypatch):
    module = sys.modules["sonic_nodes.nodes.model_patcher"]
    cuda = torch.device("cuda", 0)
    monkeypatch.setattr(
        module.Budget, "of", classmethod(lambda cls, device: cls(5, 100) if device.type == "cuda" else cls(None, 100))
    )
    devices = {30: cuda, 9: torch.device("cpu")}
    others = [
        SimpleNamespace(loaded_size=lambda size=size: size, load_device=device) for size, device in devices.items()
    ]
    comfy.free_bytes = 1000
    monkeypatch.setattr("comfy.model_management.loaded_models", lambda: others, raising=False)
    assert module.budget(cuda, 7) == module.Budget(1030, 100)
    assert module.budget(torch.device("cpu"), 7) == module.Budget(None, 107)
