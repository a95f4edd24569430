"""The two recorded clips of tests/golden with their tiny networks, and an even smaller network with a random clip for
tests of many runs."""

from dataclasses import dataclass

import torch

from sonic_nodes.models import sampler
from sonic_nodes.models import unet as model
from tests.models.golden import read, weights
from tests.oracles import unet_weights as layout

HEAD_DIM, ROWS, COLUMNS, DECODED_AT_ONCE = 32, 8, 16, 3
SMALL = {"channels": (32, 32), "attends": (True, False), "layers": 1, "context": 16, "embedding": 128, "ids": 48}
SMALL_ROWS, SMALL_TOKENS = 4, 2


@dataclass(frozen=True)
class Clip:
    name: str
    settings: sampler.Settings


TWO_WINDOWS = Clip("pipeline_2window", sampler.Settings(steps=3, window=5, shift=2))
SHORT_CLIP = Clip("pipeline_shortclip", sampler.Settings(steps=2, window=9, shift=2, dynamic_scale=1.5))


def golden_weights(dtype=torch.float32):
    return weights("unet_tiny_weights_a", dtype) | weights("unet_tiny_weights_b", dtype)


def prepared(unet, image, silence, tokens, latents, mask, window: int) -> model.UNet:
    """The network, prepared for the three branches: without image and audio, with the image, with both."""
    net = model.UNet(unet, HEAD_DIM)
    net.prepare(
        model.Conditions(
            [torch.zeros_like(image), image, image],
            [silence, silence, tokens],
            mask,
            *latents.shape[1:],
            window,
            [torch.zeros_like(latents), latents, latents],
        )
    )
    return net


def sampled(clip: Clip, unet, branches_at_once: int = 3, **options) -> list[torch.Tensor]:
    """Samples the recorded clip."""
    g = read(clip.name)
    image, silence, mask = g["image_embeds"][None], g["audio_tokens_uncond"][None], g["face_mask"].float()
    net = prepared(unet, image, silence, g["audio_tokens"], g["vae_mean"][0], mask, clip.settings.window)
    return sampler.sample(
        net, g["noise_latents"][0], g["vae_mean"], g["bucket_scaled"], clip.settings, branches_at_once, **options
    )


class SmallClip:
    """A random clip of any length, with a network of one res block a level. device, dtype: of the network; the clip is
    in host memory."""

    def __init__(
        self,
        frames: int,
        window: int,
        seed: int = 0,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        **settings,
    ):
        generator = torch.Generator().manual_seed(seed)

        def random(*shape):
            return torch.randn(shape, generator=generator)

        self.settings = sampler.Settings(**{"steps": 1, "window": window, "shift": 1} | settings)
        self.image_latents, self.noise = random(4, SMALL_ROWS, SMALL_ROWS), random(frames, 4, SMALL_ROWS, SMALL_ROWS)
        self.buckets = 20 + random(frames, 2)
        image, silence, tokens = (
            random(n, k, SMALL["context"]) for n, k in ((1, 1), (1, SMALL_TOKENS), (frames, SMALL_TOKENS))
        )
        mask = torch.ones(8 * SMALL_ROWS, 8 * SMALL_ROWS)
        weights = {name: w.to(device, dtype) for name, w in layout.random(**SMALL).items()}
        self.net = prepared(weights, image, silence, tokens, self.image_latents, mask, window)

    def sample(self, branches_at_once: int = 3, **options) -> list[torch.Tensor]:
        return sampler.sample(
            self.net, self.noise, self.image_latents[None], self.buckets, self.settings, branches_at_once, **options
        )
