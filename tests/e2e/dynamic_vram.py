"""Asks a real ComfyUI's memory manager what it unloads for our weights; prints JSON. test_dynamic_vram.py starts it:

    COMFYUI_PYTHON tests/e2e/dynamic_vram.py COMFYUI_DIR

There is no card: the manager is told of one with 10 GB, of which two models of another pack take 4 GB each, and loads 6
GB of ours. What happens inside comfy-aimdo when an allocation needs room is not part of this.
"""

import importlib
import json
import os
import sys
import types
import weakref
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GB = 1 << 30
CARD_BYTES, OTHER_BYTES, OUR_BYTES = 10 * GB, 4 * GB, 6 * GB


def import_comfyui(folder):
    """comfy's modules of the checkout `folder`, on the CPU."""
    os.chdir(folder)
    sys.path.insert(0, folder)
    sys.argv = ["main.py", "--cpu"]
    importlib.import_module("comfy.options").enable_args_parsing()
    importlib.import_module("utils.extra_config")
    return [importlib.import_module(f"comfy.{name}") for name in ("model_management", "model_patcher", "sd")]


def import_pack(name):
    """sonic_nodes.nodes.NAME as ComfyUI would import it."""
    sys.path.insert(0, str(ROOT))
    return importlib.import_module(f"sonic_nodes.nodes.{name}")


def another_model(patcher_class, device, dynamic):
    """A loaded model of another pack, and what was asked of it."""
    import torch

    class Other(patcher_class):
        unloaded = 0

        def is_dynamic(self):
            return dynamic

        def loaded_size(self):
            return OTHER_BYTES - self.unloaded

        def loaded_ram_size(self):
            return 0

        def partially_unload(self, device_to, memory_to_free=0, **options):
            self.unloaded += min(memory_to_free, OTHER_BYTES)
            return memory_to_free

        def detach(self, unpatch_all=True):
            if unpatch_all:
                self.unloaded = OTHER_BYTES
            return self.model

    model = torch.nn.Linear(1, 1)
    model.dynamic_pins = {device: {"active": False, "current_prompt": False}}
    return Other(model, device, torch.device("cpu"), size=OTHER_BYTES)


def register(management, patcher):
    """As if the manager had loaded it."""
    loaded = management.LoadedModel(patcher)
    loaded.real_model = weakref.ref(patcher.model)
    loaded.model_finalizer = weakref.finalize(patcher.model, management.cleanup_models)
    management.current_loaded_models.insert(0, loaded)
    return loaded


def unloaded_by_ours(management, patchers, dynamic):
    """Gigabytes that two models of another pack lose when ours are loaded, and whether ours leave for a later model."""
    import torch

    management.current_loaded_models.clear()
    card = torch.device("cuda", 0)
    others = [another_model(patchers.ModelPatcher, card, dynamic) for _ in range(2)]
    kept = [register(management, other) for other in others]
    ours = import_pack("model_patcher")
    sys.modules.setdefault("comfy.memory_management", types.ModuleType("absent")).aimdo_enabled = dynamic
    patcher = ours.patcher_of("unet", lambda: ({"a.weight": torch.ones(4)}, 16), OUR_BYTES, card)

    def free(device=None, torch_free_too=False):
        used = sum(other.loaded_size() for other in others) + (OUR_BYTES if patcher.model.held_bytes else 0)
        return (CARD_BYTES - used, 0) if torch_free_too else CARD_BYTES - used

    management.get_free_memory = free
    tensors = ours.load_tensors(patcher, work_bytes=GB)
    answer = {"lost_gb": sum(other.unloaded for other in others) / GB, "tensors": list(tensors)}
    answer["still_listed"] = sum(loaded in management.current_loaded_models for loaded in kept)
    answer["dynamic_afterwards"] = patcher.is_dynamic()
    for other in others:  # what comfy-aimdo has taken from them meanwhile
        other.unloaded = max(other.unloaded, (2 * OTHER_BYTES + OUR_BYTES - CARD_BYTES) // 2)
    management.free_memory(5 * GB, card, **({"for_dynamic": True} if dynamic else {}))
    answer["ours_left_for_a_later_model"] = not patcher.model.held_bytes
    return answer


def without_room(shape):
    """Weights of any size that share one number, as parameters that a loader assigns instead of copying."""
    import torch

    return torch.nn.Parameter(torch.zeros(()).expand(shape), requires_grad=False)


def assign(module, names):
    """Loads weights as dynamic VRAM does, where layers have none before."""
    module.load_state_dict({name: without_room(shape) for name, shape in names.items()}, assign=True)


def connected_clip(shapes):
    """What the checkpoint loader's CLIP_VISION is: ViT-H, with weights that take no room."""
    from comfy import clip_vision

    made = clip_vision.ClipVisionModel(str(Path(clip_vision.__file__).with_name("clip_vision_config_h.json")))
    assign(made.model, shapes.clip_transformers())
    return made


def connected_vae(sd, shapes):
    """What its VAE is: SVD's with the temporal decoder."""
    names = shapes.vae_encoder() | shapes.vae_decoder()
    vae = sd.VAE(sd={name: without_room(shape) for name, shape in names.items()})
    assign(vae.first_stage_model, names)
    return vae


def read_by_ours(network, connected, name):
    """(tensors, shape of one of them) of what is connected to SONIC_PreData."""
    weights = import_pack("comfy_models").weights_of_object(network, connected)
    return [len(weights.entries), list(weights.tensor(name).shape)]


def main(folder):
    management, patchers, sd = import_comfyui(folder)
    import comfyui_version

    has_dynamic = hasattr(patchers.ModelPatcher, "is_dynamic")
    found = {"version": comfyui_version.__version__, "has_dynamic_vram": has_dynamic}
    found["static"] = unloaded_by_ours(management, patchers, dynamic=False)
    if has_dynamic:
        found["dynamic"] = unloaded_by_ours(management, patchers, dynamic=True)
    management.current_loaded_models.clear()
    shapes = importlib.import_module("sonic_nodes.weights.shapes")
    found["clip_vision"] = read_by_ours("clip_vision", connected_clip(shapes), "visual_projection.weight")
    found["vae"] = read_by_ours("vae", connected_vae(sd, shapes), "first_stage_model.decoder.conv_in.weight")
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
