"""Kernels, bytes and operations of one step of the UNet on a card, counted; and the milliseconds that they would take.

    python -m bench.roofline [--side 512] [--plain] [--log FILE]

A simulated GPU (tests/gpu) runs the published network without computing and logs each operator; a driver of its own
(tests/kernels) logs each kernel of csrc/kernels. Here each operator becomes the kernels that PyTorch 2.10 launches for
it in float16 on channels-last activations, and each kernel the larger of its arithmetic at the card's rate and its
bytes at the card's bandwidth, plus its launch. The rates are published peaks times the share that large kernels reach.
All milliseconds are estimates: no card was at hand. The peer is the same step with PyTorch's operators alone. The last
line estimates the step with sums in float16 (`speed` fp16-accumulation), which products on GeForce cards reach twice
the rate with.

Exit code 1 where a step at 512x512 with three branches takes more than 3300 kernels or 330 GB.
"""

import argparse
import ctypes
import math
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch

from sonic_nodes import kernels
from sonic_nodes.memory import estimate, plan
from sonic_nodes.models.constants import WINDOW
from sonic_nodes.models.unet import Conditions, UNet
from tests.gpu import simulated_gpu
from tests.kernels import fake_cuda

BYTES = 2  # of a float16
LAUNCH_S = 2.5e-6
MAX_KERNELS, MAX_BYTES = 3300, 330e9
TENSOR = re.compile(r"\[([0-9,]*)\](?:/\(([0-9 ]*)\))?")


class Card(NamedTuple):
    """float16 tensor cores, in operations a second, and memory, in bytes a second, as large kernels reach them; and how
    much faster products are with sums in float16."""

    name: str
    flops: float
    bandwidth: float
    float16_sums: float


CARDS = (
    Card("RTX 4090", 165e12 * 0.75, 1008e9 * 0.85, 2),
    Card("RTX 3060", 25.6e12 * 0.80, 360e9 * 0.85, 2),
    Card("H100 SXM", 989e12 * 0.60, 3350e9 * 0.80, 1),
)


class Shape(NamedTuple):
    sizes: tuple[int, ...]
    strides: tuple[int, ...] | None  # None: contiguous

    @property
    def count(self) -> int:
        return math.prod(self.sizes)


class Work(NamedTuple):
    """Of one operator: what kind of kernels, how many, the elements that they move, their multiply-adds times two."""

    kind: str
    kernels: int
    elements: float
    flops: float = 0


@dataclass
class Total:
    kernels: int = 0
    bytes: float = 0
    flops: float = 0
    seconds: list[float] = field(default_factory=lambda: [0.0] * len(CARDS))

    def add(self, count: int, moved: float, flops: float, rates: list[float]) -> None:
        """rates: of each card's arithmetic, 1 is the usual one."""
        self.kernels += count
        self.bytes += moved
        self.flops += flops
        for i, card in enumerate(CARDS):
            self.seconds[i] += max(flops / card.flops / rates[i], moved / card.bandwidth) + count * LAUNCH_S


def shapes_of(line: str) -> list[Shape]:
    found = []
    for sizes, strides in TENSOR.findall(line):
        numbers = tuple(int(n) for n in strides.split()) if strides else None
        found.append(Shape(tuple(int(n) for n in sizes.split(",") if n), numbers))
    return found


def product(name: str, t: list[Shape]) -> Work:
    a, b = t[-3:-1] if "addmm" not in name else t[1:3]
    m, k, n = a.sizes[-2], a.sizes[-1], b.sizes[-1]
    batch = a.count // (m * k)
    written = batch * m * n * (2 if "addmm" in name and len(t[0].sizes) == 2 else 1)
    return Work("products", 1, a.count + b.count + written, 2 * batch * m * k * n)


def convolution(line: str, t: list[Shape]) -> Iterator[Work]:
    x, weight, out = t[0], t[1], t[-1]
    yield Work("convolutions", 1, x.count + weight.count + out.count, 2 * out.count * weight.count // weight.sizes[0])
    if " and bias" in line:  # cuDNN's convolution is followed by an addition
        yield Work("bias of a convolution", 1, 2 * out.count)
    if x.strides is None and x.count > 1e6:  # channels first: transposed for the tensor cores, and back
        yield Work("transposes in cuDNN", 2, 2 * x.count + 2 * out.count)


def attention(t: list[Shape]) -> Work:
    q, k = t[0], t[1]
    *batch, queries, dim = q.sizes
    return Work("attention", 1, 2 * q.count + 2 * k.count, 4 * math.prod(batch) * queries * k.sizes[-2] * dim)


def normalisation(t: list[Shape]) -> Iterator[Work]:
    if t[0].strides is not None and t[0].count > 1e5:
        yield Work("layer norm: copy of a part", 1, 2 * t[0].count)
    yield Work("layer norm", 1, 2 * t[0].count)


def works_of(line: str) -> Iterator[Work]:
    """The kernels of one logged operator."""
    name, t = line.split(" [")[0].removeprefix("aten::"), shapes_of(line)
    if name.startswith(("addmm", "mm", "bmm", "baddbmm")):
        yield product(name, t)
    elif name.startswith("convolution"):
        yield from convolution(line, t)
    elif name.startswith("attention"):
        yield attention(t)
    elif name == "native_group_norm":  # moments, their factors, and the result
        yield Work("group norm", 3, 3 * t[0].count)
    elif name.startswith("native_layer_norm"):
        yield from normalisation(t)
    elif name.startswith("copy cast"):
        yield Work("casts", 1, 3 * t[-1].count)
    elif name.startswith("copy to") or name.startswith("copy from"):
        yield Work("copies between host and card", 1, 0)
    elif name.startswith("copy"):
        yield Work("copies and transposes", 1, 2 * t[-1].count)
    else:
        yield Work(name.split(".")[0].removeprefix("_"), 1, moved_by(t))


def moved_by(t: list[Shape]) -> int:
    """Of a pointwise operator: each operand once, the first, which it changes or makes, once more."""
    return sum(x.count for x in t) + (t[0].count if len(t) < 3 and t else 0)


def totals(lines: list[str], launches: list[tuple[str, int]], float16_sums: bool = False) -> dict[str, Total]:
    found: dict[str, Total] = {}
    usual = [1.0] * len(CARDS)
    for line in lines:
        for work in works_of(line):
            is_faster = float16_sums and work.kind == "products"
            rates = [card.float16_sums for card in CARDS] if is_faster else usual
            found.setdefault(work.kind, Total()).add(work.kernels, BYTES * work.elements, work.flops, rates)
    for name, moved in launches:
        found.setdefault(f"ours: {name}", Total()).add(1, moved, 0, usual)
    return found


def step_ms(found: dict[str, Total]) -> str:
    return ", ".join(
        f"{1e3 * sum(total.seconds[i] for total in found.values()):.0f} ms on {card.name}"
        for i, card in enumerate(CARDS)
    )


def network(gpu, side: int) -> tuple[UNet, torch.Tensor]:
    """The published UNet, prepared for three branches, and a window of latents. Without values."""
    m, device = estimate.model(plan.network_dtypes(torch.float16), gpu=True), "simulated:0"

    def empty(*shape: int) -> torch.Tensor:
        return torch.empty(shape, dtype=torch.float16, device=device)

    weights = {
        name: torch.zeros(shape) if name.endswith("mix_factor") else estimate.prepared_weight(empty(*shape))
        for name, shape in m["unet"].table
    }
    tokens, context = estimate.token_shape(m)
    rows = side // 8
    mask = torch.zeros(side, side)
    mask[side // 4 : side * 3 // 4, side // 4 : side * 3 // 4] = 1  # a face in half of the side
    net = UNet(weights)
    net.prepare(
        Conditions(
            image=[empty(1, 1, context)] * 3,
            audio=[torch.zeros(n, tokens, context) for n in (1, 1, WINDOW)],
            face_mask=mask,
            rows=rows,
            columns=rows,
            window=WINDOW,
            image_latents=[empty(4, rows, rows)] * 3,
        )
    )
    return net, torch.empty(WINDOW, 4, rows, rows, device=device)


def load_kernels(gpu, folder: Path) -> ctypes.CDLL:
    """Kernels of our own for the simulated GPU, which are logged and do not run."""
    driver = fake_cuda.build(folder)
    driver.fake_only_logs(1)
    kernels.DEVICE_TYPES["simulated"] = kernels.DEVICE_TYPES["privateuseone"]
    kernels.load(torch.device("simulated:0"), torch.float16, "sm_86", driver, driver, folder)
    return driver


def count(side: int, with_kernels: bool) -> tuple[list[str], list[tuple[str, int]]]:
    """(operators, launches) of a step."""
    gpu, driver = simulated_gpu.start(), None
    with gpu.count_only(), tempfile.TemporaryDirectory() as folder:
        net, sample = network(gpu, side)
        if with_kernels:
            driver = load_kernels(gpu, Path(folder))
        step = lambda: net.step(sample, 0.5, (6.0, 127.0, 127.0), range(WINDOW))  # noqa: E731
        step()  # weights of a constant's type are converted once
        if driver:
            driver.fake_clear_log()
        with gpu.log() as lines:
            step()
        launches = fake_cuda.launches(driver) if driver else []
        kernels.unload()
    return lines, launches


def table(found: dict[str, Total]) -> Total:
    """Prints it, and returns the sum."""
    head = "".join(f"{card.name:>12}" for card in CARDS)
    print(f"{'':36}{'kernels':>8}{'GB':>9}{'TFLOP':>8}{head}   (ms, estimates)")
    everything = Total()
    for kind, total in sorted(found.items(), key=lambda item: -item[1].bytes):
        print_row(kind, total)
        everything.kernels += total.kernels
        everything.bytes += total.bytes
        everything.flops += total.flops
        everything.seconds = [a + b for a, b in zip(everything.seconds, total.seconds, strict=True)]
    print_row("all", everything)
    return everything


def print_row(kind: str, total: Total) -> None:
    times = "".join(f"{1e3 * s:12.1f}" for s in total.seconds)
    print(f"{kind:36}{total.kernels:8}{total.bytes / 1e9:9.2f}{total.flops / 1e12:8.2f}{times}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=512, help="of the picture, in pixels")
    parser.add_argument("--plain", action="store_true", help="PyTorch's operators alone")
    parser.add_argument("--log", help="a file for the operators of the step")
    a = parser.parse_args()
    plain = table(totals(*count(a.side, False)))
    if a.plain:
        return 0
    print()
    lines, launches = count(a.side, True)
    if a.log:
        Path(a.log).write_text("\n".join(lines) + "\n", "utf-8")
    ours = table(totals(lines, launches))
    print(
        f"\nwith kernels of our own: {ours.kernels / plain.kernels:.2f} of the kernels, "
        f"{ours.bytes / plain.bytes:.2f} of the bytes, "
        + ", ".join(
            f"{b / a:.2f} of the time on {card.name}"
            for a, b, card in zip(plain.seconds, ours.seconds, CARDS, strict=True)
        )
    )
    print(f"with sums in float16, too: {step_ms(totals(lines, launches, float16_sums=True))}")
    if a.side == 512 and (ours.kernels > MAX_KERNELS or ours.bytes > MAX_BYTES):
        print(f"limit: {MAX_KERNELS} kernels and {MAX_BYTES / 1e9:.0f} GB")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
