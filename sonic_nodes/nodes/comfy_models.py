"""ComfyUI's CLIP_VISION and VAE objects, read as if they were weight files: a workflow that loads Stable Video
Diffusion with ComfyUI's loader needs no second copy of it."""

import copy
import functools
import itertools

import torch

from ..errors import InputError
from .common import lazy_import

# Prefix of the names in csrc/models, which ComfyUI's modules do not have.
PREFIXES = {"vae": "first_stage_model.", "clip_vision": ""}
LOADER = "Image Only Checkpoint Loader (svd_xt.safetensors)"

_identities = itertools.count(1)


def weights_of_object(network: str, comfy_object):
    """The weights of a CLIP_VISION or VAE as a WeightFile; tensors in system memory are shared with ComfyUI. InputError
    when they are not those of Stable Video Diffusion."""
    reader, entry = lazy_import("weights.reader"), lazy_import("weights.entries").Entry
    module, prefix = module_of(comfy_object), PREFIXES[network]
    if module is None:
        raise foreign_object(network, {})

    class ComfyObjectWeights(reader.WeightFile):
        identity = identity_of(network, comfy_object)

        def tensor(self, name: str) -> torch.Tensor:
            return functools.reduce(getattr, name.removeprefix(prefix).split("."), module).detach().to("cpu")

    try:
        entries = {
            prefix + name: entry(tensor.dtype, tuple(tensor.shape), 0) for name, tensor in module.state_dict().items()
        }
    except Exception:  # a module without shapes yet, or an object of another pack
        raise foreign_object(network, {}) from None
    size = sum(tensor_entry.bytes for tensor_entry in entries.values())
    weights = ComfyObjectWeights(f"{network} connected to SONIC_PreData", entries, size)
    try:
        lazy_import("weights.check").match_names(network, weights)
    except InputError:
        raise foreign_object(network, entries) from None
    return weights


def module_of(comfy_object) -> torch.nn.Module | None:
    """The network behind a CLIP_VISION or VAE of ComfyUI; None for any other object."""
    try:
        module = comfy_object.patcher.model
    except Exception:  # no such attribute, or one that raises
        return None
    return module if isinstance(module, torch.nn.Module) else None


def foreign_object(network: str, entries: dict) -> InputError:
    return InputError(
        f"Connect the {network} output of {LOADER}, or nothing: "
        f"the {network} connected to SONIC_PreData is {description_of(network, entries)}."
    )


def identity_of(network: str, comfy_object) -> int:
    """A number that stays with the object. id() does not serve: another object may get the address later."""
    try:
        if not hasattr(comfy_object, "sonic_identity"):
            comfy_object.sonic_identity = next(_identities)
        return comfy_object.sonic_identity
    except Exception:  # a text or a number takes no attribute
        raise foreign_object(network, {}) from None


def with_comfy_models(model, data: dict):
    """(engine, SONIC_PREDATA) where the objects in `data` replace the engine's own networks. The modified copy stays
    cached on the engine, with its loaded weights and results, until other objects or none are connected."""
    if not hasattr(model, "models"):
        return model, data
    objects = {key: data[key] for key in PREFIXES if data.get(key) is not None}
    identities = {key: identity_of(key, comfy_object) for key, comfy_object in objects.items()}
    cached = vars(model).get("comfy_variant")
    if not objects:
        model.comfy_variant = None
        return model, data
    if not cached or cached[0] != identities:
        variant = copy.copy(model)
        variant.comfy_variant = None
        weights = {key: weights_of_object(key, comfy_object) for key, comfy_object in objects.items()}
        variant.models = model.models.with_replacements(weights)
        model.comfy_variant = identities, variant
    return model.comfy_variant[1], {key: value for key, value in data.items() if key not in objects}


def description_of(network: str, entries: dict) -> str:
    """What was connected instead, as a noun phrase."""
    if not entries:
        return "an object of another pack"
    if network == "vae":
        is_image_vae = "first_stage_model.decoder.conv_in.weight" in entries
        return "a VAE for single images" if is_image_vae else "the VAE of another model"
    projection = entries.get("visual_projection.weight")
    if not projection:
        return "no CLIP ViT-H"
    return f"another CLIP (its embedding size is {projection.shape[0]}, Sonic needs 1024)"
