"""The two recorded clips of tests/golden, and how they are sampled with the tiny networks."""
from dataclasses import dataclass

import torch

from sonic_nodes.model import sampler
from sonic_nodes.model import unet as model

from ..model.golden import read, weights

HEAD_DIM, ROWS, COLUMNS, DECODED_AT_ONCE = 32, 8, 16, 3


@dataclass(frozen=True)
class Clip:
    name: str
    settings: sampler.Settings


TWO_WINDOWS = Clip("pipeline_2window", sampler.Settings(steps=3, window=5, shift=2))
SHORT_CLIP = Clip("pipeline_shortclip", sampler.Settings(steps=2, window=9, shift=2, dynamic_scale=1.5))


def unet_weights(dtype=torch.float32):
    return weights("unet_tiny_weights_a", dtype) | weights("unet_tiny_weights_b", dtype)


def prepared(unet, golden, window: int) -> model.UNet:
    """The network (weights or a UNet), prepared for a clip."""
    net = unet if isinstance(unet, model.UNet) else model.UNet(unet, HEAD_DIM)
    image, silence, picture = golden["image_embeds"][None], golden["audio_tokens_uncond"][None], golden["vae_mean"][0]
    net.prepare(model.Conditions(
        [torch.zeros_like(image), image, image], [silence, silence, golden["audio_tokens"]], golden["face_mask"].float(), ROWS, COLUMNS,
        window, [torch.zeros_like(picture), picture, picture]))
    return net


def sampled(clip: Clip, unet, branches_at_once: int = 3, settings: sampler.Settings | None = None, **options) -> list[torch.Tensor]:
    golden, settings = read(clip.name), settings or clip.settings
    net, noise = prepared(unet, golden, settings.window), golden["noise_latents"][0]
    return sampler.sample(net, noise, golden["vae_mean"], golden["bucket_scaled"], settings, branches_at_once, **options)
