"""The model's weights behind ComfyUI's ModelPatcher. ComfyUI may unload them whenever another model needs the room;
the next use reads them again from their memory-mapped files, which are mostly still in the page cache."""

import copy
import sys
from collections.abc import Sequence
from functools import partial

import comfy.model_management
import comfy.model_patcher
import torch

from ..memory.cards import Card
from ..memory.plan import Budget
from ..weights.models import Models, bytes_on, copied, read
from .common import Progress

DOT_SUBSTITUTE = "|"  # names of buffers may not contain a dot


class SonicWeights(torch.nn.Module):
    """One network's tensors as buffers. They exist only while the module is on `load_device`."""

    def __init__(self, load_device: torch.device, read) -> None:
        super().__init__()
        self.load_device, self._read = load_device, read
        self.held_bytes = 0  # without views of a mapped file
        self.device = None  # set by ComfyUI: where it assumes the module to be

    def to(self, device):
        if torch.device(device) != self.load_device:
            self.drop()
        elif not self._buffers:
            tensors, self.held_bytes = self._read()
            for name, tensor in tensors.items():
                self.register_buffer(name.replace(".", DOT_SUBSTITUTE), tensor)
        return self

    def drop(self) -> None:
        self._buffers.clear()
        self.held_bytes = 0

    def tensors(self) -> dict[str, torch.Tensor]:
        return {
            name.replace(DOT_SUBSTITUTE, "."): tensor for name, tensor in self.named_buffers(remove_duplicate=False)
        }


class SonicPatcher(comfy.model_patcher.ModelPatcher):
    """Frees the weights when it is detached, also where ComfyUI computes on the CPU and has no device to offload to.

    Newer versions of ComfyUI have dynamic VRAM: the weights of other models leave the card when an allocation needs
    their room, so nothing has to be unloaded before ours are read. `is_dynamic` says so, but only while they are read:
    ours do not leave by themselves, and whoever needs their room later has to unload them."""

    being_read = False  # while these weights are loaded

    def is_dynamic(self) -> bool:
        return self.being_read and dynamic_vram()

    def loaded_ram_size(self) -> int:
        """For ComfyUI's log: bytes that a dynamic model keeps in system memory."""
        return 0

    def detach(self, unpatch_all=True):
        model = super().detach(unpatch_all)
        if unpatch_all:
            model.drop()
        return model


class PatcherBackedModels(Models):
    """weights.models.Models whose tensors ComfyUI loads and unloads, with one ModelPatcher per network."""

    work_bytes = 0  # memory that the networks need beside their weights, from the plan

    other_work_bytes = 0  # the same on further cards

    def __init__(self, paths):
        self._patchers: dict[str, tuple] = {}  # network: ((stamp, dtype, device), patcher)
        self._copies: dict[tuple, SonicPatcher] = {}  # (network, device): of its patcher's tensors on a further card
        super().__init__(paths)

    def tensors(self, key: str, dtype: torch.dtype, device="cpu", stream: bool = False) -> dict[str, torch.Tensor]:
        """Streamed weights are not ComfyUI's to load: it makes room for what the run needs on the card."""
        if stream:
            self._drop(key)
            free_for(self.work_bytes, torch.device(device))
            return super().tensors(key, dtype, device, stream)
        checked, device = self._get(key), torch.device(device)
        version = checked.stamp, dtype, device
        if key not in self._patchers or self._patchers[key][0] != version:
            self.release(key)
            self._patchers[key] = version, make_patcher(key, checked, dtype, device)
        return load_tensors(self._patchers[key][1], self.work_bytes)

    def copy(self, key: str, device) -> dict[str, torch.Tensor]:
        """ComfyUI loads and unloads the copy, too. Of streamed weights only what stays on a card is copied."""
        device = torch.device(device)
        if key not in self._patchers:
            free_for(self.other_work_bytes, device)
            return super().copy(key, device)
        if (key, device) not in self._copies:
            first = self._patchers[key][1]
            read_copy = partial(read_from_card, first.model, device)
            self._copies[key, device] = patcher_of(key, read_copy, first.size, device)
        return load_tensors(self._copies[key, device], self.other_work_bytes)

    def release(self, *keys: str):
        for key in keys or list(self._patchers):
            self._drop(key)
        super().release(*keys)

    def _drop(self, key: str):
        self._patchers.pop(key, None)
        for copy_of in [found for found in self._copies if found[0] == key]:
            del self._copies[copy_of]

    def held_bytes(self, device) -> int:
        patchers = [*(patcher for _, patcher in self._patchers.values()), *self._copies.values()]
        here = (patcher for patcher in patchers if patcher.load_device == torch.device(device))
        return sum(patcher.model.held_bytes for patcher in here) + super().held_bytes(device)

    def with_replacements(self, weights: dict) -> "PatcherBackedModels":
        """A copy that takes `weights`, {network: WeightFile}, in place of those networks' files. Patchers of the other
        networks are shared."""
        other = copy.copy(self)
        other.paths, other._checked = {**self.paths, **weights}, dict(self._checked)
        other.refresh()
        return other


def make_patcher(key: str, checked, dtype: torch.dtype, device: torch.device) -> SonicPatcher:
    size = dtype.itemsize * sum(checked.file.entries[name].count for name in checked.names.values())
    return patcher_of(key, partial(read, checked, dtype, device, Progress.check), size, device)


def read_from_card(first: SonicWeights, device: torch.device) -> tuple[dict[str, torch.Tensor], int]:
    """The tensors that `first` has loaded, on another card, and their bytes there."""
    tensors = copied(first.tensors(), device)
    return tensors, bytes_on(device, tensors)


def patcher_of(key: str, read_weights, size: int, device: torch.device) -> SonicPatcher:
    module_class = type(f"Sonic_{key}", (SonicWeights,), {})  # ComfyUI's log shows the class name
    module = module_class(device, read_weights)
    return SonicPatcher(module, device, comfy.model_management.unet_offload_device(), size=size)


def load_tensors(patcher: SonicPatcher, work_bytes: int) -> dict[str, torch.Tensor]:
    """The patcher's tensors, after ComfyUI made room for them and for `work_bytes` more."""
    patcher.being_read = True
    try:
        comfy.model_management.load_models_gpu([patcher], memory_required=work_bytes, force_full_load=True)
    finally:
        patcher.being_read = False
    return patcher.model.to(patcher.load_device).tensors()  # --novram leaves modules on the offload device


def dynamic_vram() -> bool:
    """Whether ComfyUI's weights leave the card on demand. Versions before 0.12 do not have the module."""
    return getattr(sys.modules.get("comfy.memory_management"), "aimdo_enabled", False)


def free_for(size: int, device: torch.device) -> None:
    """ComfyUI unloads models until `size` bytes are free; those that leave on demand may stay."""
    options = {"for_dynamic": True} if dynamic_vram() else {}
    comfy.model_management.free_memory(size, device, **options)


def budget(device: torch.device, own_bytes: int, others: Sequence[torch.device] = ()) -> Budget:
    """Memory that a run may use: what is free, what ComfyUI can unload, and on the CPU `own_bytes` that the engine
    holds."""
    free = Budget.of(device)
    if free.gpu is None:
        return Budget(None, free.host + own_bytes)
    if not others:
        return Budget(free_or_unloadable(device), free.host)
    cards = tuple(Card(str(other), free_or_unloadable(other)) for other in others)
    return Budget(free_or_unloadable(device), free.host, cards, str(device))


def free_or_unloadable(device: torch.device) -> int:
    loaded = (model for model in comfy.model_management.loaded_models() if model and model.load_device == device)
    return comfy.model_management.get_free_memory(device) + sum(model.loaded_size() for model in loaded)
