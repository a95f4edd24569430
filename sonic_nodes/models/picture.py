"""The portrait's networks: CLIP's image encoder and the VAE encoder, with their preprocessing."""

import math

import numpy as np
import torch
from PIL import Image

from ..weights.sizes import uses_conditioner_encoder
from .call import run_network
from .errors import require_finite, user_errors

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)  # OpenAI's, which OpenCLIP's ViT-H/14 was trained with too
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def clip_side(sizes: dict) -> int:
    """Pixels per side of CLIP's square input: one token for each patch, and the class token."""
    return sizes["patch"] * math.isqrt(sizes["tokens"] - 1)


def clip_pixels(image: np.ndarray, side: int) -> torch.Tensor:
    """uint8 [H, W, 3] -> float32 [1, 3, side, side], normalised. Stretched to the square, not cropped, as in Sonic."""
    square = np.array(Image.fromarray(image).resize((side, side), Image.Resampling.LANCZOS))
    levels = torch.from_numpy(square).float().div_(255)
    return ((levels - torch.tensor(CLIP_MEAN)) / torch.tensor(CLIP_STD)).permute(2, 0, 1)[None].contiguous()


def image_embedding(pixels: torch.Tensor, weights: dict[str, torch.Tensor], heads: int) -> torch.Tensor:
    """CLIP's embedding: float32 [1, context] in host memory."""

    def embed(check_finite=False):
        inputs = {"pixels": match_weights(pixels, weights)}
        return run_network("clip_vision", inputs, weights, [heads], check_finite=check_finite)[0]

    stage = "encoding the portrait with CLIP"
    with user_errors(stage):
        return require_finite(embed(), stage, lambda: embed(True)).float().cpu()


def vae_pixels(image: np.ndarray) -> torch.Tensor:
    """uint8 [H, W, 3] -> float32 [1, 3, H, W] in -1..1."""
    levels = torch.from_numpy(np.ascontiguousarray(image)).float()
    return levels.div_(255).sub_(0.5).div_(0.5).permute(2, 0, 1)[None].contiguous()


def vae_mean(pixels: torch.Tensor, weights: dict[str, torch.Tensor]) -> torch.Tensor:
    """The mean of the latent distribution, not scaled: float32 [1, 4, H / 8, W / 8] in host memory."""

    def encode(check_finite=False):
        inputs, conditioner = {"picture": match_weights(pixels, weights)}, int(uses_conditioner_encoder(weights))
        return run_network("vae_encoder", inputs, weights, [conditioner], check_finite=check_finite)[0]

    stage = "encoding the portrait"
    with user_errors(stage):
        return require_finite(encode(), stage, lambda: encode(True)).float().cpu()


def match_weights(tensor: torch.Tensor, weights: dict[str, torch.Tensor]) -> torch.Tensor:
    """`tensor` on the device and in the dtype of the weights."""
    weight = next(iter(weights.values()))
    return tensor.to(weight.device, weight.dtype)
