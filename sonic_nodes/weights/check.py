"""Checks that a file holds a network, by names and shapes before any large read, and loads it."""

from dataclasses import dataclass

import torch

from ..errors import InputError
from .entries import Entry
from .files import advice
from .identify import identify
from .key_maps import NETWORKS, KeyMap, Network
from .reader import WeightFile, open_weights

DTYPES = (torch.float16, torch.bfloat16, torch.float32)
LISTED = 5  # tensors that a message names


@dataclass(frozen=True)
class Comparison:
    """A file compared with a key map: names of tensors."""

    key_map: KeyMap
    present: list[str]
    missing: list[str]
    wrong_shape: list[str]
    unexpected: list[str]
    wrong_dtype: list[str]  # other than fp16, bf16 or fp32

    @property
    def fits(self) -> bool:
        return not (self.missing or self.wrong_shape or self.unexpected or self.wrong_dtype)


def compare(network: Network, key_map: KeyMap, entries: dict[str, Entry]) -> Comparison:
    table = dict(key_map.shapes)
    for group in key_map.optional:
        table |= group if entries.keys() & group.keys() else {}
    present = [name for name in table if name in entries]
    return Comparison(
        key_map,
        present,
        [name for name in table if name not in entries],
        [name for name in present if entries[name].shape != table[name]],
        [name for name in entries if name not in table and not network.others.match(name)],
        [name for name in present if entries[name].dtype not in DTYPES],
    )


def match_names(key: str, file: WeightFile, **sizes) -> dict[str, str]:
    """{name in csrc/models: name in the file}. Raises InputError that lists the mismatches."""
    network = NETWORKS[key]
    found = [compare(network, key_map, file.entries) for key_map in network.key_maps(**sizes)]
    best = next((c for c in found if c.fits), None) or max(found, key=lambda c: len(c.present) - len(c.wrong_shape))
    if not best.fits:
        raise InputError(mismatch_message(network, best, file))
    return {best.key_map.network_name(name): name for name in best.present}


def mismatch_message(network: Network, best: Comparison, file: WeightFile) -> str:
    if best.wrong_dtype and not (best.missing or best.wrong_shape):
        name = best.wrong_dtype[0]
        dtype = str(file.entries[name].dtype).removeprefix("torch.")
        count = f"{len(best.wrong_dtype)} of its tensors have another type"
        return f"Convert {file.path} to fp16, bf16 or fp32: {count}; {name!r} is {dtype}."
    lines = [f"{advice(network.key)} {file.path} is {identify(file.entries)} and does not fit {network.title}."]
    table = best.key_map.shapes
    shapes = [
        f"{name} {list(file.entries[name].shape)}, expected {list(table[name])}"
        for name in best.wrong_shape
        if name in table
    ]
    for title, names in (("Missing", best.missing), ("Wrong shape", shapes), ("Unexpected", best.unexpected)):
        if names:
            more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
            lines.append(f"{title}: {', '.join(name[:120] for name in names[:LISTED])}{more}.")
    return " ".join(lines)


def load(
    key: str, path, dtype: torch.dtype | None = None, check_values: bool = False, **sizes
) -> dict[str, torch.Tensor]:
    """The weights of the network `key` (key_maps.NETWORKS) from the file at `path`, by the names in csrc/models.

    dtype         None: as in the file, memory-mapped; float32 for a file of several types
    check_values  also check for NaN and infinity, which reads the whole file
    sizes         of a network smaller than the published one (shapes.py)
    Raises InputError.
    """
    file = open_weights(path)
    names = match_names(key, file, **sizes)
    tensors = {native: file.tensor(name) for native, name in names.items()}
    if check_values:
        check_finite(file, names)
    dtype = dtype or widest(tensors.values())
    return {name: tensor.to(dtype) for name, tensor in tensors.items()}


def widest(tensors) -> torch.dtype:
    kinds = {tensor.dtype for tensor in tensors}
    return kinds.pop() if len(kinds) == 1 else torch.float32


def check_finite(file: WeightFile, names: dict[str, str]):
    """Raises InputError that names the first tensor with NaN or infinity."""
    for name in names.values():
        values = file.tensor(name)
        if values.numel() and not torch.isfinite(values.amax() + values.amin()):
            raise InputError(
                f"Download {file.path.name} again from its source: in {file.path}, {name!r} holds NaN or infinity."
            )
