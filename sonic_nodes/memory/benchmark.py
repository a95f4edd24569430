"""How fast this machine is at what networks do, from one short call: that turns the operations of a plan into
seconds."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from .estimate import Cost

ROUNDS = 3


@dataclass(frozen=True)
class Speed:
    """What the machine does in a second, by kind of work (networks.METER): multiply-adds count twice, `moved` are
    bytes."""

    convolution: float
    product: float
    attention: float
    moved: float = math.inf

    @classmethod
    def of(cls, speed: "float | Speed") -> "Speed":
        return speed if isinstance(speed, Speed) else cls(*[float(speed)] * 3)

    def seconds(self, cost: Cost) -> float:
        rates = self.convolution, self.product, self.attention, self.moved
        return sum(amount / rate for amount, rate in zip(cost.work, rates, strict=True))


def calibrate(device="cpu", dtype: torch.dtype = torch.float32) -> Speed:
    """Times each kind of operator in the sizes of a UNet's second level: a few seconds on a CPU, next to nothing on a
    GPU.

    What multiplies nothing is timed as networks mix it: an activation, a norm, a sum."""
    device = torch.device(device)

    def tensor(*shape: int) -> torch.Tensor:
        return torch.ones(shape, dtype=dtype, device=device)

    image, kernel = (
        tensor(*shape).contiguous(memory_format=torch.channels_last) for shape in ((4, 320, 32, 32), (320, 320, 3, 3))
    )
    rows, weight = tensor(2048, 640), tensor(2560, 640)
    heads = tensor(2, 1024, 5, 64).transpose(1, 2)
    large, other = tensor(1 << 14, 640), tensor(1 << 14, 640)
    with torch.inference_mode():
        return Speed(
            2 * image.numel() * kernel[0].numel() / seconds(lambda: F.conv2d(image, kernel, padding=1), device),
            2 * rows.numel() * len(weight) / seconds(lambda: F.linear(rows, weight), device),
            4
            * heads.numel()
            * heads.shape[2]
            / seconds(lambda: F.scaled_dot_product_attention(heads, heads, heads), device),
            7 * large.nbytes / seconds(lambda: F.layer_norm(F.gelu(large), (640,)).add_(other), device),
        )


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """The quickest of a few rounds after one that does not count."""
    took = []
    for _ in range(1 + ROUNDS):
        wait_for(device)
        started = time.perf_counter()
        work()
        wait_for(device)
        took.append(time.perf_counter() - started)
    return min(took[1:])


def wait_for(device: torch.device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)
