"""Whether a file holds a network, by names and shapes, before anything large is read; and the reading of it."""

from dataclasses import dataclass

import torch

from ..errors import InputError
from .entries import Entry
from .files import advice
from .identify import identify
from .key_maps import NETWORKS, Layout, Network
from .reader import WeightFile, open_weights

DTYPES = (torch.float16, torch.bfloat16, torch.float32)
LISTED = 5


@dataclass(frozen=True)
class Comparison:
    """A file beside a layout."""

    layout: Layout
    present: list[str]
    missing: list[str]
    misshapen: list[str]
    surplus: list[str]
    unusable: list[str]  # of a type that is no fp16, bf16 or fp32

    @property
    def fits(self) -> bool:
        return not (self.missing or self.misshapen or self.surplus or self.unusable)


def compare(network: Network, layout: Layout, entries: dict[str, Entry]) -> Comparison:
    table = dict(layout.table)
    for group in layout.optional:
        table |= group if entries.keys() & group.keys() else {}
    present = [name for name in table if name in entries]
    return Comparison(
        layout,
        present,
        [name for name in table if name not in entries],
        [name for name in present if entries[name].shape != table[name]],
        [name for name in entries if name not in table and not network.beside.match(name)],
        [name for name in present if entries[name].dtype not in DTYPES],
    )


def matched(key: str, file: WeightFile, **sizes) -> dict[str, str]:
    """{name that csrc/models asks for: name in the file}. Raises InputError that lists what does not fit."""
    network = NETWORKS[key]
    found = [compare(network, layout, file.entries) for layout in network.layouts(**sizes)]
    best = next((c for c in found if c.fits), None) or max(found, key=lambda c: len(c.present) - len(c.misshapen))
    if not best.fits:
        raise InputError(explained(network, best, file))
    return {best.layout.native(name): name for name in best.present}


def explained(network: Network, best: Comparison, file: WeightFile) -> str:
    if best.unusable and not (best.missing or best.misshapen):
        name = best.unusable[0]
        dtype = str(file.entries[name].dtype).removeprefix("torch.")
        return f"Convert {file.path} to fp16, bf16 or fp32: {len(best.unusable)} of its tensors have another type, {name!r} has {dtype}."
    lines = [f"{advice(network.key)} {file.path} is {identify(file.entries)}, and does not fit {network.title}."]
    table = best.layout.table
    shapes = [
        f"{name} {list(file.entries[name].shape)}, needed {list(table[name])}"
        for name in best.misshapen
        if name in table
    ]
    for title, names in (("Missing", best.missing), ("Of another shape", shapes), ("Surplus", best.surplus)):
        if names:
            more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
            lines.append(f"{title}: {', '.join(name[:120] for name in names[:LISTED])}{more}.")
    return " ".join(lines)


def load(
    key: str, path, dtype: torch.dtype | None = None, check_values: bool = False, **sizes
) -> dict[str, torch.Tensor]:
    """The weights of the network `key` (layouts.NETWORKS) from the file at `path`, by the names that csrc/models asks
    for.

    dtype         None: as in the file, memory-mapped; where a file mixes types, the widest that it uses
    check_values  also look for NaN and infinity, which reads everything
    sizes         of a network smaller than the published one (tables.py)
    Raises InputError.
    """
    file = open_weights(path)
    names = matched(key, file, **sizes)
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
                f"Download {file.path.name} again from its source: {file.path} is damaged: {name!r} holds NaN or infinity."
            )
