"""The denoising loop (csrc/sampler/sampler.h): from noise to the latents of a clip; and how many latents a clip of
pictures needs."""

from dataclasses import dataclass

import torch

from .call import run
from .unet import UNet

LENGTHS = ("exact", "upstream")


@dataclass(frozen=True)
class Settings:
    steps: int = 25
    dynamic_scale: float = 1.0
    motion_scale: float = 1.0
    appearance_guidance: float = 2.0
    audio_guidance: float = 7.5
    window: int = 25  # frames that the network sees at once
    shift: int = 7  # by how many frames the windows move from step to step
    frame_rate_id: float = 12.5  # what the network is told


def sample(
    net: UNet,
    noise: torch.Tensor,
    image_latents: torch.Tensor,
    buckets: torch.Tensor,
    settings: Settings,
    branches_at_once: int = 3,
    **options,
) -> list[torch.Tensor]:
    """Latents float32 [frames, 4, rows, columns] in the autoencoder's space, where the noise is; then the outputs that
    options ask for.

    net            prepared for the three branches of the guidance (without image and sound, with the image, with both),
                   with image latents
    noise          float32 [frames, 4, rows, columns], standard normal
    image_latents  [1, 4, rows, columns], the mean of the autoencoder
    buckets        [frames, 2], motion buckets
    branches_at_once  1 to 3: less memory or less time, the same numbers but for rounding
    options        probes, check_finite and meter, as in networks.run
    Raises ResourceError, RuntimeError with a sentence, and what a watch raised (watch.py). A watch sees every call of
    the network.
    """
    s = settings
    tensors = {"noise": noise.float(), "image_latents": image_latents, "buckets": buckets}
    constants = {f"constants.{name}": t for name, t in net.constants.items()}
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
    ]
    return run("sample", tensors | constants, net.weights, numbers, **options)


def latent_count(frames: int, length: str = "exact") -> int:
    """How many latents (12.5 a second) are sampled for `frames` pictures of sound (25 a second): 2 n - 1 pictures cover
    them all.

    "upstream" takes half as many as pictures, so that the clip ends up to 0.12 s before the sound.
    """
    return frames // 2 + 1 if length == "exact" else frames // 2


def picture_count(frames: int, length: str = "exact", interpolate: bool = True) -> int:
    """How many pictures come out: `frames` at 25 a second, or every second one of them at 12.5.

    The decoder drops what 2 latent_count - 1 (interpolated) or latent_count pictures have beyond that.
    """
    if length == "exact":
        return frames if interpolate else (frames + 1) // 2
    latents = latent_count(frames, length)
    return max(0, 2 * latents - 1) if interpolate else latents
