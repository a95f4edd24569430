"""The denoising loop (csrc/sampler/sampler.h): from noise to the latents of a clip; and frame counts."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..extension.native import _sonic
from .call import run_network
from .constants import LATENT_FPS, WINDOW
from .unet import UNet

LENGTHS = ("exact", "upstream")
# What a speed may leave out (csrc/sampler/shortcuts.h): bench/shortcuts.py measures work and distance of each. Guidance
# acts on 9 of 25 steps; the noisier ones lay out the picture, which the portrait gives, and the cleaner ones finish it.
GUIDANCE_INTERVAL = {"guidance_low": 0.3, "guidance_high": 30.0}
SHARED_FEATURES = {"reuse": 2}
FP16_ACCUMULATION = {"fp16_accumulation": True}
SPEEDS = {
    "exact": {},
    "balanced": GUIDANCE_INTERVAL,
    "fast": GUIDANCE_INTERVAL | SHARED_FEATURES,
    "shared-features": SHARED_FEATURES,
    "fp16-accumulation": FP16_ACCUMULATION,
    "fast-fp16": GUIDANCE_INTERVAL | SHARED_FEATURES | FP16_ACCUMULATION,
}


@dataclass(frozen=True)
class Settings:
    steps: int = 25
    dynamic_scale: float = 1.0
    motion_scale: float = 1.0
    appearance_guidance: float = 2.0
    audio_guidance: float = 7.5
    window: int = WINDOW
    shift: int = 7  # frames by which windows move from step to step
    frame_rate_id: float = LATENT_FPS  # the network's frame rate input
    guidance_low: float = 0.0  # the noise levels between which guidance acts; elsewhere one branch is computed
    guidance_high: float = math.inf
    reuse: int = 1  # steps that share deep features: of the others only the last layer is computed
    fp16_accumulation: bool = False  # products of float16 matrices are summed in float16, on cards that can

    def step_work(self) -> Counter:
        """{(guided, shallow): steps}."""
        work = _sonic.step_work(self.steps, self.guidance_low, self.guidance_high, self.reuse)
        return Counter((bool(guided), bool(shallow)) for guided, shallow, _ in work)


def sample(
    net: UNet,
    noise: torch.Tensor,
    image_latents: torch.Tensor,
    buckets: torch.Tensor,
    settings: Settings,
    branches_at_once: int = 3,
    others: Sequence[UNet] = (),
    **options,
) -> list[torch.Tensor]:
    """Latents float32 [frames, 4, rows, columns] in the autoencoder's space, on the device of the noise; then the
    outputs that `options` ask for.

    net            prepared for the three branches of the guidance (without image and audio, with the image, with both),
                   with image latents
    noise          float32 [frames, 4, rows, columns], standard normal
    image_latents  [1, 4, rows, columns], the mean of the autoencoder
    buckets        [frames, 2], motion buckets
    branches_at_once  1 (least memory) to 3 (fastest); results are equal up to rounding
    others         copies of `net` on further devices (UNet.on), which share its calls: the bits are those of one device
    options        probes, check_finite and meter, as in run_network
    Raises ResourceError, RuntimeError with the message from C, and what the progress callback raises (progress.py),
    which is called before every call of the network.
    """
    s = settings
    tensors = {"noise": noise.float(), "image_latents": image_latents, "buckets": buckets}
    for prefix, copied in [("", net), *((f"device.{i}.", other) for i, other in enumerate(others, 1))]:
        tensors |= {f"{prefix}constants.{name}": t for name, t in copied.constants.items()}
        tensors |= {f"{prefix}{name}": w for name, w in copied.weights.items()} if prefix else {}
    numbers = [
        net.head_dim,
        s.steps,
        s.window,
        s.shift,
        s.frame_rate_id,
        s.dynamic_scale,
        s.motion_scale,
        s.appearance_guidance,
        s.audio_guidance,
        branches_at_once,
        s.guidance_low,
        s.guidance_high,
        s.reuse,
        1 + len(others),
    ]
    return run_network("sample", tensors, net.weights, numbers, float16_sums=s.fp16_accumulation, **options)


def latent_count(frames: int, length: str = "exact") -> int:
    """Latent frames to sample for audio of `frames` video frames: n latents give 2 n - 1 frames, which cover them all.

    "upstream", as the reference implementation: half as many, so the clip ends up to 0.12 s before the audio.
    """
    return frames // 2 + 1 if length == "exact" else frames // 2


def frame_count(frames: int, length: str = "exact", interpolate: bool = True) -> int:
    """Frames of the video: `frames` at FPS, or every second one at LATENT_FPS without `interpolate`.

    Of the 2 latent_count - 1 (interpolated) or latent_count decoded frames, those beyond that number are dropped.
    """
    if length == "exact":
        return frames if interpolate else (frames + 1) // 2
    latents = latent_count(frames, length)
    return max(0, 2 * latents - 1) if interpolate else latents
