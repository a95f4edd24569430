"""The weights of the whole model: files found, checked before any large read, loaded network by network on demand."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from ..errors import InputError
from ..media.file_names import is_device
from .check import match_names
from .files import advice, file_of, find
from .identify import identify
from .key_maps import NETWORKS
from .reader import WeightFile, open_weights
from .sizes import head_dim, heads, sizes_of
from .streamed import in_host_memory, is_streamed

MEMORY_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}

Place = Path | WeightFile  # a path, or an open file


@dataclass(frozen=True)
class Stamp:
    """Identifies a version of a file: it changes when the file is rewritten."""

    path: Path
    bytes: int
    mtime_ns: int

    @classmethod
    def of(cls, place: "Place") -> "Stamp":
        if isinstance(place, WeightFile):
            return cls(place.path, place.size, getattr(place, "identity", id(place)))
        path = place
        if is_device(path):  # asking for its state would open it
            raise InputError(f"Choose a weight file on disk: {path} is a device or pipe.")
        try:
            state = path.stat()
        except OSError as error:
            raise InputError(
                f"Put the weight file back at {path}: it is no longer readable ({error.strerror or error})."
            ) from error
        return cls(path, state.st_size, state.st_mtime_ns)


@dataclass(frozen=True)
class Checked:
    """A network in its file, with the network's sizes."""

    file: WeightFile
    stamp: Stamp
    names: dict[str, str]  # {name in csrc/models: name in the file}
    sizes: dict


@dataclass(frozen=True)
class Loaded:
    """A network's tensors, and the bytes of those that are not views of the mapped file."""

    dtype: torch.dtype
    device: torch.device
    tensors: dict[str, torch.Tensor]
    held_bytes: int
    stream: bool = False
    copies: dict[torch.device, dict[str, torch.Tensor]] = field(default_factory=dict)  # on further devices


class Models:
    """The model's networks by key (key_maps.NETWORKS). Until tensors() is called, only the files' headers are read.

    models = Models.in_folder(DIR)
    models.refresh()                                        before a run: re-check files that have changed
    models.tensors("unet", torch.float16, "cuda")           {name: tensor}, kept until release()
    """

    def __init__(self, paths: dict[str, Place]):
        """`paths`: of each network. Raises InputError when a file does not hold it or does not fit the others."""
        self.paths = dict(paths)
        self._checked: dict[str, Checked] = {}
        self._loaded: dict[str, Loaded] = {}
        self.refresh()

    @classmethod
    def in_folder(cls, folder, unet=None, checkpoint=None) -> "Models":
        """From ComfyUI's `models`, its `sonic`, or the output of `sonic models convert`.

        unet, checkpoint: files to use instead of those under the published names. Raises InputError that names each
        missing file with its folder, size and source.
        """
        chosen = {"unet": unet, "vae": checkpoint, "clip_vision": checkpoint}
        found = {key: item.path for item in find(folder) for key in item.file.networks}
        paths = {key: Path(chosen[key]) if chosen.get(key) else path for key, path in found.items()}
        missing = list(dict.fromkeys(file_of(key).name for key, path in paths.items() if path is None))
        if missing:
            remedies = " ".join(dict.fromkeys(advice(key) for key, path in paths.items() if path is None))
            raise InputError(f"{remedies} Missing in {folder}: {', '.join(missing)}.")
        return cls(paths)

    def refresh(self) -> list[str]:
        """Drops and re-checks networks whose file was rewritten since the last check. Returns their keys."""
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
            opened[stamp] = opened[stamp] or open_place(self.paths[key])
            self._checked[key] = self._check(key, opened[stamp], stamp)
        if changed:
            check_together({key: checked.sizes for key, checked in self._checked.items()}, self._checked)
        return changed

    def _check(self, key: str, file: WeightFile, stamp: Stamp) -> Checked:
        sizes = sizes_of(key, file.entries, **({"image": self._image_width()} if key == "audio2bucket" else {}))
        return Checked(file, stamp, match_names(key, file, **sizes), sizes)

    def _image_width(self) -> int:
        """The length of CLIP's embedding: audio2bucket's first layer tells only its sum with the audio's."""
        clip = open_place(self.paths["clip_vision"]).entries if "clip_vision" in self.paths else {}
        return sizes_of("clip_vision", clip).get("out") or self._checked["unet"].sizes.get("context") or 1024

    def _get(self, key: str) -> Checked:
        if key not in self._checked:
            raise InputError(f"{advice(key)} It is missing.")
        return self._checked[key]

    def sizes(self, key: str) -> dict:
        """Of the network, as shapes.py names them."""
        return self._get(key).sizes

    def stamp(self, *keys: str) -> tuple[Stamp, ...]:
        """Changes when a file of these networks changes."""
        return tuple(self._get(key).stamp for key in keys)

    def heads(self, key: str) -> int:
        return heads(key, self.sizes(key)["d"])

    def head_dim(self) -> int:
        """Channels per head of the UNet."""
        return head_dim(self.sizes("unet")["channels"][0])

    def tensors(self, key: str, dtype: torch.dtype, device="cpu", stream: bool = False) -> dict[str, torch.Tensor]:
        """{name in csrc/models: tensor}, cached until release(). On the CPU and in the file's dtype these are views of
        the mapped file, except convolutions, which are in channels-last order as the activations are. stream: most of
        them stay in host memory (streamed.py)."""
        device = torch.device(device)
        kept = self._loaded.get(key)
        if kept and (kept.dtype, kept.device, kept.stream) == (dtype, device, stream):
            return kept.tensors
        self.release(key)
        tensors, held = read(self._get(key), dtype, device, stream=stream)
        self._loaded[key] = Loaded(dtype, device, tensors, held, stream)
        return tensors

    def copy(self, key: str, device) -> dict[str, torch.Tensor]:
        """The tensors of the last tensors(key, ...) on another device, copied from the first one; those that wait in
        host memory are shared. Kept until release()."""
        loaded, device = self._loaded[key], torch.device(device)
        if device not in loaded.copies:
            loaded.copies[device] = copied(loaded.tensors, device)
        return loaded.copies[device]

    def release(self, *keys: str):
        """Drop these networks' tensors, or all."""
        for key in keys or list(self._loaded):
            self._loaded.pop(key, None)

    def held_bytes(self, device) -> int:
        """Of the tensors on `device`, without views of mapped files."""
        device = torch.device(device)
        copies = (kept.copies.get(device, {}) for kept in self._loaded.values())
        own = sum(kept.held_bytes for kept in self._loaded.values() if kept.device == device)
        return own + sum(bytes_on(device, copy) for copy in copies)


def open_place(place: Place) -> WeightFile:
    return place if isinstance(place, WeightFile) else open_weights(place)


def read(
    checked: Checked,
    dtype: torch.dtype,
    device: torch.device,
    before_each: Callable[[], None] = lambda: None,
    stream: bool = False,
) -> tuple[dict[str, torch.Tensor], int]:
    """The tensors by the names in csrc/models, and the bytes of those that are not views of the mapped file.
    before_each() is called before every tensor and may raise to cancel. stream: as in Models.tensors; the bytes are
    those on the device."""
    tensors, held = {}, 0
    try:
        for native, name in checked.names.items():
            before_each()
            mapped = checked.file.tensor(name)
            if stream and is_streamed(native, tuple(mapped.shape)):
                tensors[native] = in_host_memory(to_device(mapped, dtype, torch.device("cpu")))
                continue
            tensors[native] = to_device(mapped, dtype, device)
            held += 0 if tensors[native].data_ptr() == mapped.data_ptr() else tensors[native].nbytes
    finally:
        checked.file.unmap()
    return tensors, held


def to_device(tensor: torch.Tensor, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """On `device`, as `dtype`; convolutions in channels-last order."""
    moved = tensor.to(device, dtype)
    return moved.contiguous(memory_format=MEMORY_FORMATS[moved.dim()]) if moved.dim() in MEMORY_FORMATS else moved


def copied(tensors: Mapping[str, torch.Tensor], device: torch.device) -> dict[str, torch.Tensor]:
    """On another card; what is in host memory is shared."""
    return {name: t if t.device.type == "cpu" else t.to(device) for name, t in tensors.items()}


def bytes_on(device: torch.device, tensors: Mapping[str, torch.Tensor]) -> int:
    return sum(t.nbytes for t in tensors.values() if t.device == device)


def check_together(sizes: dict[str, dict], checked: dict[str, Checked]):
    """Raises InputError when networks that are valid on their own do not fit one another."""
    states = 10 * (sizes["whisper"]["layers"] + 1) * sizes["whisper"]["d"]
    context = sizes["unet"]["context"]
    # CLIP and the VAE may be missing: users can connect their own
    present = {"clip_vision": {"out": context}, "vae": {"latents": sizes["unet"]["latents"]}} | sizes
    rules = (
        ("whisper", sizes["audio2token"]["states"] == states, "audio2token expects states of another size"),
        (
            "audio2bucket",
            sizes["audio2bucket"]["states"] == 50 * sizes["whisper"]["d"],
            "Whisper and CLIP give inputs of another size",
        ),
        ("audio2token", sizes["audio2token"]["dim"] == context, "the UNet expects tokens of another size"),
        ("clip_vision", present["clip_vision"]["out"] == context, "the UNet expects embeddings of another size"),
        ("vae", present["vae"]["latents"] == sizes["unet"]["latents"], "the UNet expects latents of another size"),
    )
    for key, holds, why in rules:
        if not holds:
            file = checked[key].file
            raise InputError(
                f"{advice(key)} {file.path} holds {identify(file.entries)}, which does not fit the other files: {why}."
            )
