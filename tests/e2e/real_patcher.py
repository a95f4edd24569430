"""Runs our networks on a device while a real ComfyUI's ModelPatcher loads and unloads their weights; prints JSON.
test_real_patcher.py starts it:

    COMFYUI_PYTHON -m tests.e2e.real_patcher COMFYUI_DIR MODELS cpu|simulated:1

MODELS is a folder of tests/tools/make_models.py. The simulated GPU is that of tests/gpu; ComfyUI is told its name and
free memory, because it asks CUDA only.
"""

import gc
import json
import sys

from tests.e2e.dynamic_vram import import_comfyui


class Run:
    """An engine whose weights ComfyUI holds, and one clip."""

    def __init__(self, models: str, device: str, management):
        import torch

        from sonic_nodes.engines.sonic import SonicEngine
        from sonic_nodes.nodes import model_patcher
        from sonic_nodes.weights.models import Models
        from tests.oracles.engine_runs import clip_data

        self.device, self.management = torch.device(device), management
        self.data, paths = clip_data(0.2), Models.in_folder(models).paths
        self.models = model_patcher.PatcherBackedModels(paths)
        self.engine = SonicEngine(
            self.models,
            device=self.device,
            precision="fp32",
            budget=lambda: model_patcher.budget(self.device, self.models.held_bytes(self.device)),
        )
        self.alone = self.samples(SonicEngine(Models.in_folder(models), device=self.device, precision="fp32"))
        gc.collect()

    def samples(self, engine):
        from tests.oracles.engine_runs import FAST

        return engine.infer(self.data, 1, FAST)["samples"]

    def same_bits(self) -> bool:
        import torch

        return torch.equal(self.samples(self.engine), self.alone)

    def patcher(self, key: str = "unet"):
        return self.models._patchers[key][1]

    def state(self) -> dict:
        """Of the UNet's weights, as ComfyUI and we see them."""
        patcher, held = self.patcher(), self.models.held_bytes(self.device)
        tensors = patcher.model.tensors()
        listed = [loaded for loaded in self.management.current_loaded_models if loaded.model is patcher]
        return {
            "tensors": len(tensors),
            "bytes": sum(tensor.nbytes for tensor in tensors.values()),
            "devices": sorted({str(tensor.device) for tensor in tensors.values()}),
            "held": held,
            "listed": len(listed),
            "comfyui_counts": listed[0].model_loaded_memory() if listed else 0,
            "size": patcher.size,
        }


def use_simulated_gpu(management, device: str) -> None:
    import torch

    from sonic_nodes.memory.device import memory_bytes
    from tests.gpu import simulated_gpu

    simulated_gpu.start()
    real = management.get_free_memory

    def free(dev=None, torch_free_too=False):
        if dev is None or dev.type == "cpu":
            return real(dev, torch_free_too)
        return (memory_bytes(dev)[0], 0) if torch_free_too else memory_bytes(dev)[0]

    management.get_free_memory = free
    management.get_torch_device = lambda: torch.device(device)


def examine(run: Run) -> dict:
    """What happens to the UNet when ComfyUI loads it, wants a part of its room, gives it a part, and unloads it."""
    management, found = run.management, {"first_run": run.same_bits()}
    found["loaded"] = run.state()
    # A part of its room is wanted, as when another model is loaded: LoadedModel.model_unload, of free_memory
    loaded = next(m for m in management.current_loaded_models if m.model is run.patcher())
    left = loaded.model_unload(memory_to_free=1024)
    if left:
        management.current_loaded_models.remove(loaded)
    del loaded
    found["part_unloaded"] = run.state() | {"left": left}
    found["after_part_unloaded"] = run.same_bits()
    # It is given a part of its room, as with a model that does not fit: load_models_gpu without force_full_load
    run.patcher().partially_load(run.device, extra_memory=1024)
    found["part_loaded"] = run.state()
    found["after_part_loaded"] = run.same_bits()
    management.unload_all_models()
    gc.collect()
    found["unloaded"] = run.state()
    found["after_unloaded"] = run.same_bits()
    run.models.release()
    management.cleanup_models_gc()
    gc.collect()
    found["held_when_released"] = run.models.held_bytes(run.device)
    return found


def main(comfyui: str, models: str, device: str) -> None:
    management, *_ = import_comfyui(comfyui)
    import comfyui_version

    if device.startswith("simulated"):
        use_simulated_gpu(management, device)
    found = examine(Run(models, device, management)) | {"version": comfyui_version.__version__}
    if device.startswith("simulated"):
        from tests.gpu import simulated_gpu

        found |= {"other_device": simulated_gpu.start().peak(0)}
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
