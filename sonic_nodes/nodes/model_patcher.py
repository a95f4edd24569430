"""The model's weights under ComfyUI's memory management: it may take them away whenever another model needs the room,
and they are read again from their files (memory-mapped, so mostly from memory) when they are used next."""

import copy
from functools import partial

import comfy.model_management
import comfy.model_patcher
import torch

from ..memory.plan import Budget
from ..weights.models import Models, read
from .common import Progress

DOT = "|"  # in place of the dot, which no name of a buffer may have


class SonicWeights(torch.nn.Module):
    """One network's tensors as buffers. They are there while the module is on `load_device`, and nowhere otherwise."""

    def __init__(self, load_device: torch.device, read) -> None:
        super().__init__()
        self.load_device, self._read = load_device, read
        self.held_bytes = 0  # without views of a mapped file
        self.device = None  # ComfyUI writes here where it believes the module to be

    def to(self, device):
        if torch.device(device) != self.load_device:
            self.drop()
        elif not self._buffers:
            tensors, self.held_bytes = self._read()
            for name, tensor in tensors.items():
                self.register_buffer(name.replace(".", DOT), tensor)
        return self

    def drop(self) -> None:
        self._buffers.clear()
        self.held_bytes = 0

    def tensors(self) -> dict[str, torch.Tensor]:
        return {name.replace(DOT, "."): tensor for name, tensor in self.named_buffers(remove_duplicate=False)}


class SonicPatcher(comfy.model_patcher.ModelPatcher):
    """Also where ComfyUI computes on the CPU, with nowhere to move weights to, taking them away frees their memory."""

    def detach(self, unpatch_all=True):
        model = super().detach(unpatch_all)
        if unpatch_all:
            model.drop()
        return model


class ManagedModels(Models):
    """weights.models.Models, loaded by ComfyUI."""

    work_bytes = 0  # what the networks need beside their weights, by the plan

    def __init__(self, paths):
        self._patchers: dict[str, tuple] = {}
        super().__init__(paths)

    def tensors(self, key: str, dtype: torch.dtype, device="cpu") -> dict[str, torch.Tensor]:
        checked, device = self._of(key), torch.device(device)
        made_of = checked.stamp, dtype, device
        if key not in self._patchers or self._patchers[key][0] != made_of:
            self.release(key)
            self._patchers[key] = made_of, patcher_for(key, checked, dtype, device)
        return loaded(self._patchers[key][1], self.work_bytes)

    def release(self, *keys: str):
        for key in keys or list(self._patchers):
            self._patchers.pop(key, None)

    def held_bytes(self, device) -> int:
        here = (patcher for _, patcher in self._patchers.values() if patcher.load_device == torch.device(device))
        return sum(patcher.model.held_bytes for patcher in here)

    def with_connected(self, weights: dict) -> "ManagedModels":
        """The same with `weights` (connected.ConnectedWeights by network) in place of files. What is loaded of the
        others is shared."""
        other = copy.copy(self)
        other.paths, other._checked = {**self.paths, **weights}, dict(self._checked)
        other.refresh()
        return other


def patcher_for(key: str, checked, dtype: torch.dtype, device: torch.device) -> SonicPatcher:
    size = dtype.itemsize * sum(checked.file.entries[name].count for name in checked.names.values())
    named = type(f"Sonic_{key}", (SonicWeights,), {})  # as ComfyUI's log calls it
    module = named(device, partial(read, checked, dtype, device, Progress.check))
    return SonicPatcher(module, device, comfy.model_management.unet_offload_device(), size=size)


def loaded(patcher: SonicPatcher, work_bytes: int) -> dict[str, torch.Tensor]:
    """Its tensors, after ComfyUI has made room for them and for `work_bytes` beside them."""
    comfy.model_management.load_models_gpu([patcher], memory_required=work_bytes, force_full_load=True)
    return patcher.model.to(patcher.load_device).tensors()  # with --novram ComfyUI leaves modules where they are


def budget(device: torch.device, own_bytes: int) -> Budget:
    """What a run may take: what is free, what ComfyUI can free by evicting models, and what the engine itself holds."""
    free = Budget.of(device)
    if free.gpu is None:
        return Budget(None, free.host + own_bytes)
    others = sum(
        model.loaded_size() for model in comfy.model_management.loaded_models() if model and model.load_device == device
    )
    return Budget(comfy.model_management.get_free_memory(device) + others, free.host)
