"""The Sonic engine: picture and voice through the diffusion model, by the stages of sonic_nodes/model."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
import torch

from ..errors import UsageError
from ..memory.plan import Budget, Plan, Speed, dtype_text, with_retry
from ..models import video
from ..models.sampler import Settings, frame_count
from ..pipeline import FPS
from ..weights.models import Models
from .clip_spec import Clip, check_seed, costs
from .lru_cache import Recent
from .progress import Progress, followed
from .resources import budget_of, plan_for
from .stages import Stages, noise_of

PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
KEPT_BYTES = 256 << 20


@dataclass(frozen=True)
class SonicSettings:
    """steps: 20 to 30 for a finished video. dynamic_scale multiplies both motion numbers, motion_scale the second once
    more; 1 is what the model was published with. length: "exact", or "upstream" as the reference implementation cuts
    the clip."""

    steps: int = 25
    dynamic_scale: float = 1.1
    motion_scale: float = 1.05
    appearance_guidance: float = 2.0
    audio_guidance: float = 7.5
    length: str = "exact"

    def __post_init__(self):
        scales, guidance = ("dynamic_scale", "motion_scale"), ("appearance_guidance", "audio_guidance")
        limits = {"steps": (1, 1024)} | dict.fromkeys(scales, (0, 4)) | dict.fromkeys(guidance, (0, 30))
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise UsageError(f"Choose {name} between {low} and {high}: it is {getattr(self, name)}.")
        if self.length not in ("exact", "upstream"):
            raise UsageError(f"Choose the length 'exact' or 'upstream': it is {self.length!r}.")

    def sampling(self) -> Settings:
        """What the loop takes of them."""
        return Settings(
            self.steps, self.dynamic_scale, self.motion_scale, self.appearance_guidance, self.audio_guidance
        )


class SonicEngine:
    """MODEL_SONIC of the diffusion model.

    models          weights.models.Models, or an object with its refresh, sizes, stamp, heads, head_dim, tensors and
                    release
    precision       "fp32", "fp16", "bf16", or "auto": fp16 on a graphics card, on the CPU fp32, or bf16 where that does
                    not fit. It is
                    that of CLIP, the UNet and the decoder; Whisper, the adapters, the encoder and RIFE are float32
                    always
    audio_strength  how strongly the voice acts: 1 as trained, 0 not at all
    device          where the networks run
    plan            "auto", or which of plan.KINDS to force
    budget          what tells the plan.Budget; None: all that is free on the machine
    speed           plan.Speed of the machine, for times in the plan
    told            is given sentences for the user while a run goes on

    In SONIC_PREDATA two objects stand in for the model's own networks where they are there and not None: `clip_vision`
    with embed(image uint8 [H, W, 3]) -> [1, context], and `vae` with encode(image) -> [1, 4, h, w], not scaled, and
    decode(latents [n, 4, h, w]) -> [n, 3, H, W] in -1..1. They are compared with ==, to know what has been computed
    already.
    """

    name = "sonic"
    ignored = ()

    def __init__(
        self,
        models: Models,
        *,
        precision: str = "auto",
        audio_strength: float = 1.0,
        device="cpu",
        plan: str = "auto",
        budget: Callable[[], Budget] | None = None,
        speed: Speed | None = None,
        told: Callable[[str], None] = lambda _: None,
    ):
        if precision != "auto" and precision not in PRECISIONS:
            raise UsageError(f"Choose the precision auto, fp16, bf16 or fp32: it is {precision!r}.")
        if not 0 <= audio_strength <= 4:
            raise UsageError(f"Choose audio_strength between 0 and 4: it is {audio_strength}.")
        self.models, self.audio_strength, self.kind, self.speed = models, audio_strength, plan, speed
        self.device, self.dtype = torch.device(device), PRECISIONS.get(precision)
        self.budget = budget or (lambda: budget_of(self))
        self.kept, self.told = Recent(KEPT_BYTES), told
        self.offload = False

    @staticmethod
    def settings(
        inference_steps=25, dynamic_scale=1.1, motion_scale=1.05, appearance_guidance=2.0, audio_guidance=7.5, **ignored
    ):
        """SonicSettings of the nodes' inputs."""
        return SonicSettings(inference_steps, dynamic_scale, motion_scale, appearance_guidance, audio_guidance)

    def planned(self, data, settings=None):
        """The plan.Plan for these data, before any work. Raises ResourceError when nothing fits."""
        settings = settings or SonicSettings()
        return plan_for(Clip.of(data, settings.length), settings.steps, self)

    def infer(self, data, seed, settings=None, progress=None) -> dict:
        """LATENT: `samples` float32 [N, 4, H/8, W/8] at 12.5 a second, which any decoder of SVD takes; `sonic`
        describes them."""
        check_seed(seed)
        settings = settings or SonicSettings()
        clip = Clip.of(data, settings.length)
        clip.check_mask()
        self.models.refresh()
        plan = plan_for(clip, settings.steps, self)
        embedding, mean, heard, whole = self._conditions(clip, plan, settings, progress)
        start = noise_of(clip, seed)

        def attempt(plan: Plan) -> torch.Tensor:
            stages = self._stages(plan.dtype, plan.offload)
            with whole.part("prepare"):
                net = stages.prepared(clip, embedding, mean, heard, self.audio_strength)
            with whole.part("sample"):
                return stages.sampled(net, start, mean, heard.buckets, settings.sampling(), plan.branches_at_once)

        try:
            latents = with_retry(plan, attempt, self._stages(plan.dtype, plan.offload).make_room, self.told)
        finally:
            if plan.offload:
                self.models.release("unet")
        described = {
            "engine": self.name,
            "frames": clip.pictures,
            "fps": FPS / 2,
            "seed": seed,
            "settings": asdict(settings),
        }
        return {"samples": latents, "sonic": described | {"precision": dtype_text(plan.dtype), "notes": clip.notes()}}

    def decode(self, latent, data, progress=None, interpolate=True) -> Iterator[np.ndarray]:
        """Yield the pictures of `latent`, uint8 [n, H, W, 3] in order: 25 a second, or every second one when
        `interpolate` is off."""
        samples, clip, described = checked_latent(latent, data)
        self.models.refresh()
        stages = self._stages(self.dtype or PRECISIONS[described["precision"]], self.offload)
        chunks = video.decode_chunks(samples, lambda part: stages.frames(part, data.get("vae")))
        if interpolate:
            chunks = video.interpolate(chunks, stages.between)
        count = frame_count(clip.sounding, described["settings"]["length"], interpolate)
        try:
            yield from followed(video.uint8_frames(chunks, count), count, progress)
        finally:
            stages.done_with("vae", "rife")

    def _stages(self, dtype: torch.dtype, offload: bool) -> Stages:
        self.offload = offload
        return Stages(self.models, self.device, dtype, offload, self.told)

    def _conditions(self, clip: Clip, plan: Plan, settings: SonicSettings, progress) -> tuple:
        """CLIP's embedding, the autoencoder's mean, the speech's tokens; computed, or kept from the last run. And the
        Progress."""
        data, stages = clip.data, self._stages(plan.dtype, plan.offload)
        own = (
            digest(data["image"]),
            data.get("clip_vision"),
            data.get("vae"),
            self.models.stamp("clip_vision", "vae"),
            plan.dtype,
        )
        heard = digest(data["audio"]), clip.latents, self.models.stamp("whisper", "audio2token", "audio2bucket"), own
        whole = Progress(progress, costs(clip, settings.steps, own in self.kept, heard in self.kept))
        with whole.part("picture"):
            embedding, mean = self.kept.get(
                own, lambda: stages.portrait(data), lambda both: sum(t.nbytes for t in both)
            )
        with whole.part("speech") as told:
            tokens = self.kept.get(heard, lambda: stages.speech(clip, embedding, told), lambda made: made.bytes)
        return embedding, mean, tokens, whole


def digest(values: np.ndarray) -> tuple:
    """Equal for equal arrays."""
    return values.shape, hashlib.blake2b(np.ascontiguousarray(values)).digest()


def checked_latent(latent, data) -> tuple[torch.Tensor, Clip, dict]:
    """(samples, what they are of, how they were made); UsageError when another engine or other data made them."""
    described = latent.get("sonic") if isinstance(latent, dict) else None
    if not described or described.get("engine") != SonicEngine.name:
        engine = f"the built-in {described['engine']}" if described else "another sampler"
        raise UsageError(f"Connect the model that made this latent: it comes from {engine}, the model is Sonic's.")
    samples, (height, width) = latent["samples"], data["image"].shape[:2]
    if tuple(samples.shape[1:]) != (4, height // 8, width // 8):
        raise UsageError(
            f"Connect the data that made this latent: it is for pictures of {8 * samples.shape[3]} x {8 * samples.shape[2]}, "
            f"the data's is {width} x {height}."
        )
    clip = Clip.of(data, described["settings"]["length"])
    if (len(samples), described["frames"]) != (clip.latents, clip.pictures):
        raise UsageError(
            f"Connect the data that made this latent: it has {described['frames']} pictures, the data {clip.pictures}."
        )
    return samples, clip, described
