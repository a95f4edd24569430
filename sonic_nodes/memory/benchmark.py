"""The machine's speed at the networks' operators, from one short measurement. It turns a plan's operations into
seconds."""

import functools
import math
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass

import torch
import torch.nn.functional as F

from .device import wait_for
from .estimate import Cost

ROUNDS = 3


@dataclass(frozen=True)
class Speed:
    """Work per second, by kind (models.call.METER): FLOP, with two for a multiply-add; bytes for `moved`."""

    convolution: float
    product: float
    attention: float
    moved: float = math.inf

    @classmethod
    def of(cls, speed: "float | Speed") -> "Speed":
        return speed if isinstance(speed, Speed) else cls(*[float(speed)] * 3)

    def at_most(self, other: "Speed") -> "Speed":
        """Of two machines that wait for each other."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Speed(*(min(pair) for pair in pairs))

    def seconds(self, cost: Cost) -> float:
        rates = self.convolution, self.product, self.attention, self.moved
        return sum(amount / rate for amount, rate in zip(cost.work, rates, strict=True))


@functools.lru_cache(maxsize=16)
def speed_of(device: torch.device, dtype: torch.dtype) -> Speed:
    """calibrate(), once for each device and type."""
    return calibrate(device, dtype)


def calibrate(device="cpu", dtype: torch.dtype = torch.float32) -> Speed:
    """Times each kind of operator at the sizes of the UNet's second level: a few seconds on a CPU, almost nothing on a
    GPU. `moved` is timed on a mix of an activation, a norm and a sum, as networks have it."""
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
            2 * image.numel() * kernel[0].numel() / fastest_run_s(lambda: F.conv2d(image, kernel, padding=1), device),
            2 * rows.numel() * len(weight) / fastest_run_s(lambda: F.linear(rows, weight), device),
            4
            * heads.numel()
            * heads.shape[2]
            / fastest_run_s(lambda: F.scaled_dot_product_attention(heads, heads, heads), device),
            7 * large.nbytes / fastest_run_s(lambda: F.layer_norm(F.gelu(large), (640,)).add_(other), device),
        )


def fastest_run_s(work: Callable[[], object], device: torch.device) -> float:
    """The shortest of ROUNDS runs, after one for warming up."""
    times = []
    for _ in range(1 + ROUNDS):
        wait_for(device)
        started = time.perf_counter()
        work()
        wait_for(device)
        times.append(time.perf_counter() - started)
    return min(times[1:])
