"""Which weights of the UNet may wait in host memory and be brought to a card layer by layer (csrc/models/layers.h)."""

import re

import torch

# What is computed together, so that its weights are on the card together.
PART = re.compile(r"(?:down_blocks\.\d+|mid_block|up_blocks\.\d+)\.\w+\.\d+")


def part_of(name: str) -> str:
    """ "down_blocks.0.resnets.1" of a weight in it; "" outside the blocks."""
    found = PART.match(name)
    return found[0] if found else ""


def is_streamed(name: str, shape: tuple[int, ...]) -> bool:
    """Matrices and convolutions of the blocks, nearly all bytes. Vectors, and what stands outside, stay on the card."""
    return len(shape) > 1 and bool(part_of(name))


def in_host_memory(tensor: torch.Tensor) -> torch.Tensor:
    """Pinned, so that the card copies it while the host goes on."""
    try:
        return tensor.pin_memory()
    except RuntimeError:  # no memory can be locked: copies block, and the values are the same
        return tensor
