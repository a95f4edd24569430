"""What a card really does, in at most ten minutes: parity, a step, memory against the plan, and diffusers beside it.

    python -m bench.gpu                              on CUDA, with random weights: no download is needed
    python -m bench.gpu --device simulated:1 --small      a rehearsal, where there is no card

For 512, 768 and 1024 pixels: one step of two windows in float16 with three branches, by PyTorch's operators and with
kernels of our own, where the card has them; then a loop of four steps in each `speed`, those with sums in float16 where
the card gains from them. Memory is the meter's peak of live results against the estimate that a plan is made of.
diffusers' UNet is timed in the same run where it is installed (bench/unet_speed.py). Writes a table, gpu.md, and a
plot, gpu.svg, into --out. Exit code 1 where parity fails, where a peak is more than 10 % above its estimate, or where
kernels of our own are slower than PyTorch's operators.
"""

import argparse
import html
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from bench.plan import model_sizes
from sonic_nodes import kernels
from sonic_nodes.engines.devices import no_float16_sums
from sonic_nodes.memory import estimate, plan
from sonic_nodes.memory.benchmark import fastest_run_s
from sonic_nodes.memory.device import name_of
from sonic_nodes.models.constants import WINDOW
from sonic_nodes.models.sampler import SPEEDS, Settings, sample

SIDES, STEPS, BRANCHES = (512, 768, 1024), 4, 3
PEAK_LIMIT = 1.10
BAR_PX, ROW_PX, LABEL_PX = 420, 22, 260


@dataclass(frozen=True)
class Row:
    side: int
    what: str
    seconds: float
    peak_bytes: int | None = None
    estimated_bytes: int | None = None

    @property
    def cells(self) -> list[str]:
        peak = "" if self.peak_bytes is None else f"{self.peak_bytes / 1e9:.2f} of {self.estimated_bytes / 1e9:.2f} GB"
        return [str(self.side), self.what, f"{1e3 * self.seconds:.0f} ms", peak]


@contextmanager
def kernels_for(device: torch.device, wanted: bool) -> Iterator[str]:
    """With kernels of our own in the block, or without; gives the reason why there are none."""
    kernels.unload()
    yield kernels.prepare(device, torch.float16) if wanted else ""
    kernels.unload()


class Loop:
    """The denoising loop of the published network, or a small one, at one size, with random weights."""

    def __init__(self, device: str, side: int, small: bool):
        sizes, heads = model_sizes("small") if small else ({}, {})
        dtypes, rows = plan.network_dtypes(torch.float16), side // 8
        self.real = estimate.model(dtypes, sizes, gpu=True, device=device, **heads)
        self.dry = estimate.model(dtypes, sizes, gpu=True, **heads)
        self.rows, self.device = rows, torch.device(device)
        self.net, _ = estimate.prepared_unet(self.real, rows, rows)

    def run(self, settings: Settings, **options):
        frames, rows = estimate.SHORT_CLIP, self.rows
        noise, image = torch.randn(frames, 4, rows, rows), torch.zeros(1, 4, rows, rows)
        noise, image = noise.to(self.device), image.to(self.device)
        return sample(self.net, noise, image, torch.zeros(frames, 2), settings, BRANCHES, **options)

    def step(self, what: str) -> Row:
        settings = Settings(steps=1, window=WINDOW)
        peak = estimate.cost(self.run(settings, meter=True)[1]).peak_bytes
        expected = estimate.two_windows(self.dry, self.rows, self.rows, BRANCHES).peak_bytes
        return Row(8 * self.rows, what, fastest_run_s(lambda: self.run(settings), self.device), peak, expected)

    def speeds(self) -> Iterator[Row]:
        slow_sums = no_float16_sums(self.device, torch.float16)
        for name, left_out in SPEEDS.items():
            if name == "shared-features" or (slow_sums and "fp16_accumulation" in left_out):
                continue  # the first is a part of fast
            settings = Settings(steps=STEPS, window=WINDOW, **left_out)
            took = fastest_run_s(lambda settings=settings: self.run(settings), self.device)
            yield Row(8 * self.rows, f"{STEPS} steps, {name}", took)


def measure(a) -> tuple[list[Row], list[str]]:
    """(rows, notes)."""
    rows, notes = [], []
    for side in (64,) if a.small else SIDES:
        loop = Loop(a.device, side, a.small)
        with kernels_for(loop.device, False):
            rows.append(loop.step("step, PyTorch's operators"))
        with kernels_for(loop.device, True) as reason:
            if reason:
                notes.append(f"No kernels of our own: {reason}.")
            else:
                rows.append(loop.step("step, kernels of our own"))
            rows += loop.speeds()
        estimate.prepared_unet.cache_clear()
        estimate.weights.cache_clear()
    return rows, list(dict.fromkeys(notes))


def other_bench(name: str, *arguments: str) -> tuple[int, str]:
    """(exit code, last line printed)."""
    command = [sys.executable, "-m", f"bench.{name}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout.strip() or done.stderr.strip()).splitlines()[-1]


def peers(a) -> list[str]:
    try:
        import diffusers  # noqa: F401
    except ImportError:
        return ["diffusers is not installed: no peer."]
    if not a.device.startswith("cuda"):
        return ["diffusers is timed on CUDA alone."]
    size = ("--size", "full", "--device", "cuda", "--dtype", "fp16", "--height", "512", "--width", "512")
    return [f"diffusers, 512: {other_bench('unet_speed', *size)[1]}"]


def table(rows: list[Row]) -> str:
    head = ["pixels", "what", "time", "peak of results, of the estimate"]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, ["---"] * 4, *(row.cells for row in rows)])


def plot(rows: list[Row], title: str) -> str:
    """Bars, as SVG."""
    longest = max(row.seconds for row in rows)
    parts = [f'<text x="4" y="16">{html.escape(title)}</text>']
    for i, row in enumerate(rows, 1):
        y, width = i * ROW_PX, BAR_PX * row.seconds / longest
        label = html.escape(f"{row.side}: {row.what}")
        parts.append(f'<text x="4" y="{y + 16}">{label}</text>')
        parts.append(f'<rect x="{LABEL_PX}" y="{y + 4}" width="{width:.1f}" height="{ROW_PX - 6}" fill="#4078c0"/>')
        parts.append(f'<text x="{LABEL_PX + width + 6:.1f}" y="{y + 16}">{1e3 * row.seconds:.0f} ms</text>')
    size = f'width="{LABEL_PX + BAR_PX + 90}" height="{(len(rows) + 1) * ROW_PX + 8}"'
    style = 'font-family="sans-serif" font-size="13"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{"".join(parts)}</svg>\n'


def misses(rows: list[Row]) -> list[str]:
    found = [
        f"{row.side}, {row.what}: {row.peak_bytes} bytes, {row.estimated_bytes} were estimated"
        for row in rows
        if row.peak_bytes and row.peak_bytes > PEAK_LIMIT * row.estimated_bytes
    ]
    steps = {(row.side, row.what): row.seconds for row in rows}
    for (side, what), seconds in steps.items():
        if what.endswith("of our own") and seconds > steps[side, "step, PyTorch's operators"]:
            found.append(f"{side}: kernels of our own are slower")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true", help="a network of a few megabytes, at 64 pixels")
    parser.add_argument("--out", default=".", metavar="DIR", help="for gpu.md and gpu.svg")
    a = parser.parse_args()
    if a.device.startswith("simulated"):
        from tests.gpu import simulated_gpu

        simulated_gpu.start()
    elif not torch.cuda.is_available():
        print("no CUDA device here: --device simulated:1 --small rehearses the bench")
        return 0
    started, folder = time.monotonic(), Path(a.out)
    parity = [other_bench("parity", "--device", a.device, "--dtype", dtype) for dtype in ("fp32", "fp16")]
    rows, notes = measure(a)
    title = f"{name_of(torch.device(a.device))}, PyTorch {torch.__version__}"
    notes = [f"Parity in fp32: {parity[0][1]}", f"Parity in fp16: {parity[1][1]}", *notes, *peers(a)]
    text = f"{title}\n\n{table(rows)}\n\n" + "\n".join(f"- {note}" for note in notes) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gpu.md").write_text(text, "utf-8")
    (folder / "gpu.svg").write_text(plot(rows, title), "utf-8")
    failed = misses(rows) + ["parity fails"] * any(code for code, _ in parity)
    print(text + "\n".join(failed) + f"\n{time.monotonic() - started:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
