"""A transformer block of the UNet on tensor.h against the same block in eager PyTorch: time and peak memory.

    python -m bench.transformer_block [--tokens 4096 --channels 320 --frames 2 --rounds 9] [--dtype fp32] [--device cpu]

The block is the spatial one: layer norm and self-attention, layer norm and cross-attention to one token, layer norm
and GEGLU. The default is the first level of a 512 x 512 image. The eager block computes what diffusers'
BasicTransformerBlock does, in inference mode, but frees every tensor at its last use, where diffusers' keeps the
normalised input to the end. Both share weights and inputs, copy no operands, and are timed in turns. Bytes come from
torch's allocator in both and include the operators' scratch. Exits 1 when the outputs differ, when our peak is above
1.1 times eager's, or when our median time is above eager's.
"""

import argparse
import sys

import torch
import torch.nn.functional as F

from bench.unet_speed import DTYPES, peak_above_start, timed
from sonic_nodes.models import call

TOLERANCE = {"fp32": 2e-6, "fp16": 2e-3, "bf16": 1.5e-2}
BYTES_LINE, TIME_LINE = 1.1, 1.0
HEAD_DIM, CONTEXT = 64, 1024


def random_weights(channels, kind):
    generator = torch.Generator().manual_seed(0)
    shapes = {f"norm{i}.{part}": (channels,) for i in (1, 2, 3) for part in ("weight", "bias")}
    for attention, width in (("attn1", channels), ("attn2", CONTEXT)):
        shapes |= {f"{attention}.to_q.weight": (channels, channels), f"{attention}.to_k.weight": (channels, width)}
        shapes |= {f"{attention}.to_v.weight": (channels, width)}
        shapes |= {f"{attention}.to_out.0.weight": (channels, channels), f"{attention}.to_out.0.bias": (channels,)}
    shapes |= {"ff.net.0.proj.weight": (8 * channels, channels), "ff.net.0.proj.bias": (8 * channels,)}
    shapes |= {"ff.net.2.weight": (channels, 4 * channels), "ff.net.2.bias": (channels,)}
    made = {name: torch.randn(shape, generator=generator) * shape[-1] ** -0.5 for name, shape in shapes.items()}
    return {name: (w + ("norm" in name and "weight" in name)).to(**kind) for name, w in made.items()}


class Eager:
    """The block in eager PyTorch; each method frees its locals on return."""

    def __init__(self, weights):
        self.weights = weights

    def norm(self, name, x):
        return F.layer_norm(x, x.shape[-1:], self.weights[f"{name}.weight"], self.weights[f"{name}.bias"], 1e-5)

    def linear(self, name, x):
        return F.linear(x, self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias"))

    def heads(self, x):
        return x.unflatten(-1, (-1, HEAD_DIM)).transpose(1, 2)

    def attention(self, name, normed, context=None):
        q = self.linear(f"{name}.to_q", normed)
        k, v = (self.linear(f"{name}.{part}", normed if context is None else context) for part in ("to_k", "to_v"))
        del normed
        y = F.scaled_dot_product_attention(self.heads(q), self.heads(k), self.heads(v))
        del q, k, v
        return self.linear(f"{name}.to_out.0", y.transpose(1, 2).flatten(2))

    def gated(self, normed):
        a, gate = self.linear("ff.net.0.proj", normed).chunk(2, -1)
        return a * F.gelu(gate)

    def __call__(self, x, context):
        x = x + self.attention("attn1", self.norm("norm1", x))
        x = x + self.attention("attn2", self.norm("norm2", x), context)
        return x + self.linear("ff.net.2", self.gated(self.norm("norm3", x)))


def workloads(a):
    kind = {"device": a.device, "dtype": DTYPES[a.dtype]}
    weights, generator = random_weights(a.channels, kind), torch.Generator().manual_seed(1)
    x = torch.randn(a.frames, a.tokens, a.channels, generator=generator).to(**kind)
    context = torch.randn(a.frames, 1, CONTEXT, generator=generator).to(**kind)
    eager = Eager(weights)
    return {
        "ours": lambda: call.run_network("transformer_block", {"x": x, "context": context}, weights, [HEAD_DIM])[0],
        "eager": lambda: eager(x, context),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("tokens", 4096), ("channels", 320), ("frames", 2), ("rounds", 9)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--dtype", choices=DTYPES, default="fp32")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    a = parser.parse_args()
    with torch.inference_mode():
        work = workloads(a)
        outputs, medians = timed(work, a.rounds, a.device)
        peaks = {name: peak_above_start(run, a.device) for name, run in work.items()}
    ours, eager = (output.double() for output in outputs.values())
    difference = ((ours - eager).norm() / eager.norm()).item()
    where = f"{torch.get_num_threads()} threads" if a.device == "cpu" else torch.cuda.get_device_name()
    print(f"{a.frames} frames x {a.tokens} tokens x {a.channels} channels, {a.dtype}, {where}, {a.rounds} rounds")
    print(f"relative difference of the outputs {difference:.1e}, at most {TOLERANCE[a.dtype]:.1e}")
    holds = difference <= TOLERANCE[a.dtype]
    for label, values, unit, line in (
        ("median milliseconds", medians, 1e-3, TIME_LINE),
        ("peak MiB", peaks, 2**20, BYTES_LINE),
    ):
        ratio = values["ours"] / values["eager"]
        holds = holds and ratio <= line
        print(
            f"{label:20} ours {values['ours'] / unit:9.2f}   eager {values['eager'] / unit:9.2f}   "
            f"ratio {ratio:.3f}, limit {line}"
        )
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
