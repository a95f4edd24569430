"""One UNet step against diffusers' UNet with audio-attention processors: same weights, inputs, threads and batching.

    python -m bench.unet_speed [--size tiny|golden|small|full] [--frames 25 --height 128 --width 128 --rounds 3]
    [--lean] [--models DIR]
                               [--device cuda --dtype fp16]

--models reads the UNet from ComfyUI's models folder, or from what tests/tools/make_models.py writes; without it the
weights are random. Both networks share the weights; ours also has channels-last copies of the convolutions.

The processors compute what the published model does: audio is a second attention with the image's queries, and
temporal layers repeat its tokens for every position before projecting them. --lean projects them once a branch, as an
optimised eager implementation might. A profiled run of each serves as warm-up; then timed rounds alternate. Prints the
difference of the outputs, median seconds, the peak memory above weights and inputs from torch's allocator, and the
time by kernel. Exits 1 when the outputs differ by more than 1e-4 (3e-2 in half precision), when our median time is
above theirs, or when our peak is above 0.7 of theirs. Needs diffusers.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

from bench.unet_flops import rectangle_mask
from sonic_nodes.models import unet as model
from sonic_nodes.weights import check, files
from tests.oracles import parity_unet, unet_weights

FULL = {
    "channels": unet_weights.CHANNELS,
    "attends": unet_weights.ATTENDS,
    "layers": 2,
    "context": 1024,
    "embedding": 1280,
    "ids": 768,
}
SIZES = {
    "full": (64, FULL),
    # make_models.py --small
    "golden": (32, FULL | {"channels": (32, 32, 64, 64), "context": 32, "embedding": 128, "ids": 48}),
    "small": (64, FULL | {"channels": (320, 640), "attends": (True, False), "layers": 1}),
    "tiny": (
        32,
        {
            "channels": (64, 64, 96),
            "attends": (True, True, False),
            "layers": 1,
            "context": 64,
            "embedding": 256,
            "ids": 48,
        },
    ),
}
TIMESTEP, IDS = 0.5, [12.5, 32.0, 16.0]
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
TIME_LINE, BYTES_LINE = 1.0, 0.7


class AudioInputs:
    """The processors' inputs in one step."""

    def __init__(self, tokens, mask, frames):
        self.tokens, self.mask, self.frames = tokens, mask, frames  # [branches frames, tokens, context], [1, 1, H, W]


class AudioProcessor:
    """attn2 of the published model: to_out(image attention + mask * audio attention), spatial or temporal."""

    def __init__(self, inputs, to_k, to_v, temporal, lean):
        self.inputs, self.to_k, self.to_v, self.temporal, self.lean = inputs, to_k, to_v, temporal, lean

    def _tokens(self, batch):
        if not self.temporal:
            return self.inputs.tokens
        mean = self.inputs.tokens.unflatten(0, (-1, self.inputs.frames)).mean(1)
        return mean if self.lean else mean.repeat_interleave(batch // len(mean), 0)

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, **_):
        def heads(x):
            return x.unflatten(-1, (attn.heads, -1)).transpose(1, 2)

        batch, tokens, _ = hidden_states.shape
        q = heads(attn.to_q(hidden_states))
        image = F.scaled_dot_product_attention(
            q, heads(attn.to_k(encoder_hidden_states)), heads(attn.to_v(encoder_hidden_states))
        )
        audio = self._tokens(batch)
        k, v = (heads(F.linear(audio, w)).repeat_interleave(batch // len(audio), 0) for w in (self.to_k, self.to_v))
        audio_output = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        if not self.temporal:
            scale = (self.inputs.mask.shape[2] * self.inputs.mask.shape[3] / tokens) ** 0.5
            side = [round(s / scale) for s in self.inputs.mask.shape[2:]]
            audio_output = audio_output * F.interpolate(self.inputs.mask, side, mode="bicubic").view(1, tokens, 1)
        return attn.to_out[0](image.transpose(1, 2).flatten(2) + audio_output)


def with_audio(net, weights, inputs, lean):
    processors = {}
    for name in net.attn_processors:
        prefix = name.removesuffix(".processor")
        if prefix.endswith("attn2"):
            k, v = (weights[f"{prefix}.processor.to_{part}_ip.0.weight"] for part in "kv")
            processors[name] = AudioProcessor(inputs, k, v, "temporal" in prefix, lean)
        else:
            processors[name] = net.attn_processors[name]
    net.set_attn_processor(processors)
    return net


def profiled(work, device="cpu"):
    kinds = [torch.profiler.ProfilerActivity.CPU] + [torch.profiler.ProfilerActivity.CUDA] * (device == "cuda")
    with torch.profiler.profile(activities=kinds, profile_memory=True, acc_events=True) as profile:
        work()
        finish(device)
    return profile


def finish(device):
    """Waits for the device."""
    if device == "cuda":
        torch.cuda.synchronize()


def peak_in(profile) -> int:
    """Bytes, from the allocator's events, so operators' scratch counts too."""
    events = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    live = peak = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        live += event.nbytes()
        peak = max(peak, live)
    return peak


def peak_above_start(work, device="cpu") -> int:
    if device != "cuda":
        return peak_in(profiled(work))
    start = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    work()
    finish(device)
    return torch.cuda.max_memory_allocated() - start


def seconds_by_kernel(profile, device="cpu") -> dict[str, float]:
    """Self time of each operator; on CUDA, device time of each kernel."""
    kind = "self_device_time_total" if device == "cuda" else "self_cpu_time_total"
    return {e.key.split("::")[-1]: getattr(e, kind) * 1e-6 for e in profile.key_averages() if getattr(e, kind) > 0}


def print_kernels(kernels: dict[str, dict[str, float]], rows=12):
    """Seconds in descending order, which include the profiler's overhead."""
    names = sorted(
        {name for table in kernels.values() for name in table},
        key=lambda name: -max(t.get(name, 0) for t in kernels.values()),
    )
    print(f"{'seconds by kernel':44}" + "".join(f"{name:>12}" for name in kernels))
    for name in names[:rows]:
        print(f"{name[:43]:44}" + "".join(f"{table.get(name, 0):12.3f}" for table in kernels.values()))
    print(
        f"{'all others':44}"
        + "".join(f"{sum(v for n, v in t.items() if n not in names[:rows]):12.3f}" for t in kernels.values())
    )


def read_weights(folder, sizes) -> dict[str, torch.Tensor]:
    """The UNet from the user's file, memory-mapped where it is in float32."""
    path = files.first(Path(folder), files.file_of("unet"))
    if path is None:
        raise SystemExit(files.advice("unet"))
    start = time.perf_counter()
    own = {
        "channels": sizes["channels"],
        "context": sizes["context"],
        "ids": sizes["ids"] // 3,
        "blocks": sizes["layers"],
    }
    weights = check.load("unet", path, torch.float32, **own)
    size, seconds = sum(w.nbytes for w in weights.values()), time.perf_counter() - start
    print(f"{path}: {size / 2**30:.2f} GiB of weights in {seconds:.1f} s")
    return weights


def workloads(a):
    head_dim, sizes = SIZES[a.size]
    kind = {"device": a.device, "dtype": DTYPES[a.dtype]}
    weights = read_weights(a.models, sizes) if a.models else unet_weights.random(0, **sizes)
    weights = {name: w.to(**kind) for name, w in weights.items()}
    rows, columns, generator = a.height // 8, a.width // 8, torch.Generator().manual_seed(1)
    noise, latents = (torch.randn(n, 4, rows, columns, generator=generator).to(**kind) for n in (a.frames, 1))
    latents = [torch.zeros_like(latents[0]), latents[0], latents[0]]
    image, tokens = (
        torch.randn(n, 32 if n > 1 else 1, sizes["context"], generator=generator).to(**kind) for n in (1, a.frames + 1)
    )
    images, audio = [image * 0, image, image], [tokens[:1], tokens[:1], tokens[1:]]
    mask = rectangle_mask(a.height, a.width, 0.5)
    net = model.UNet(weights, head_dim)
    conditions = {"image": images, "audio": audio, "image_latents": latents, "face_mask": mask}
    net.prepare(model.Conditions(**conditions, rows=rows, columns=columns, window=a.frames))
    sample = torch.stack([torch.cat([noise, part.expand(a.frames, -1, -1, -1)], 1) for part in latents])
    inputs = AudioInputs(
        torch.cat([part.expand(a.frames, -1, -1) for part in audio]), mask[None, None].to(**kind), a.frames
    )
    peer = with_audio(parity_unet.diffusers_unet(weights, head_dim, **sizes), weights, inputs, a.lean)
    ids, timestep = torch.tensor([IDS] * 3, **kind), torch.tensor(TIMESTEP, device=a.device)
    return {
        "ours": lambda: net.step(noise, TIMESTEP, IDS, range(a.frames))[0],
        "diffusers": lambda: peer(sample, timestep, torch.cat(images), ids, return_dict=False)[0],
    }


def timed(work, rounds, device):
    outputs, seconds = {}, {name: [] for name in work}
    for _ in range(rounds):
        for name, run in work.items():
            start = time.perf_counter()
            outputs[name] = run()
            finish(device)
            seconds[name].append(time.perf_counter() - start)
    return outputs, {name: statistics.median(times) for name, times in seconds.items()}


def report(a, outputs, medians, peaks) -> bool:
    """Whether every line holds."""
    line = 1e-4 if a.dtype == "fp32" else 3e-2
    ours, theirs = outputs["ours"].float(), outputs["diffusers"].float()
    difference = ((ours - theirs).norm() / theirs.norm()).item()
    threads = f"{torch.get_num_threads()} threads" if a.device == "cpu" else torch.cuda.get_device_name()
    print(f"{a.size}, 3 branches x {a.frames} frames, {a.height} x {a.width}, {a.dtype}, {threads}, {a.rounds} rounds")
    print(f"relative difference of the outputs {difference:.1e}, at most {line:.0e}")
    holds = difference <= line
    for label, values, unit, line in (
        ("median seconds", medians, 1, TIME_LINE),
        ("peak MiB", peaks, 2**20, BYTES_LINE),
    ):
        ours, theirs = values["ours"] / unit, values["diffusers"] / unit
        holds = holds and ours / theirs <= line
        print(f"{label:16} ours {ours:10.2f}   diffusers {theirs:10.2f}   ratio {ours / theirs:.3f}, limit {line}")
    return holds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="small")
    for name, default in (("frames", 25), ("height", 128), ("width", 128), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--lean", action="store_true", help="the peer projects the audio tokens once a branch")
    parser.add_argument("--models", metavar="DIR", help="ComfyUI's models folder: read the UNet from there")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--dtype", choices=DTYPES, default="fp32")
    a = parser.parse_args()
    with torch.inference_mode():
        work = workloads(a)
        profiles = {name: profiled(run, a.device) for name, run in work.items()}
        kernels = {name: seconds_by_kernel(profile, a.device) for name, profile in profiles.items()}
        peaks = {name: peak_in(profile) for name, profile in profiles.items()}
        if a.device == "cuda":
            peaks = {name: peak_above_start(run, a.device) for name, run in work.items()}
        del profiles
        outputs, medians = timed(work, a.rounds, a.device)
    holds = report(a, outputs, medians, peaks)
    print_kernels(kernels)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
