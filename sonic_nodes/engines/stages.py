"""The stages of one run. Each loads the networks it needs, and drops them afterwards when the plan says so."""

import contextlib
import gc
import math
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from ..errors import InputError, ResourceError
from ..extension.native import _sonic
from ..memory.device import clear_cache
from ..models import picture, speech, video
from ..models.errors import user_errors
from ..models.sampler import Settings, sample
from ..models.speech import SpeechTokens
from ..models.unet import Conditions, UNet
from ..weights.models import Models
from .clip_spec import ClipSpec

Result = TypeVar("Result")


class Stages:
    """A method for each memory.stage.Stage. When memory runs out in one, all networks are dropped and it runs once
    more."""

    def __init__(
        self,
        models: Models,
        device: torch.device,
        dtype: torch.dtype,
        offload: bool,
        notify: Callable[[str], None] = lambda _: None,
        stream: bool = False,
        others: Sequence[torch.device] = (),
    ):
        """dtype: of CLIP, the UNet and the decoder; the other networks are float32. offload: drop each network after
        its stage. notify: called with sentences for the user. stream: the UNet's weights stay in host memory. others:
        further cards, which share the calls of the UNet."""
        self.models, self.device, self.dtype, self.offload, self.notify = models, device, dtype, offload, notify
        self.decoder_dtype, self.stream, self.others = dtype, stream, others

    def picture(self, data: dict) -> torch.Tensor:
        """CLIP's embedding [1, context] of the portrait; float32 in host memory. data["clip_vision"] replaces the
        network: engines.sonic.SonicEngine."""
        image, clip_vision = data["image"], data.get("clip_vision")
        if clip_vision is not None:
            return clip_vision.embed(image).float().cpu()
        pixels = picture.clip_pixels(image, picture.clip_side(self.models.sizes("clip_vision")))
        heads = self.models.heads("clip_vision")
        embedding = self._retried(
            lambda: picture.image_embedding(pixels, self._weights("clip_vision", self.dtype), heads), "clip_vision"
        )
        return embedding.float().cpu()

    def encoding(self, data: dict) -> torch.Tensor:
        """The autoencoder's mean of the portrait, not scaled: [1, 4, h, w]; float32 in host memory. data["vae"]
        replaces the network."""
        image, vae = data["image"], data.get("vae")
        if vae is not None:
            return vae.encode(image).float().cpu()
        mean = self._retried(
            lambda: picture.vae_mean(picture.vae_pixels(image), self._weights("vae", torch.float32)), "vae"
        )
        return mean.float().cpu()

    def sound(self, clip: ClipSpec, embedding: torch.Tensor, advance: Callable[[int, int], None]) -> SpeechTokens:
        """Audio tokens and motion buckets. advance(done, total): called after each piece of 30 s."""
        audio, total = clip.data["audio"], speech.progress_steps(len(clip.data["audio"]), clip.latents)
        networks = "whisper", "audio2token", "audio2bucket"

        def attempt():
            done = iter(range(1, total + 1))
            next_piece = lambda: advance(next(done), total)  # noqa: E731
            whisper, tokens, bucket = (self._weights(key, torch.float32) for key in networks)
            states = speech.States(audio, clip.speech_rows, whisper, self.models.heads("whisper"), next_piece)
            return speech.speech_tokens(states, embedding, clip.latents, tokens, bucket, next_piece)

        return self._retried(attempt, *networks)

    def constants(
        self, clip: ClipSpec, embedding: torch.Tensor, mean: torch.Tensor, tokens: SpeechTokens, audio_strength: float
    ) -> UNet:
        """The UNet with the constants of this run."""
        with user_errors("preparing the UNet"):
            net = UNet(self._weights("unet", self.dtype), self.models.head_dim())
            net.prepare(conditions_of(clip, embedding, mean, tokens, audio_strength))
            return net

    def sampling(
        self,
        net: UNet,
        noise: torch.Tensor,
        mean: torch.Tensor,
        buckets: torch.Tensor,
        settings: Settings,
        branches: int,
    ) -> torch.Tensor:
        """Latents float32 [N, 4, h, w], already divided by 0.18215."""
        others = [self._copy(net, device) for device in self.others]
        with user_errors("sampling"):
            try:
                return sample(net, noise, mean, buckets, settings, branches, others=others)[0].cpu()
            except RuntimeError as error:
                if "not finite" not in str(error) or "after step 1 " not in str(error):
                    raise
            # fails at the first layer whose output is not finite, with its name
            sample(net, noise, mean, buckets, settings, branches, others=others, check_finite=True)
            raise InputError(
                "Choose precision fp32 or bf16, or other weight files: the latents are not finite (sampling)."
            )

    def decoding(self, latents: torch.Tensor, vae=None) -> torch.Tensor:
        """One chunk of latents to frames [n, 3, H, W] in -1..1. vae: data["vae"], which replaces the network."""
        if vae is not None:
            return vae.decode(latents)
        try:
            return self._retried(lambda: video.decode_chunk(latents, self._weights("vae", self.decoder_dtype)))
        except InputError:
            if self.decoder_dtype != torch.float16:
                raise
        # Some portraits overflow fp16 in SVD's decoder. Failing here would waste the sampling, maybe an hour of it.
        self.decoder_dtype = torch.float32
        frames = self._retried(lambda: video.decode_chunk(latents, self._weights("vae", torch.float32)))
        self.notify("The decoder left the range of fp16: frames from here on are decoded in fp32, which takes longer.")
        return frames

    def in_between(self, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        """The interpolated frame."""
        return self._retried(lambda: video.between(before, after, self._weights("rife", torch.float32)))

    def release(self, *networks: str):
        """Drops networks whose stage is over, if the plan says so."""
        if self.offload:
            self.models.release(*networks)

    def free_memory(self):
        """Drops all networks."""
        self.models.release()
        gc.collect()
        clear_cache(self.device)

    def _weights(self, key: str, dtype: torch.dtype) -> dict[str, torch.Tensor]:
        with user_errors("loading weights"):
            return self.models.tensors(key, dtype, self.device, **({"stream": True} if self._streams(key) else {}))

    def _copy(self, net: UNet, device: torch.device) -> UNet:
        with user_errors(f"copying the UNet to {device}"):
            return net.on(device, self.models.copy("unet", device))

    def _streams(self, key: str) -> bool:
        return self.stream and key == "unet"

    def _retried(self, attempt: Callable[[], Result], *networks: str) -> Result:
        """attempt(); when memory runs out, free_memory() and attempt() once more. Then release(networks)."""
        try:
            with contextlib.suppress(ResourceError):
                return attempt()
            self.free_memory()
            return attempt()
        finally:
            if networks:
                self.release(*networks)


def conditions_of(
    clip: ClipSpec, embedding: torch.Tensor, mean: torch.Tensor, tokens: SpeechTokens, audio_strength: float
) -> Conditions:
    """Of the three branches of the guidance: without image and sound, with the image, with both."""
    image, silence = embedding[:, None], tokens.silence[None]
    return Conditions(
        image=[torch.zeros_like(image), image, image],
        audio=[silence, silence, tokens.tokens],
        face_mask=clip.mask,
        rows=clip.rows,
        columns=clip.columns,
        window=Settings.window,
        image_latents=[torch.zeros_like(mean[0]), mean[0], mean[0]],
        audio_scale=audio_strength,
    )


def noise_of(clip: ClipSpec, seed: int) -> torch.Tensor:
    """float32 [N, 4, h, w], the same on every machine. The reference implementation first draws noise of the image's
    size."""
    generator = _sonic.generator(seed)
    if clip.upstream:
        _sonic.normal(generator, clip.data["image"].size)
    shape = (clip.latents, 4, clip.rows, clip.columns)
    return torch.from_numpy(_sonic.normal(generator, math.prod(shape))).view(shape)
