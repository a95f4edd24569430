"""The weights of a whole model: its files found, checked before anything large is read, loaded network by network when
needed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from ..errors import InputError
from .check import matched
from .files import advice, file_of, find
from .identify import identify
from .key_maps import NETWORKS
from .reader import WeightFile, open_weights
from .sizes import head_dim, heads, sizes_of

MEMORY_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


Place = Path | WeightFile  # a file, or one that is open already


@dataclass(frozen=True)
class Stamp:
    """What changes when a file is written again."""

    path: Path
    bytes: int
    mtime_ns: int

    @classmethod
    def of(cls, place: "Place") -> "Stamp":
        if isinstance(place, WeightFile):
            return cls(place.path, place.size, getattr(place, "identity", id(place)))
        path = place
        try:
            state = path.stat()
        except OSError as error:
            raise InputError(
                f"Put the weight file back at {path}: it cannot be read any more ({error.strerror or error})."
            ) from error
        return cls(path, state.st_size, state.st_mtime_ns)


@dataclass(frozen=True)
class Checked:
    """A network in its file: which tensor of the file is which of the network's, and the network's sizes."""

    file: WeightFile
    stamp: Stamp
    names: dict[str, str]
    sizes: dict


@dataclass(frozen=True)
class Loaded:
    """A network's tensors, and the bytes of those that are no views of its file."""

    dtype: torch.dtype
    device: torch.device
    tensors: dict[str, torch.Tensor]
    held_bytes: int


class Models:
    """The networks of the model by key (layouts.NETWORKS). Nothing is read but the files' tables until tensors() is
    called.

        models = Models.in_folder(DIR)
        models.refresh()                                        before a run: have files changed since?
        models.tensors("unet", torch.float16, "cuda")           {name: tensor}, kept until release()
    """

    def __init__(self, paths: dict[str, Place]):
        """`paths`: of each network; raises InputError when a file is not what it should be or does not fit the
        others."""
        self.paths = dict(paths)
        self._checked: dict[str, Checked] = {}
        self._loaded: dict[str, Loaded] = {}
        self.refresh()

    @classmethod
    def in_folder(cls, folder, unet=None, checkpoint=None) -> "Models":
        """From ComfyUI's `models`, its `sonic`, or the output of `sonic models convert`.

        unet, checkpoint: files of the user's choice, in place of those that the folder has under the published names.
        Raises InputError that names each missing file with its folder, size and source.
        """
        chosen = {"unet": unet, "vae": checkpoint, "clip_vision": checkpoint}
        found = {key: item.path for item in find(folder) for key in item.file.networks}
        paths = {key: Path(chosen[key]) if chosen.get(key) else path for key, path in found.items()}
        missing = list(dict.fromkeys(file_of(key).name for key, path in paths.items() if path is None))
        if missing:
            wanted = " ".join(dict.fromkeys(advice(key) for key, path in paths.items() if path is None))
            raise InputError(f"{wanted} Missing in {folder}: {', '.join(missing)}.")
        return cls(paths)

    def refresh(self) -> list[str]:
        """Look at the files again. Networks whose file was written since are dropped and checked anew; their keys are
        returned."""
        stamps = {key: Stamp.of(place) for key, place in self.paths.items()}
        changed = [
            key for key, stamp in stamps.items() if key not in self._checked or self._checked[key].stamp != stamp
        ]
        for key in changed:
            self.release(key)
            self._checked.pop(key, None)
        opened = {stamps[key]: None for key in changed}
        for key in sorted(changed, key=list(NETWORKS).index):
            stamp = stamps[key]
            opened[stamp] = opened[stamp] or opening(self.paths[key])
            self._checked[key] = self._check(key, opened[stamp], stamp)
        if changed:
            check_together({key: checked.sizes for key, checked in self._checked.items()}, self._checked)
        return changed

    def _check(self, key: str, file: WeightFile, stamp: Stamp) -> Checked:
        sizes = sizes_of(key, file.entries, **({"image": self._image_width()} if key == "audio2bucket" else {}))
        return Checked(file, stamp, matched(key, file, **sizes), sizes)

    def _image_width(self) -> int:
        """The length of the picture's embedding, of which audio2bucket's first layer says only the sum with the
        sound's."""
        clip = opening(self.paths["clip_vision"]).entries if "clip_vision" in self.paths else {}
        return sizes_of("clip_vision", clip).get("out") or self._checked["unet"].sizes.get("context") or 1024

    def _of(self, key: str) -> Checked:
        if key not in self._checked:
            raise InputError(f"{advice(key)} It is missing.")
        return self._checked[key]

    def sizes(self, key: str) -> dict:
        """Of the network, as tables.py names them."""
        return self._of(key).sizes

    def stamp(self, *keys: str) -> tuple[Stamp, ...]:
        """Equal as long as the files of these networks have not changed."""
        return tuple(self._of(key).stamp for key in keys)

    def heads(self, key: str) -> int:
        return heads(key, self.sizes(key)["d"])

    def head_dim(self) -> int:
        """Of the UNet."""
        return head_dim(self.sizes("unet")["channels"][0])

    def tensors(self, key: str, dtype: torch.dtype, device="cpu") -> dict[str, torch.Tensor]:
        """{name that csrc/models asks for: tensor}. Kept, so that the next call is free; on the CPU and in the file's
        own type they are views of the mapped file, except convolutions, which are stored pixel by pixel as the
        activations are."""
        device = torch.device(device)
        kept = self._loaded.get(key)
        if kept and (kept.dtype, kept.device) == (dtype, device):
            return kept.tensors
        self.release(key)
        tensors, held = read(self._of(key), dtype, device)
        self._loaded[key] = Loaded(dtype, device, tensors, held)
        return tensors

    def release(self, *keys: str):
        """Drop these networks' tensors, or all."""
        for key in keys or list(self._loaded):
            self._loaded.pop(key, None)

    def held_bytes(self, device) -> int:
        """Of the tensors that are loaded on `device`, without those that are views of a mapped file."""
        return sum(kept.held_bytes for kept in self._loaded.values() if kept.device == torch.device(device))


def opening(place: Place) -> WeightFile:
    return place if isinstance(place, WeightFile) else open_weights(place)


def read(
    checked: Checked, dtype: torch.dtype, device: torch.device, before_each: Callable[[], None] = lambda: None
) -> tuple[dict[str, torch.Tensor], int]:
    """The tensors by the names that csrc/models asks for, and how many bytes of them are not views of the mapped file.
    before_each() may raise to end it."""
    tensors, held = {}, 0
    for native, name in checked.names.items():
        before_each()
        mapped = checked.file.tensor(name)
        tensors[native] = prepared(mapped, dtype, device)
        held += 0 if tensors[native].data_ptr() == mapped.data_ptr() else tensors[native].nbytes
    return tensors, held


def prepared(tensor: torch.Tensor, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Beside the activations, of their type and, for convolutions, in their memory format."""
    moved = tensor.to(device, dtype)
    return moved.contiguous(memory_format=MEMORY_FORMATS[moved.dim()]) if moved.dim() in MEMORY_FORMATS else moved


def check_together(sizes: dict[str, dict], checked: dict[str, Checked]):
    """Raises InputError when networks that are right by themselves do not belong together."""
    states = 10 * (sizes["whisper"]["layers"] + 1) * sizes["whisper"]["d"]
    context = sizes["unet"]["context"]
    # those two may come later
    there = {"clip_vision": {"out": context}, "vae": {"latents": sizes["unet"]["latents"]}} | sizes
    rules = (
        ("whisper", sizes["audio2token"]["states"] == states, "audio2token takes states of another size"),
        (
            "audio2bucket",
            sizes["audio2bucket"]["states"] == 50 * sizes["whisper"]["d"],
            "whisper and CLIP give states of another size",
        ),
        ("audio2token", sizes["audio2token"]["dim"] == context, "the UNet takes tokens of another size"),
        ("clip_vision", there["clip_vision"]["out"] == context, "the UNet takes embeddings of another size"),
        ("vae", there["vae"]["latents"] == sizes["unet"]["latents"], "the UNet has latents of another size"),
    )
    for key, holds, why in rules:
        if not holds:
            file = checked[key].file
            raise InputError(
                f"{advice(key)} {file.path} holds {identify(file.entries)}, which does not belong to the other files: {why}."
            )
