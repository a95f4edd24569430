"""Weights that ComfyUI may unload. tests/e2e uses the real ModelPatcher and server."""

import gc
import shutil
import sys
import weakref
from types import SimpleNamespace

import pytest
import torch


@pytest.fixture
def models(extension, comfy, small_models):
    shutil.copytree(small_models, comfy.models)
    paths = sys.modules["sonic_nodes.nodes.model_files"].paths_for("unet.pth", "automatic")
    return sys.modules["sonic_nodes.nodes.common"].lazy_import("nodes.model_patcher").PatcherBackedModels(paths)


def unload(comfy):
    for patchers, _ in comfy.loaded:
        for patcher in patchers:
            patcher.detach()


def test_unloaded_tensors_are_freed_and_read_again_bit_for_bit(models, comfy):
    first = models.tensors("vae", torch.float32)
    kept = {name: tensor.clone() for name, tensor in first.items()}
    name, alive = next((name, weakref.ref(tensor)) for name, tensor in first.items())
    assert models.tensors("vae", torch.float32)[name] is alive(), "loaded tensors are not read again"
    del first
    unload(comfy)
    gc.collect()
    assert alive() is None and models.held_bytes("cpu") == 0
    again = models.tensors("vae", torch.float32)
    assert again.keys() == kept.keys() and all(torch.equal(again[n], kept[n]) for n in kept)


def test_cancel_while_reading_frees_everything(models, comfy):
    comfy.cancelled = True
    with pytest.raises(Exception) as raised:
        models.tensors("vae", torch.float32)
    assert type(raised.value).__name__ == "Cancelled" and models.held_bytes("cpu") == 0
    comfy.cancelled = False
    assert len(models.tensors("vae", torch.float32)) > 300


def test_comfyui_gets_the_size_of_the_weights_and_of_the_work_memory(models, comfy):
    models.work_bytes = 12345
    tensors = models.tensors("unet", torch.float16)
    (patcher,), options = comfy.loaded[-1]
    assert options == {"memory_required": 12345, "force_full_load": True}
    assert patcher.size == sum(tensor.nbytes for tensor in tensors.values())
    assert type(patcher.model).__name__ == "Sonic_unet" and len(patcher.model.state_dict()) == len(tensors)


def test_another_precision_replaces_the_loaded_weights(models, comfy):
    full = models.tensors("vae", torch.float32)
    half = models.tensors("vae", torch.float16)
    assert {t.dtype for t in half.values()} == {torch.float16} and {t.dtype for t in full.values()} == {torch.float32}
    gone = weakref.ref(comfy.loaded[0][0][0])
    comfy.loaded.clear()
    gc.collect()
    assert gone() is None


def test_release_frees_without_reference_cycles(models, comfy):
    models.tensors("vae", torch.float32)
    models.tensors("rife", torch.float32)
    patchers = [weakref.ref(patchers[0]) for patchers, _ in comfy.loaded]
    comfy.loaded.clear()
    gc.disable()
    try:
        models.release("vae")
        assert patchers[0]() is None and patchers[1]() is not None
        models.release()
        assert patchers[1]() is None
    finally:
        gc.enable()


def test_replaced_weights_share_the_other_networks(models, comfy):
    from sonic_nodes.weights.reader import open_weights

    unet = models.tensors("unet", torch.float32)
    file = open_weights(models.paths["vae"])
    file.identity = 77
    other = models.with_replacements({"vae": file})
    assert other.stamp("vae")[0].mtime_ns == 77 != models.stamp("vae")[0].mtime_ns
    assert other.stamp("clip_vision") == models.stamp("clip_vision")
    again = other.tensors("unet", torch.float32)
    assert all(again[name] is unet[name] for name in unet)
    assert other.refresh() == [] and models.refresh() == []


def test_the_engine_variant_is_cached_until_other_objects_are_connected(models, extension, monkeypatch):
    module = sys.modules["sonic_nodes.nodes.comfy_models"]
    monkeypatch.setattr(module, "weights_of_object", lambda network, owner: owner.file)
    from sonic_nodes.weights.reader import open_weights

    def vae(number):
        file = open_weights(models.paths["vae"])
        file.identity = number
        return SimpleNamespace(file=file)

    engine, one, two = SimpleNamespace(models=models), vae(1), vae(2)
    first, data = module.with_comfy_models(engine, {"vae": one, "image": 0})
    assert first is not engine and data == {"image": 0} and first.models.paths["vae"] is one.file
    assert module.with_comfy_models(engine, {"vae": one, "clip_vision": None})[0] is first
    assert module.with_comfy_models(engine, {"vae": two})[0] is not first
    assert module.with_comfy_models(engine, {"image": 0}) == (engine, {"image": 0}) and engine.comfy_variant is None


def test_memory_that_comfyui_can_unload_counts_as_free(models, comfy, monkeypatch):
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
    both = module.Budget(1030, 100, (module.Card("cuda:1", 1000),), "cuda:0")
    assert module.budget(cuda, 7, [torch.device("cuda", 1)]) == both


def test_a_copy_on_a_further_card_is_comfyuis_to_unload(models, comfy):
    """The meta device stands for the card."""
    models.work_bytes, models.other_work_bytes = 12345, 678
    first = models.tensors("unet", torch.float32)
    copy = models.copy("unet", "meta")
    (patcher,), options = comfy.loaded[-1]
    assert options == {"memory_required": 678, "force_full_load": True}
    assert patcher.load_device == torch.device("meta") and patcher.size == sum(t.nbytes for t in first.values())
    assert copy.keys() == first.keys() and models.copy("unet", "meta").keys() == first.keys()
    assert len({id(patchers[0]) for patchers, _ in comfy.loaded}) == 2, "there is one copy"
    models.release("unet")
    assert models._copies == {}


@pytest.mark.parametrize(
    ("devices", "main", "expected"),
    [
        ("automatic", "cuda:1", ["cuda:1"]),
        ("all", "cuda:1", ["cuda:1", "cuda:0", "cuda:2"]),
        ("all", "cuda", ["cuda:2", "cuda:0", "cuda:1"]),
        ("all", "cpu", ["cpu"]),
        ("all", "xpu:0", ["xpu:0"]),
    ],
)
def test_the_loader_takes_all_cards_when_asked(models, nodes, comfy, monkeypatch, devices, main, expected):
    from sonic_nodes.engines import devices as listing
    from sonic_nodes.engines import sonic

    monkeypatch.setattr(listing, "accelerators", lambda: ("cuda", 3))
    monkeypatch.setattr(torch.accelerator, "current_device_index", lambda: 2)
    monkeypatch.setattr("comfy.model_management.get_torch_device", lambda: torch.device(main))
    monkeypatch.setattr(sonic, "SonicEngine", lambda _, **options: SimpleNamespace(**options))
    engine = nodes["SonicLoader"].execute("unet.pth", devices=devices).args[0]
    assert [str(d) for d in (engine.device, *engine.others)] == expected
