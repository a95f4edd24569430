"""What each `speed` costs and changes: operations of a clip, and the distance of its latents, beside exact sampling.

    python -m bench.shortcuts [--steps 25] [--sweep]

Operations are counted for the published networks at 512x512 and ten seconds, with all stages of a run. The distance is
the relative error, in the 2-norm, of latents of a network with random weights, at 64x64 pixels and two windows: it
orders the shortcuts, but says nothing about pictures of the trained network. Fewer steps stand beside them as the
simplest peer of equal work. --sweep adds intervals of guidance and runs of shared features: the defaults are the ones
with the smallest distance for their work.

Sums in float16 save no operations but time on GeForce cards. Their distance is that of the float16 network on the
simulated GPU (tests/gpu), which rounds a sum after every 16 products, from the same with sums in float32. Its sums have
32 to 128 products, the published network's up to 5120: there the distance is larger.

Exit code 1 where balanced takes more than 60 % of the operations or fast more than 35 %, where a shortcut is no closer
to exact sampling than fewer steps of as much work, or where sums in float16 change more than balanced does.
"""

import argparse
import math
import sys
from dataclasses import asdict

import torch

from sonic_nodes.memory import estimate, plan
from sonic_nodes.memory.estimate import Shortcuts
from sonic_nodes.models.constants import CHUNK
from sonic_nodes.models.sampler import SPEEDS, Settings
from tests.gpu import simulated_gpu
from tests.sampler.clips import SmallClip

SIDE, LATENT_FRAMES = 64, 126  # 512x512, ten seconds
FRAMES, WINDOW = 12, 6  # of the small clip
LIMITS = {"balanced": 0.60, "fast": 0.35}
INTERVALS = [(0.3, 5.0), (0.3, 30.0), (0.3, 100.0), (1.0, 30.0), (0.05, 30.0), (0.05, 5.0)]


def clip_flops(settings: Settings) -> int:
    m = estimate.model(plan.network_dtypes(torch.float16), gpu=True)
    shortcuts = Shortcuts.of(settings)
    stages = [
        estimate.picture(m),
        estimate.encoding(m, SIDE, SIDE),
        estimate.sound(m, LATENT_FRAMES),
        estimate.constants(m, SIDE, SIDE),
        estimate.sampling(m, SIDE, SIDE, LATENT_FRAMES, settings.steps, 3, shortcuts),
        estimate.decoding(m, SIDE, SIDE).times(math.ceil(LATENT_FRAMES / CHUNK)),
        estimate.in_between(m, SIDE, SIDE).times(LATENT_FRAMES - 1),
    ]
    return sum(stage.flops for stage in stages)


def latents(settings: Settings, half: bool = False) -> torch.Tensor:
    """half: of the float16 network on the simulated GPU, else of the float32 network on the CPU."""
    values = {name: value for name, value in asdict(settings).items() if name not in ("window", "shift")}
    place = {"device": "simulated:0", "dtype": torch.float16} if half else {}
    if half:
        simulated_gpu.start()
    return SmallClip(FRAMES, WINDOW, shift=2, **place, **values).sample()[0].cpu().double()


def rows(steps: int, sweep: bool) -> dict[str, Settings]:
    found = {name: Settings(steps=steps, **left_out) for name, left_out in SPEEDS.items()}
    for share in (0.6, 0.35):
        fewer = round(share * steps)
        found[f"{fewer} steps, exact"] = Settings(steps=fewer)
    if sweep:
        for low, high in INTERVALS:
            found[f"guidance from {low:g} to {high:g}"] = Settings(steps=steps, guidance_low=low, guidance_high=high)
        for reuse in (2, 3, 5):
            found[f"features of {reuse} steps shared"] = Settings(steps=steps, reuse=reuse)
    return found


def measure(settings: Settings, exact: dict[bool, torch.Tensor], flops: int) -> tuple[float, float]:
    """Share of the operations, and distance. exact: {half: latents}."""
    half = settings.fp16_accumulation
    return clip_flops(settings) / flops, float((latents(settings, half) - exact[half]).norm() / exact[half].norm())


def misses(results: dict[str, tuple[float, float]], steps: int) -> list[str]:
    found = []
    for (speed, limit), share in zip(LIMITS.items(), (0.6, 0.35), strict=True):
        work, distance = results[speed]
        peer = results[f"{round(share * steps)} steps, exact"][1]
        if work > limit:
            found.append(f"{speed} takes {work:.1%} of the operations, the limit is {limit:.0%}")
        if distance >= peer:
            found.append(f"{speed} is {distance:.3f} from exact, fewer steps {peer:.3f}")
    sums, balanced = results["fp16-accumulation"][1], results["balanced"][1]
    return found + [f"fp16-accumulation is {sums:.4f} from exact, balanced {balanced:.4f}"] * (sums >= balanced)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--sweep", action="store_true")
    a = parser.parse_args()
    exact = Settings(steps=a.steps)
    reference, flops = {half: latents(exact, half) for half in (False, True)}, clip_flops(exact)
    results = {}
    print(f"{'':34}{'operations':>12}{'distance':>12}   guided, shared steps of {a.steps}")
    for name, settings in rows(a.steps, a.sweep).items():
        results[name] = work, distance = measure(settings, reference, flops)
        steps = settings.step_work()
        guided = sum(count for (is_guided, _), count in steps.items() if is_guided)
        shared = sum(count for (_, is_shallow), count in steps.items() if is_shallow)
        print(f"{name:34}{work:12.1%}{distance:12.4f}   {guided}, {shared}")
    failed = misses(results, a.steps)
    print("\n".join(failed) or "all limits ok", "(random weights)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
