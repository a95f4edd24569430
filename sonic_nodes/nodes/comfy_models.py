"""ComfyUI's own CLIP_VISION and VAE objects, read as if they were weight files, so that a workflow which loads Stable
Video Diffusion with ComfyUI's loader needs no second copy of it."""

import copy
import functools
import itertools

import torch

from ..errors import InputError
from .common import part

# what csrc/models has before the names that ComfyUI's modules use
PREFIXES = {"vae": "first_stage_model.", "clip_vision": ""}
LOADER = "Image Only Checkpoint Loader (svd_xt.safetensors)"


_identities = itertools.count(1)


def connected(network: str, owner):
    """The weights of a connected object as a WeightFile, shared with ComfyUI where they are in system memory;
    InputError in one sentence when it is of another kind than Sonic's."""
    reader, entry = part("weights.reader"), part("weights.entries").Entry
    module, prefix = getattr(getattr(owner, "patcher", None), "model", None), PREFIXES[network]

    class ConnectedWeights(reader.WeightFile):
        identity = identity_of(owner)

        def tensor(self, name: str) -> torch.Tensor:
            return functools.reduce(getattr, name.removeprefix(prefix).split("."), module).detach().to("cpu")

    tensors = module.state_dict() if module is not None else {}
    entries = {prefix + name: entry(tensor.dtype, tuple(tensor.shape), 0) for name, tensor in tensors.items()}
    weights = ConnectedWeights(
        f"{network} connected to SONIC_PreData", entries, sum(entry.bytes for entry in entries.values())
    )
    try:
        part("weights.check").matched(network, weights)
    except InputError:
        raise InputError(
            f"Connect the {network} output of {LOADER}, or nothing: the {network} connected to SONIC_PreData is {kind(network, entries)}."
        ) from None
    return weights


def identity_of(owner) -> int:
    """The same number as long as it is the same object: an address may be given to another one later."""
    if not hasattr(owner, "sonic_identity"):
        owner.sonic_identity = next(_identities)
    return owner.sonic_identity


def with_connected(model, data: dict):
    """(the engine, SONIC_PREDATA), the objects connected to SONIC_PreData in place of the engine's own networks. The
    stand-in is kept, with what it has loaded and computed, until other objects or none are connected."""
    if not hasattr(model, "models"):
        return model, data
    objects = {key: data[key] for key in PREFIXES if data.get(key) is not None}
    mark = {key: identity_of(owner) for key, owner in objects.items()}
    kept = vars(model).get("stand_in")
    if not objects:
        model.stand_in = None
        return model, data
    if not kept or kept[0] != mark:
        replaced = copy.copy(model)
        replaced.stand_in = None
        replaced.models = model.models.with_connected({key: connected(key, owner) for key, owner in objects.items()})
        model.stand_in = mark, replaced
    return model.stand_in[1], {key: value for key, value in data.items() if key not in objects}


def kind(network: str, names: dict) -> str:
    """What was connected instead, as a noun phrase."""
    if not names:
        return "an object of another pack"
    if network == "vae":
        return (
            "a VAE for single pictures"
            if "first_stage_model.decoder.conv_in.weight" in names
            else "the VAE of another model"
        )
    width = names.get("visual_projection.weight")
    return f"another CLIP (its embeddings have {width.shape[0]} numbers, Sonic's 1024)" if width else "no CLIP ViT-H"
