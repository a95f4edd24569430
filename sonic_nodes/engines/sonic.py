"""The Sonic engine: portrait and voice through the diffusion model (sonic_nodes/models)."""

import functools
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, fields, replace

import numpy as np
import torch

from .. import kernels
from ..errors import UsageError
from ..memory.benchmark import Speed, speed_of
from ..memory.estimate import longest_share
from ..memory.plan import Budget, Plan, dtype_text, with_retry
from ..memory.stage import Stage
from ..models import video
from ..models.constants import LATENT_FPS
from ..models.sampler import SPEEDS, Settings, frame_count
from ..weights.models import Models
from .base import Description, Engine, Notify, description_in
from .clip_spec import ClipSpec
from .devices import (
    DTYPES,
    check_operators,
    computable,
    device_errors,
    devices_of,
    dtype_on_all,
    no_float16_sums,
    usual_dtype,
)
from .lru_cache import LruCache
from .progress import Progress, Report, chunks_with_progress
from .resources import budget_of, plan_for
from .settings import LENGTHS, SharedSettings, SonicOptions, SonicSettings, limits
from .stages import Stages, noise_of

CACHE_BYTES = 256 << 20
PROGRESS_UNIT_FLOP = 10**6  # fine enough for the smallest networks; an hour's clip stays below 2^53
TERMS = (
    "The weights of Sonic are published for non-commercial use, those of Stable Video Diffusion under Stability AI's "
    "licences."
)


class SonicEngine(Engine):
    """MODEL_SONIC of the diffusion model.

    models          weights.models.Models, or an object with its refresh, sizes, stamp, heads, head_dim, tensors,
                    copy, release and held_bytes
    precision       "fp32", "fp16", "bf16", or "auto": fp16 on a graphics card; on the CPU fp32, or bf16 where fp32 does
                    not fit. It applies to CLIP, the UNet and the decoder; Whisper, the adapters, the encoder and RIFE
                    are always float32
    audio_strength  how strongly the voice acts: 1 as trained, 0 not at all
    device          where the networks run
    others          further cards of that kind, which share the calls of the UNet: the bits are those of one card
    plan            "auto", or one of memory.KINDS to restrict the choice
    budget          returns the plan.Budget; None: all that is free on the machine
    speed           benchmark.Speed of the machine, for times in the plan; calibrate() measures it
    notify          called with sentences for the user during a run

    SONIC_PREDATA may hold two objects that replace the model's own networks: `clip_vision` with
    embed(image uint8 [H, W, 3]) -> [1, context], and `vae` with encode(image) -> [1, 4, h, w], not scaled, and
    decode(latents [n, 4, h, w]) -> [n, 3, H, W] in -1..1. They are compared with ==, as a part of the cache's key.
    """

    name = "sonic"

    def __init__(
        self,
        models: Models,
        *,
        precision: str = SonicOptions.precision,
        audio_strength: float = SonicOptions.audio_strength,
        device="cpu",
        others: Sequence = (),
        plan: str = SonicOptions.plan,
        budget: Callable[[], Budget] | None = None,
        speed: Speed | None = None,
        notify: Notify = lambda _: None,
    ):
        SonicOptions(precision=precision, audio_strength=audio_strength, plan=plan)  # raises UsageError
        self.models, self.audio_strength, self.kind, self.speed = models, audio_strength, plan, speed
        self.device, self.others = torch.device(device), tuple(torch.device(other) for other in others)
        self.dtype = dtype_on_all(self.devices, precision)
        self.budget = budget or (lambda: budget_of(self))
        self.cache, self.notify = LruCache(CACHE_BYTES), notify
        self.offload = False

    @classmethod
    def open(cls, options: SonicOptions, notify: Notify = lambda _: None) -> "SonicEngine":
        models = Models.in_folder(
            options.models or os.environ.get("SONIC_MODELS", "models"), options.unet, options.checkpoint
        )
        device, *others = devices_of(options.device)
        return cls(
            models,
            precision=options.precision,
            audio_strength=options.audio_strength,
            device=device,
            others=others,
            plan=options.plan,
            notify=notify,
        )

    @property
    def devices(self) -> tuple[torch.device, ...]:
        return self.device, *self.others

    @staticmethod
    def settings(inference_steps=SonicSettings.steps, **inputs) -> SonicSettings:
        known = {f.name for f in fields(SonicSettings)}
        return SonicSettings(inference_steps, **{name: value for name, value in inputs.items() if name in known})

    def plan(self, data: dict, settings: SonicSettings | None = None) -> Plan:
        settings = settings or SonicSettings()
        refuse_clip(data)
        with device_errors(self.devices, self.models.release):
            return plan_for(ClipSpec.of(data, settings.length), sampler_settings(settings), self)

    def calibrate(self, dtype: torch.dtype | None = None):
        if self.speed is None:
            dtype = dtype or self.dtype or usual_dtype(self.device)
            self.speed = functools.reduce(Speed.at_most, (speed_of(device, dtype) for device in self.devices))

    def infer(
        self, data: dict, seed: int, settings: SonicSettings | None = None, progress: Report | None = None
    ) -> dict:
        """`samples` are float32 at 12.5 a second; any decoder of SVD takes them."""
        limits(SharedSettings, "seed").check("seed", seed)
        settings = settings or SonicSettings()
        refuse_clip(data)
        clip = ClipSpec.of(data, settings.length)
        clip.check_mask()
        with device_errors(self.devices, self.models.release):
            for device in self.devices:
                check_operators(device, self.dtype or usual_dtype(device))
            self.models.refresh()
            plan = plan_for(clip, sampler_settings(settings), self)
            self._prepare_kernels(plan.dtype)
            chosen = self._usable(sampler_settings(settings), plan.dtype)
        free_memory = self._stages(plan.dtype, plan.offload, plan.stream).free_memory
        with device_errors(self.devices, free_memory):
            embedding, mean, tokens, run_progress = self._conditions(clip, plan, progress)
        noise = noise_of(clip, seed)

        def attempt(plan: Plan) -> torch.Tensor:
            stages = self._stages(plan.dtype, plan.offload, plan.stream)
            with run_progress.during(Stage.CONSTANTS):
                net = stages.constants(clip, embedding, mean, tokens, self.audio_strength)
            with run_progress.during(Stage.SAMPLING):
                return stages.sampling(net, noise, mean, tokens.buckets, chosen, plan.branches_at_once)

        try:
            with device_errors(self.devices, free_memory):
                latents = with_retry(plan, attempt, free_memory, self.notify)
        finally:
            if plan.offload:
                self.models.release("unet")
        described = {
            "engine": self.name,
            "frames": clip.frames,
            "fps": LATENT_FPS,
            "seed": seed,
            "settings": asdict(settings),
        }
        return {"samples": latents, "sonic": described | {"precision": dtype_text(plan.dtype), "notes": clip.notes()}}

    def _prepare_kernels(self, dtype: torch.dtype) -> None:
        reason = kernels.prepare_all(self.devices, dtype) if self.device.type == "cuda" else ""
        if reason:
            self.notify(f"PyTorch's own kernels are used, which takes longer: {reason}.")

    def _usable(self, chosen: Settings, dtype: torch.dtype) -> Settings:
        """`chosen` without what these cards gain nothing from."""
        if not chosen.fp16_accumulation:
            return chosen
        reason = next(filter(None, (no_float16_sums(device, dtype) for device in self.devices)), "")
        if reason:
            self.notify(f"fp16 accumulation is left out: {reason}.")
        return replace(chosen, fp16_accumulation=not reason)

    def check(self, latent, data: dict) -> None:
        checked_latent(latent, data)

    def decode(
        self, latent: dict, data: dict, progress: Report | None = None, interpolate: bool = True
    ) -> Iterator[np.ndarray]:
        samples, clip, described = checked_latent(latent, data)
        self.models.refresh()
        dtype = self.dtype or computable(self.device, DTYPES[described["precision"]])
        check_operators(self.device, dtype)
        stages = self._stages(dtype, self.offload)
        chunks = video.decode_chunks(samples, lambda part: stages.decoding(part, data.get("vae")))
        if interpolate:
            chunks = video.interpolate(chunks, stages.in_between)
        count = frame_count(clip.sound_frames, described["settings"]["length"], interpolate)
        try:
            with device_errors((self.device,), stages.free_memory):
                yield from chunks_with_progress(video.uint8_frames(chunks, count), count, progress)
        finally:
            stages.release("vae", "rife")

    def describe(self, latent: dict) -> Description:
        facts = {name: latent["sonic"][name] for name in ("precision", "settings")}
        files = {key: self.models.paths[key].name for key in ("unet", "vae")}
        return Description({"model": files, **facts, "terms": TERMS}, facts)

    def _stages(self, dtype: torch.dtype, offload: bool, stream: bool = False) -> Stages:
        self.offload = offload
        return Stages(self.models, self.device, dtype, offload, self.notify, stream, self.others)

    def _conditions(self, clip: ClipSpec, plan: Plan, progress: Report | None) -> tuple:
        """(CLIP's embedding, the autoencoder's mean, the speech tokens, the Progress of the run). Computed, or kept
        from the last run."""
        data, stages = clip.data, self._stages(plan.dtype, plan.offload, plan.stream)
        portrait = (
            digest(data["image"]),
            data.get("clip_vision"),
            data.get("vae"),
            self.models.stamp("clip_vision", "vae"),
            plan.dtype,
        )
        speech = (
            digest(data["audio"]),
            clip.latents,
            self.models.stamp("whisper", "audio2token", "audio2bucket"),
            portrait,
        )
        run_progress = Progress(progress, progress_costs(plan, portrait in self.cache, speech in self.cache))
        with run_progress.during(Stage.PICTURE, Stage.ENCODING):
            embedding, mean = self.cache.get(
                portrait,
                lambda: (stages.picture(data), stages.encoding(data)),
                lambda both: sum(tensor.nbytes for tensor in both),
            )
        with run_progress.during(Stage.SOUND) as advance:
            tokens = self.cache.get(speech, lambda: stages.sound(clip, embedding, advance), lambda tokens: tokens.bytes)
        return embedding, mean, tokens, run_progress


def sampler_settings(settings: SonicSettings) -> Settings:
    values = asdict(settings)
    left_out = SPEEDS[values.pop("speed")]
    del values["length"]
    return Settings(**values, **left_out)


def progress_costs(plan: Plan, is_portrait_cached: bool, is_speech_cached: bool) -> dict[Stage, int]:
    """Of the stages of infer, by the meter. Stages whose results are kept from the last run cost nothing."""
    cached = {
        Stage.PICTURE: is_portrait_cached,
        Stage.ENCODING: is_portrait_cached,
        Stage.SOUND: is_speech_cached,
        Stage.CONSTANTS: False,
        Stage.SAMPLING: False,
    }
    shared = longest_share(
        plan.latent_frames, plan.steps, plan.branches_at_once, plan.shortcuts, devices=1 + len(plan.others)
    )
    return {
        stage: 0 if is_cached else round(part * plan.stage(stage).flops / PROGRESS_UNIT_FLOP)
        for stage, is_cached in cached.items()
        for part in [shared if stage == Stage.SAMPLING else 1]
    }


def digest(values: np.ndarray) -> tuple:
    """Equal for equal arrays."""
    return values.shape, hashlib.blake2b(np.ascontiguousarray(values)).digest()


def checked_latent(latent, data: dict) -> tuple[torch.Tensor, ClipSpec, dict]:
    """(samples, their clip, how they were made). Raises UsageError when another engine or other data made them."""
    described = description_in(latent)
    if described.get("engine") != SonicEngine.name:
        engine = f"the built-in {described['engine']}" if described else "another sampler"
        raise UsageError(f"Connect the model that made this latent: it comes from {engine}, the model is Sonic's.")
    samples, (height, width) = latent.get("samples"), data["image"].shape[:2]
    if not is_as_described(samples, described):
        raise UsageError("Connect the latent of Sonic Inference, unchanged: its entries are not as they were made.")
    if tuple(samples.shape[1:]) != (4, height // 8, width // 8):
        raise UsageError(
            f"Connect the data that made this latent: its frames have {8 * samples.shape[3]} x {8 * samples.shape[2]} "
            f"pixels, the data's image has {width} x {height}."
        )
    clip = ClipSpec.of(data, described["settings"]["length"])
    if (len(samples), described["frames"]) != (clip.latents, clip.frames):
        raise UsageError(
            f"Connect the data that made this latent: it has {described['frames']} frames, the data {clip.frames}."
        )
    return samples, clip, described


def is_as_described(samples, described: dict) -> bool:
    """Whether a latent has what `decode` reads of it: finite samples [n, 4, h, w], and length, precision and frames."""
    settings, precision = described.get("settings"), described.get("precision")
    length = settings.get("length") if type(settings) is dict else None
    if type(length) is not str or length not in LENGTHS or type(precision) is not str:
        return False
    is_tensor = isinstance(samples, torch.Tensor) and samples.is_floating_point() and samples.ndim == 4
    is_counted = precision in DTYPES and type(described.get("frames")) is int
    return is_counted and is_tensor and bool(torch.isfinite(samples).all())


def refuse_clip(data: dict) -> None:
    if data.get("clip") is not None:
        raise UsageError(
            "Choose 'built-in draft' in the Sonic Loader, or give a picture: only the draft engine gives a video clip "
            "a new mouth."
        )
