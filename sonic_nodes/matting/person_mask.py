"""The segmentation network of csrc/matting/person_mask.h with its weights."""

import functools

import torch
from safetensors.torch import load_file

from ..errors import InstallError, is_out_of_memory, shortage
from ..extension.native import call
from ..face import ASSETS

WEIGHTS = ASSETS / "person_mask.safetensors"


@functools.cache
def network_weights() -> tuple[tuple[torch.Tensor, ...], str]:
    """(tensors, their names, one per line), float32; read once, never written, shared by threads."""
    try:
        found = {key: value.float() for key, value in load_file(WEIGHTS).items()}
    except Exception as error:
        if is_out_of_memory(error):
            raise shortage(error) from None
        raise InstallError(f"Install the package again: {WEIGHTS} cannot be read ({error}).") from error
    return tuple(found.values()), "\n".join(found)


def person_mask(pictures: torch.Tensor) -> torch.Tensor:
    """Float32 [n, 3, 256, 256], RGB 0..1 -> [n, 1, 256, 256], near 1 where a person is."""
    tensors, names = network_weights()
    (mask,) = call("person_mask", (pictures, *tensors), f"input\n{names}")
    return mask
