"""FLOPs of one UNet step at full size, counted on the meta device: the same calls, without memory or time.

    python -m bench.unet_flops [--height 512 --width 512 --window 25 --clip 125 --mask 0.5 --steps 25]

Prints the FLOPs of a step with all optimisations and without each of them, with the once-per-run work spread over all
steps and windows, and the ratio to the reference's 100.0 TFLOP at 512 x 512. A multiply-add of convolutions, linear
layers and attention counts as 2.
"""

import argparse
import math

import torch

from sonic_nodes.models import unet as model
from sonic_nodes.models.call import METER
from tests.oracles import unet_weights

REFERENCE_TFLOP = {(512, 512): 100.0, (512, 768): 156.8, (640, 640): 164.3, (768, 768): 250.7, (576, 1024): 250.7}
IDS = [12.5, 32.0, 16.0]


def rectangle_mask(height, width, share):
    """A centred rectangle of this share of the frame."""
    mask, side = torch.zeros(height, width), math.sqrt(share)
    rows, columns = round(height * side), round(width * side)
    top, left = (height - rows) // 2, (width - columns) // 2
    mask[top : top + rows, left : left + columns] = 1
    return mask


def full_size_conditions(height, width, window, clip, mask, tensor):
    """The sampler's three branches; tensor(*shape) makes a tensor."""
    rows, columns = height // 8, width // 8
    return model.Conditions(
        image=[tensor(1, 1, 1024) for _ in range(3)],
        audio=[tensor(1, 32, 1024), tensor(1, 32, 1024), tensor(clip, 32, 1024)],
        face_mask=rectangle_mask(height, width, mask),
        rows=rows,
        columns=columns,
        window=window,
        image_latents=[tensor(4, rows, columns) for _ in range(3)],
    )


def flops(cost):
    return dict(zip(METER[:3], cost.tolist()[:3], strict=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("height", 512), ("width", 512), ("window", 25), ("clip", 125), ("steps", 25)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument(
        "--mask", type=float, default=0.5, help="share of the frame that the face mask covers, a rectangle"
    )
    a = parser.parse_args()

    def tensor(*shape):
        return torch.empty(shape, dtype=torch.float16, device="meta")

    net = model.UNet(unet_weights.meta())
    once = flops(net.prepare(full_size_conditions(a.height, a.width, a.window, a.clip, a.mask, tensor), meter=True)[0])
    runs = a.steps * math.ceil(a.clip / a.window)
    sample, frames = tensor(a.window, 4, a.height // 8, a.width // 8), range(a.window)

    def step(off):
        return flops(net.step(sample, 0.5, IDS, frames, disabled=off, meter=True)[1])

    print(
        f"{a.height} x {a.width}, {a.window} frames, 3 branches, clip of {a.clip} frames, {a.steps} steps, "
        f"mask {a.mask:.0%}; TFLOP"
    )
    print(f"{'':38}{'conv':>8}{'linear':>8}{'attn':>8}{'sum':>9}")
    for label, cost in (
        ("once per run", once),
        ("step", step(0)),
        ("step, nothing folded", step(model.UNFOLDED)),
        ("step, mask not cut out", step(model.WHOLE_MASK)),
    ):
        print(f"{label:38}" + "".join(f"{v / 1e12:8.3f}" for v in cost.values()) + f"{sum(cost.values()) / 1e12:9.3f}")
    total = (sum(step(0).values()) + sum(once.values()) / runs) / 1e12
    reference = REFERENCE_TFLOP.get((a.height, a.width)) if a.window == 25 else None
    ratio = f"   reference {reference}: ratio {total / reference:.4f}" if reference else ""
    print(f"{'step with its share of the run':38}{total:33.3f}{ratio}")


if __name__ == "__main__":
    main()
