"""Memory in use while work runs, sampled: a peak between two samples is missed."""

import torch

from . import host
from .device import used_bytes


class Usage:
    """On a graphics card, what PyTorch's allocator has handed out there; on the CPU, the resident memory of this
    process. `peak`: the highest sample so far; None where the system does not say."""

    def __init__(self, device: torch.device | str = "cpu"):
        self.device, self.peak = torch.device(device), None

    def sample(self) -> int | None:
        """Bytes now."""
        found = host.resident_bytes() if self.device.type == "cpu" else used_bytes(self.device)
        if found is not None:
            self.peak = max(found, self.peak or 0)
        return found
