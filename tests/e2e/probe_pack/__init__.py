"""Nodes for the end-to-end tests, linked into custom_nodes beside the pack: they unload weights as ComfyUI does, and
compare results."""

import gc
import hashlib
import os
import shutil

import comfy.model_management
import folder_paths
import torch

PRINTED = {}


class ProbeEvict:
    """Unloads all models after the first run, and passes the data to the second."""

    RETURN_TYPES, FUNCTION, CATEGORY, OUTPUT_NODE = ("SONIC_PREDATA",), "run", "probe", True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"after": ("LATENT",), "data": ("SONIC_PREDATA",)}}

    def run(self, after, data):
        loaded = comfy.model_management.loaded_models()
        weights, before = sum(model.loaded_size() for model in loaded), live_bytes()
        del loaded
        comfy.model_management.unload_all_models()
        freed = before - live_bytes()
        if not 0 < weights <= freed * 1.001:
            raise AssertionError(f"unloading {weights} bytes of weights freed {freed}")
        return {"ui": {"text": (f"weights {weights} freed {freed}",)}, "result": (data,)}


class ProbeEqual:
    """Fails the run unless both latents are equal bit for bit."""

    RETURN_TYPES, FUNCTION, CATEGORY, OUTPUT_NODE = (), "run", "probe", True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"one": ("LATENT",), "other": ("LATENT",)}}

    def run(self, one, other):
        one, other = one["samples"], other["samples"]
        if one is other or not torch.equal(one, other):
            raise AssertionError("the second run returned a different latent")
        return {"ui": {"text": (f"equal, {one.numel()} numbers",)}}


class ProbeModel:
    """Replaces SVD's MODEL in workflows of ComfyUI_Sonic, which SONICTLoader does not use."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("MODEL",), "run", "probe"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    def run(self):
        return (None,)


class ProbePrint:
    """Logs the digest of a latent, and its relative distance from the latent with the label `like`."""

    RETURN_TYPES, FUNCTION, CATEGORY, OUTPUT_NODE = (), "run", "probe", True

    @classmethod
    def INPUT_TYPES(cls):
        label = ("STRING", {"default": ""})
        return {"required": {"latent": ("LATENT",), "label": label}, "optional": {"like": label}}

    def run(self, latent, label, like=""):
        PRINTED[label] = latent["samples"].clone()
        if like:
            print(
                f"probe {label} off: {float((PRINTED[label] - PRINTED[like]).norm() / PRINTED[like].norm()):.3e}",
                flush=True,
            )
        digest = hashlib.sha256(latent["samples"].contiguous().numpy().tobytes()).hexdigest()[:16]
        print(f"probe {label}: {digest}", flush=True)
        return {"ui": {"text": (digest,)}}


class ProbeReplace:
    """Replaces a weight file after the run, as when a user downloads it again."""

    RETURN_TYPES, FUNCTION, CATEGORY, OUTPUT_NODE = (), "run", "probe", True

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "after": ("LATENT",),
                "name": ("STRING", {"default": ""}),
                "source": ("STRING", {"default": ""}),
            }
        }

    def run(self, after, name, source):
        target = folder_paths.get_full_path_or_raise("sonic", name)
        shutil.copyfile(folder_paths.get_full_path_or_raise("sonic", source), target + ".part")
        os.replace(target + ".part", target)
        return {"ui": {"text": (name,)}}


def live_bytes() -> int:
    """The bytes of all tensors in this process, each storage counted once."""
    gc.collect()
    storages = {}
    for thing in gc.get_objects():
        if issubclass(type(thing), torch.Tensor) and thing.device.type != "meta":
            storage = thing.untyped_storage()
            storages[storage.data_ptr()] = max(storages.get(storage.data_ptr(), 0), storage.nbytes())
    return sum(storages.values())


NODE_CLASS_MAPPINGS = {node.__name__: node for node in (ProbeEvict, ProbeEqual, ProbeModel, ProbePrint, ProbeReplace)}
