"""Estimates of memory/plan.py against measurements on this machine: bytes of live tensors and seconds, stage by stage.

    python -m bench.plan [--size small|middle|full] [--rows 8 --columns 16] [--dtype fp32] [--device cpu]
    python -m bench.plan --cards      the plans of docs/memory.md

Weights are random. Each stage runs as it is estimated: one block of sound, one chunk, one pair of frames, one step of
two windows, with one branch at a time and with all at once. Short stages run twice, the first time to warm up; the
machine is calibrated once before. The UNet's constants are left out: on the CPU half of their memory is sound, which a
plan counts separately (tests/memory has them). Exit code 1 where a stage's bytes are off by more than 10 % or the sum
of seconds by more than 25 %. Seconds need an otherwise idle machine.
"""

import argparse
import sys
import textwrap
import time

import torch

from sonic_nodes.errors import ResourceError
from sonic_nodes.memory import estimate, plan
from sonic_nodes.memory.benchmark import calibrate
from sonic_nodes.memory.device import wait_for

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
BYTES_OFF, SECONDS_OFF = 0.10, 0.25
GIB = 1 << 30
DRIVER_BYTES = 600 << 20  # used by driver, desktop and PyTorch itself before a run
TEN_SECONDS = 126  # latent frames


def model_sizes(size: str) -> tuple[dict, dict]:
    """(sizes, heads) for plan.make."""
    if size == "full":
        return {}, {}
    channels, d = ((64, 128, 256, 256), 128) if size == "small" else ((160, 320, 640, 640), 256)
    sizes = {
        "unet": {"channels": channels, "context": d},
        "audio2token": {"states": 10 * 5 * d, "hidden": 256, "tokens": 32, "dim": d},
        "audio2bucket": {"states": 50 * d, "image": d, "hidden": 256},
        "whisper": {"d": d, "inner": 4 * d},
        "vae": {"channels": (64, 128, 256, 256)},
        "clip_vision": {"d": 4 * d, "layers": 8, "inner": 16 * d, "out": d},
        "rife": {},
    }
    return sizes, {"head_dim": 32, "whisper_heads": 2, "clip_heads": 8}


def stages(a) -> dict:
    """{name: function of an estimate.Model}."""
    return {
        "sound": lambda m: estimate.sound(m, estimate.SHORT_CLIP),
        "picture": estimate.picture,
        "encoding": lambda m: estimate.encoding(m, a.rows, a.columns),
        "one branch": lambda m: estimate.two_windows(m, a.rows, a.columns, 1),
        "batched": lambda m: estimate.two_windows(m, a.rows, a.columns, 3),
        "decoding": lambda m: estimate.decoding(m, a.rows, a.columns),
        "in between": lambda m: estimate.in_between(m, a.rows, a.columns),
    }


def timed(work, m, device) -> tuple[estimate.Cost, float]:
    """(cost, seconds) of the second of two runs, or of the first where it takes more than 20 s."""
    for _ in range(2):
        for function in (
            estimate.sound,
            estimate.picture,
            estimate.encoding,
            estimate.two_windows,
            estimate.decoding,
            estimate.in_between,
        ):
            function.cache_clear()
        wait_for(device)
        started = time.perf_counter()
        cost = work(m)
        wait_for(device)
        elapsed_s = time.perf_counter() - started
        if elapsed_s > 20:
            break
    return cost, elapsed_s


def compare(a) -> bool:
    device, dtype = torch.device(a.device), DTYPES[a.dtype]
    sizes, heads = model_sizes(a.size)
    dtypes = plan.network_dtypes(dtype)
    meta, real = (
        estimate.model(dtypes, sizes, gpu=device.type == "cuda", device=d, **heads) for d in ("meta", a.device)
    )
    for network in estimate.NETWORKS:
        estimate.weights(real[network], a.device)
    speed = calibrate(device, dtype)
    rates = (speed.convolution / 1e9, speed.product / 1e9, speed.attention / 1e9, speed.moved / 1e9)
    print(
        f"{a.size} networks, {8 * a.columns}x{8 * a.rows}, {a.dtype}, {a.device}, {torch.get_num_threads()} threads; "
        "calibrated: convolution {:.0f}, product {:.0f}, attention {:.0f} GFLOP/s, moved {:.1f} GB/s".format(*rates)
    )
    print(
        f"{'stage':<12}{'MB estimated':>13}{'measured':>10}{'ratio':>8}{'s estimated':>13}{'measured':>10}{'ratio':>8}"
    )
    total, good = [0.0, 0.0], True
    for name, work in stages(a).items():
        expected = work(meta)
        cost, measured_s = timed(work, real, device)
        expected_s = speed.seconds(expected)
        ratios = expected.peak_bytes / cost.peak_bytes, expected_s / measured_s
        total = [total[0] + expected_s, total[1] + measured_s]
        good = good and abs(ratios[0] - 1) <= BYTES_OFF
        print(
            f"{name:<12}{expected.peak_bytes / 1e6:>13.1f}{cost.peak_bytes / 1e6:>10.1f}{ratios[0]:>8.3f}"
            f"{expected_s:>13.3f}{measured_s:>10.3f}{ratios[1]:>8.3f}"
        )
    print(f"{'all':<43}{total[0]:>13.3f}{total[1]:>10.3f}{total[0] / total[1]:>8.3f}")
    return good and abs(total[0] / total[1] - 1) <= SECONDS_OFF


def cards():
    """Markdown: the plan of 10 s in fp16 on common cards, with the peak of each stage."""
    for side in (512, 1024):
        print(f"{side} x {side}:\n")
        for card in (4, 6, 8, 12, 24):
            budget = plan.Budget(card * GIB - DRIVER_BYTES, 64 * GIB)
            try:
                p = plan.make(side // 8, side // 8, TEN_SECONDS, budget)
            except ResourceError as error:
                print(wrapped(f'- **{card} GB**: refused. "{str(error).split(". ")[0]}."'))
                continue
            peaks = ", ".join(f"{found.stage.value} {found.peak / 1e9:.2f}" for found in p.stages)
            print(
                wrapped(f"- **{card} GB**: {p.kind}; {p.peak / 1e9:.2f} of {p.budget / 1e9:.2f} GB. Stages: {peaks}.")
            )
        print()


def wrapped(line: str) -> str:
    """An item of a Markdown list in lines of 120 columns."""
    return textwrap.fill(line, 120, subsequent_indent="  ", break_on_hyphens=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=["small", "middle", "full"], default="small")
    parser.add_argument("--rows", type=int, default=8, help="of the latents: an eighth of the frame's")
    parser.add_argument("--columns", type=int, default=16)
    parser.add_argument("--dtype", choices=DTYPES, default="fp32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--cards", action="store_true", help="print the plans of docs/memory.md instead")
    options = parser.parse_args()
    if options.cards:
        cards()
    else:
        sys.exit(0 if compare(options) else 1)


if __name__ == "__main__":
    main()
