"""The portrait's part: what CLIP and the autoencoder see of it, and what they make of it."""

import math

import numpy as np
import torch
from PIL import Image

from ..weights.sizes import uses_conditioner_encoder
from .call import run
from .errors import explained, finite

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)  # OpenAI's, which OpenCLIP's ViT-H/14 was trained with too
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def clip_side(sizes: dict) -> int:
    """Pixels a side of the square that CLIP looks at: its tokens but one are the patches of that square."""
    return sizes["patch"] * math.isqrt(sizes["tokens"] - 1)


def clip_pixels(image: np.ndarray, side: int) -> torch.Tensor:
    """uint8 [H, W, 3] -> float32 [1, 3, side, side], normalised. The picture is squashed into the square, not cropped,
    as Sonic does."""
    squashed = np.array(Image.fromarray(image).resize((side, side), Image.Resampling.LANCZOS))
    levels = torch.from_numpy(squashed).float().div_(255)
    return ((levels - torch.tensor(CLIP_MEAN)) / torch.tensor(CLIP_STD)).permute(2, 0, 1)[None].contiguous()


def image_embedding(pixels: torch.Tensor, weights: dict[str, torch.Tensor], heads: int) -> torch.Tensor:
    """float32 [1, context] in host memory."""

    def run_it(check_finite=False):
        return run("clip_vision", {"pixels": beside(pixels, weights)}, weights, [heads], check_finite=check_finite)[0]

    with explained("looking at the portrait with CLIP"):
        return finite(run_it(), "looking at the portrait with CLIP", lambda: run_it(True)).float().cpu()


def vae_pixels(image: np.ndarray) -> torch.Tensor:
    """uint8 [H, W, 3] -> float32 [1, 3, H, W] in -1..1."""
    levels = torch.from_numpy(np.ascontiguousarray(image)).float()
    return levels.div_(255).sub_(0.5).div_(0.5).permute(2, 0, 1)[None].contiguous()


def vae_mean(pixels: torch.Tensor, weights: dict[str, torch.Tensor]) -> torch.Tensor:
    """The mean of the latents' distribution, not scaled: float32 [1, 4, H / 8, W / 8] in host memory."""

    def run_it(check_finite=False):
        conditioner = int(uses_conditioner_encoder(weights))
        return run(
            "vae_encoder", {"picture": beside(pixels, weights)}, weights, [conditioner], check_finite=check_finite
        )[0]

    with explained("encoding the portrait"):
        return finite(run_it(), "encoding the portrait", lambda: run_it(True)).float().cpu()


def beside(tensor: torch.Tensor, weights: dict[str, torch.Tensor]) -> torch.Tensor:
    """On the weights' device and of their type."""
    like = next(iter(weights.values()))
    return tensor.to(like.device, like.dtype)
