"""The networks of one run, each with its weights: loaded when it is its turn, dropped after it when the plan says
so."""

import contextlib
import gc
import math
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch

from ..errors import InputError, ResourceError
from ..extension.native import _sonic
from ..models import picture, speech, video
from ..models.errors import user_errors
from ..models.sampler import Settings, sample
from ..models.speech import SpeechTokens
from ..models.unet import Conditions, UNet
from ..weights.models import Models
from .clip_spec import Clip

Result = TypeVar("Result")


class Stages:
    """Each method is a stage. When memory runs out in one, everything is dropped and it is tried once more."""

    def __init__(
        self,
        models: Models,
        device: torch.device,
        dtype: torch.dtype,
        offload: bool,
        told: Callable[[str], None] = lambda _: None,
    ):
        """dtype: of CLIP, the UNet and the decoder; all else is float32. offload: drop each network after its stage.
        told: is given sentences for the user."""
        self.models, self.device, self.dtype, self.offload, self.told = models, device, dtype, offload, told
        self.decoder_dtype = dtype

    def portrait(self, data) -> tuple[torch.Tensor, torch.Tensor]:
        """CLIP's embedding [1, context] and the autoencoder's mean, not scaled, [1, 4, h, w] of the picture; float32 in
        host memory. The user's own objects stand in for the networks: engines.sonic.SonicEngine."""
        clip_vision, vae, image = data.get("clip_vision"), data.get("vae"), data["image"]
        embedding = self._embedding(image) if clip_vision is None else clip_vision.embed(image)
        mean = self._mean(image) if vae is None else vae.encode(image)
        return embedding.float().cpu(), mean.float().cpu()

    def _embedding(self, image: np.ndarray) -> torch.Tensor:
        pixels = picture.clip_pixels(image, picture.clip_side(self.models.sizes("clip_vision")))
        heads = self.models.heads("clip_vision")
        return self._twice(
            lambda: picture.image_embedding(pixels, self._weights("clip_vision", self.dtype), heads), "clip_vision"
        )

    def _mean(self, image: np.ndarray) -> torch.Tensor:
        return self._twice(
            lambda: picture.vae_mean(picture.vae_pixels(image), self._weights("vae", torch.float32)), "vae"
        )

    def speech(self, clip: Clip, embedding: torch.Tensor, told: Callable[[int, int], None]) -> SpeechTokens:
        audio, total = clip.data["audio"], speech.progress_steps(len(clip.data["audio"]), clip.latents)
        own = "whisper", "audio2token", "audio2bucket"

        def attempt():
            done = iter(range(1, total + 1))
            another = lambda: told(next(done), total)  # noqa: E731
            whisper, tokens, bucket = (self._weights(key, torch.float32) for key in own)
            states = speech.States(audio, clip.heard, whisper, self.models.heads("whisper"), another)
            return speech.speech_tokens(states, embedding, clip.latents, tokens, bucket, another)

        return self._twice(attempt, *own)

    def prepared(
        self, clip: Clip, embedding: torch.Tensor, mean: torch.Tensor, heard: SpeechTokens, audio_strength: float
    ) -> UNet:
        """The UNet with the constants of this run."""
        with user_errors("preparing the UNet"):
            net = UNet(self._weights("unet", self.dtype), self.models.head_dim())
            net.prepare(conditions_of(clip, embedding, mean, heard, audio_strength))
            return net

    def sampled(
        self,
        net: UNet,
        start: torch.Tensor,
        mean: torch.Tensor,
        buckets: torch.Tensor,
        settings: Settings,
        branches: int,
    ) -> torch.Tensor:
        """Latents float32 [N, 4, h, w], already / 0.18215."""
        with user_errors("sampling"):
            try:
                return sample(net, start, mean, buckets, settings, branches)[0].cpu()
            except RuntimeError as error:
                if "not finite" not in str(error) or "after step 1 " not in str(error):
                    raise
            # stops at the layer, which it names
            sample(net, start, mean, buckets, settings, branches, check_finite=True)
            raise InputError(
                "Choose precision fp32 or bf16, or other weight files: the latents are not finite (sampling)."
            )

    def frames(self, latents: torch.Tensor, stand_in=None) -> torch.Tensor:
        """[n, 3, H, W] in -1..1 of the few latents that are decoded together."""
        if stand_in is not None:
            return stand_in.decode(latents)
        try:
            return self._twice(lambda: video.decode_chunk(latents, self._weights("vae", self.decoder_dtype)))
        except InputError:
            if self.decoder_dtype != torch.float16:
                raise
        # An hour's latents are at stake: SVD's decoder is known to leave fp16's range with some pictures.
        self.decoder_dtype = torch.float32
        made = self._twice(lambda: video.decode_chunk(latents, self._weights("vae", torch.float32)))
        self.told("The decoder left the range of fp16: frames from here on are decoded in fp32, which takes longer.")
        return made

    def between(self, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        return self._twice(lambda: video.between(before, after, self._weights("rife", torch.float32)))

    def done_with(self, *keys: str):
        if self.offload:
            self.models.release(*keys)

    def make_room(self):
        self.models.release()
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _weights(self, key: str, dtype: torch.dtype) -> dict[str, torch.Tensor]:
        with user_errors("loading weights"):
            return self.models.tensors(key, dtype, self.device)

    def _twice(self, attempt: Callable[[], Result], *networks: str) -> Result:
        """attempt(), once more with nothing else in memory when that ran out; after it the plan may drop `networks`."""
        try:
            with contextlib.suppress(ResourceError):
                return attempt()
            self.make_room()
            return attempt()
        finally:
            if networks:
                self.done_with(*networks)


def conditions_of(
    clip: Clip, embedding: torch.Tensor, mean: torch.Tensor, heard: SpeechTokens, audio_strength: float
) -> Conditions:
    """Of the three branches of the guidance: without picture and sound, with the picture, with both."""
    token, silence = embedding[:, None], heard.silence[None]
    return Conditions(
        image=[torch.zeros_like(token), token, token],
        audio=[silence, silence, heard.tokens],
        face_mask=clip.mask,
        rows=clip.rows,
        columns=clip.columns,
        window=Settings.window,
        image_latents=[torch.zeros_like(mean[0]), mean[0], mean[0]],
        audio_scale=audio_strength,
    )


def noise_of(clip: Clip, seed: int) -> torch.Tensor:
    """float32 [N, 4, h, w] that this seed gives on every machine. The reference implementation draws a picture of noise
    before it."""
    generator = _sonic.generator(seed)
    if clip.upstream:
        _sonic.normal(generator, clip.data["image"].size)
    shape = (clip.latents, 4, clip.rows, clip.columns)
    return torch.from_numpy(_sonic.normal(generator, math.prod(shape))).view(shape)
