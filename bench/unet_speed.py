"""One UNet step beside diffusers' UNet with audio-attention processors: same weights, inputs, threads and batching, interleaved.

    python bench/unet_speed.py [--size tiny|small|full] [--frames 25 --height 128 --width 128 --rounds 5] [--lean]

The processors do what the published model does: sound is one more attention beside the image's, and over time its tokens are repeated
for every position before they are projected. --lean projects them once a branch, as a careful eager implementation might. Prints
the outputs' difference, median seconds, the peak of live memory above weights and inputs as torch's own allocator saw it in both, and
where the time goes. Needs diffusers.
"""
import argparse
import statistics
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

sys.path[:0] = [str(Path(__file__).resolve().parent.parent), str(Path(__file__).resolve().parent)]
import parity_unet  # noqa: E402
import unet_weights  # noqa: E402
from unet_flops import rectangle_mask  # noqa: E402

from sonic_nodes.model import unet as model  # noqa: E402

FULL = {"channels": unet_weights.CHANNELS, "attends": unet_weights.ATTENDS, "layers": 2, "context": 1024, "embedding": 1280, "ids": 768}
SIZES = {
    "full": (64, FULL),
    "small": (64, FULL | {"channels": (320, 640), "attends": (True, False), "layers": 1}),
    "tiny": (32, {"channels": (64, 64, 96), "attends": (True, True, False), "layers": 1, "context": 64, "embedding": 256, "ids": 48}),
}
TIMESTEP, IDS = 0.5, [12.5, 32.0, 16.0]


class Sound:
    """What the processors need of one step."""

    def __init__(self, tokens, mask, frames):
        self.tokens, self.mask, self.frames = tokens, mask, frames  # [branches frames, tokens, context], [1, 1, H, W]


class AudioProcessor:
    """attn2 of the published model: to_out(image attention + mask times audio attention), in each frame or over time."""

    def __init__(self, sound, to_k, to_v, over_time, lean):
        self.sound, self.to_k, self.to_v, self.over_time, self.lean = sound, to_k, to_v, over_time, lean

    def _tokens(self, batch):
        if not self.over_time:
            return self.sound.tokens
        mean = self.sound.tokens.unflatten(0, (-1, self.sound.frames)).mean(1)
        return mean if self.lean else mean.repeat_interleave(batch // len(mean), 0)

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, **_):
        def heads(x):
            return x.unflatten(-1, (attn.heads, -1)).transpose(1, 2)

        batch, tokens, _ = hidden_states.shape
        q = heads(attn.to_q(hidden_states))
        image = F.scaled_dot_product_attention(q, heads(attn.to_k(encoder_hidden_states)), heads(attn.to_v(encoder_hidden_states)))
        audio = self._tokens(batch)
        k, v = (heads(F.linear(audio, w)).repeat_interleave(batch // len(audio), 0) for w in (self.to_k, self.to_v))
        heard = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        if not self.over_time:
            scale = (self.sound.mask.shape[2] * self.sound.mask.shape[3] / tokens) ** 0.5
            side = [round(s / scale) for s in self.sound.mask.shape[2:]]
            heard = heard * F.interpolate(self.sound.mask, side, mode="bicubic").view(1, tokens, 1)
        return attn.to_out[0](image.transpose(1, 2).flatten(2) + heard)


def with_sound(net, weights, sound, lean):
    processors = {}
    for name in net.attn_processors:
        prefix = name.removesuffix(".processor")
        if prefix.endswith("attn2"):
            k, v = (weights[f"{prefix}.processor.to_{part}_ip.0.weight"] for part in "kv")
            processors[name] = AudioProcessor(sound, k, v, "temporal" in prefix, lean)
        else:
            processors[name] = net.attn_processors[name]
    net.set_attn_processor(processors)
    return net


def peak_above_start(work) -> int:
    """Bytes, from the allocator's own events: whatever an operator allocates inside itself counts too."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        work()
    events = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    live = peak = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        live += event.nbytes()
        peak = max(peak, live)
    return peak


def where_time_goes(work, count=8):
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        work()
    events = sorted(profile.key_averages(), key=lambda e: -e.self_cpu_time_total)
    total = sum(e.self_cpu_time_total for e in events)
    return [(e.key.removeprefix("aten::"), e.self_cpu_time_total / total) for e in events[:count]]


def workloads(a):
    head_dim, sizes = SIZES[a.size]
    weights = unet_weights.random(0, **sizes)
    rows, columns, generator = a.height // 8, a.width // 8, torch.Generator().manual_seed(1)
    noise, latents = (torch.randn(n, 4, rows, columns, generator=generator) for n in (a.frames, 1))
    latents = [torch.zeros(4, rows, columns), latents[0], latents[0]]
    image, tokens = (torch.randn(n, 32 if n > 1 else 1, sizes["context"], generator=generator) for n in (1, a.frames + 1))
    images, audio = [image * 0, image, image], [tokens[:1], tokens[:1], tokens[1:]]
    mask = rectangle_mask(a.height, a.width, 0.5)
    net = model.UNet(weights, head_dim)
    conditions = {"image": images, "audio": audio, "image_latents": latents, "face_mask": mask}
    net.prepare(model.Conditions(**conditions, rows=rows, columns=columns, window=a.frames))
    sample = torch.stack([torch.cat([noise, part.expand(a.frames, -1, -1, -1)], 1) for part in latents])
    sound = Sound(torch.cat([part.expand(a.frames, -1, -1) for part in audio]), mask[None, None], a.frames)
    peer = with_sound(parity_unet.diffusers_unet(weights, head_dim, **sizes), weights, sound, a.lean)
    ids = torch.tensor([IDS] * 3)
    return {
        "ours": lambda: net.step(noise, TIMESTEP, IDS, range(a.frames))[0],
        "diffusers": lambda: peer(sample, torch.tensor(TIMESTEP), torch.cat(images), ids, return_dict=False)[0],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="small")
    for name, default in (("frames", 25), ("height", 128), ("width", 128), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--lean", action="store_true", help="the peer projects sound once a branch")
    a = parser.parse_args()
    with torch.inference_mode():
        work = workloads(a)
        outputs, seconds = {}, {name: [] for name in work}
        for _ in range(a.rounds):
            for name, run in work.items():
                start = time.perf_counter()
                outputs[name] = run()
                seconds[name].append(time.perf_counter() - start)
        peaks = {name: peak_above_start(run) for name, run in work.items()}
        difference = (outputs["ours"] - outputs["diffusers"]).norm() / outputs["diffusers"].norm()
        print(f"{a.size}, 3 branches x {a.frames} frames, {a.height} x {a.width}, fp32, {torch.get_num_threads()} threads")
        print(f"relative difference of the outputs {difference:.1e}")
        medians = {name: statistics.median(times) for name, times in seconds.items()}
        for label, values, unit in (("median seconds", medians, 1), ("peak MiB", peaks, 2**20)):
            ours, theirs = values["ours"] / unit, values["diffusers"] / unit
            print(f"{label:16} ours {ours:10.2f}   diffusers {theirs:10.2f}   ratio {ours / theirs:.3f}")
        for name, run in work.items():
            print(f"{name:10}", "  ".join(f"{key} {share:.0%}" for key, share in where_time_goes(run)))


if __name__ == "__main__":
    main()
