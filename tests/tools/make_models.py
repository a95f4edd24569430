"""Random weights for every network, in the files and places that users have: ComfyUI's `models` folder without the real
weights.

    python -m tests.tools.make_models DIR [--dtype fp16] [--only unet,rife] [--small]

Full size needs 10 GB of disk in fp32, 5 GB in fp16 (the UNet alone 6.3 and 3.2 GB). Values are such that activations
neither vanish nor grow, so timings, memory and rounding are those of real weights; pictures made with them are noise.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch

from sonic_nodes.commands.models import DTYPES
from sonic_nodes.weights.convert import write_safetensors
from sonic_nodes.weights.files import FILES
from sonic_nodes.weights.key_maps import NETWORKS
from tests.weights.golden_sizes import SIZES

SMALL = SIZES | {"rife": {"c": 16}}


def values(name: str, shape, generator) -> torch.Tensor:
    """Norms around 1, biases and single numbers small, matrices and kernels scaled by what they sum over."""
    noise = torch.randn(shape, generator=generator)
    if len(shape) < 2:
        scale = name.endswith("weight") and any(part in name for part in ("norm", "ln_", "in_layers.0", "out_layers.0"))
        return 1 + 0.1 * noise if scale else 0.1 * noise
    return noise / (noise[0].numel() ** 0.5)


def network(key: str, dtype: torch.dtype, small: bool, **sizes) -> dict[str, torch.Tensor]:
    """In the names of the published file, which is the last key map for files of Sonic's own, else the first. `sizes`:
    tables.py."""
    key_maps = NETWORKS[key].key_maps(**((SMALL[key] if small else {}) | sizes))
    key_map = key_maps[-1] if key.startswith("audio2") else key_maps[0]
    generator = torch.Generator().manual_seed(len(key))
    return {name: values(name, shape, generator).to(dtype) for name, shape in key_map.shapes.items()}


def make(folder: Path, dtype: torch.dtype = torch.float16, only=(), small: bool = False) -> Iterator[Path]:
    """Yields each file that was written."""
    for file in FILES:
        keys = [key for key in file.networks if not only or key in only]
        if not keys:
            continue
        tensors = {name: value for key in keys for name, value in network(key, dtype, small).items()}
        path = folder / file.places[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".safetensors":
            write_safetensors(path, tensors)
        else:
            torch.save(tensors, path, _use_new_zipfile_serialization=path.suffix != ".pkl")
        yield path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dtype", choices=DTYPES, default="fp16")
    parser.add_argument("--only", default="", help="networks, with commas between")
    parser.add_argument("--small", action="store_true", help="networks of a few megabytes, with the same layers")
    options = parser.parse_args()
    for written in make(
        options.folder, DTYPES[options.dtype], [k for k in options.only.split(",") if k], options.small
    ):
        print(f"{written}  {written.stat().st_size / 1e6:.1f} MB")
