"""Writes safetensors one tensor at a time, so memory stays bounded, into a folder that appears all at once."""

import contextlib
import json
import os
import shutil
import struct
from pathlib import Path

import torch

from ..errors import OutputError, ResourceError, UsageError
from ..media.file_names import output_problem, system_path
from ..media.files import kept_elsewhere, new_folders
from ..media.temporary import KeptElsewhere, TemporaryFolder

NAMES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}


def write_safetensors(path, tensors: dict[str, torch.Tensor], dtype: torch.dtype | None = None):
    """Writes float tensors, converted to `dtype`; None keeps each tensor's dtype."""
    table, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, tensor in tensors.items():
        kind = dtype or tensor.dtype
        end = offset + tensor.numel() * kind.itemsize
        table[name] = {"dtype": NAMES[kind], "shape": list(tensor.shape), "data_offsets": [offset, end]}
        offset = end
    header = json.dumps(table, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(header)) + header)
        for tensor in tensors.values():
            out.write(tensor.to(dtype or tensor.dtype).reshape(-1).contiguous().view(torch.uint8).numpy())


def size_of(tensors: dict[str, torch.Tensor], dtype: torch.dtype | None) -> int:
    return sum(t.numel() * (dtype or t.dtype).itemsize for t in tensors.values())


@contextlib.contextmanager
def atomic_folder(target, bytes_needed: int):
    """Yields a temporary folder that becomes `target` at the end, or is deleted on an error."""
    if problem := output_problem(target):
        raise OutputError(f"Choose another output folder: the name {str(target)!r} {problem}.")
    shown = Path(target).absolute()
    target = Path(system_path(shown))
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"Choose an output folder that does not exist yet: {shown} exists and is not empty.")
    try:
        with new_folders(target.parent), contextlib.ExitStack() as stack:
            free = shutil.disk_usage(target.parent).free
            if free < bytes_needed:
                raise ResourceError(
                    f"Choose a disk with {bytes_needed / 1e9:.2f} GB of free space: {shown.parent} has "
                    f"{free / 1e9:.2f}."
                )
            temporary = TemporaryFolder(target.parent)
            stack.callback(temporary.remove)
            os.mkdir(temporary.output)
            yield Path(temporary.output)
            temporary.publish(target)
    except KeptElsewhere as error:
        raise kept_elsewhere(str(shown), error) from error
    except OSError as error:
        raise OutputError(
            f"Choose a writable output folder: {shown} is not writable ({error.strerror or error})."
        ) from error
