"""The built-in engine that needs no weights: speech -> mouth poses -> the portrait warped on its face mesh
(csrc/draft), or each frame of a clip (dub/)."""

import contextlib
from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
import torch

from ..errors import InputError, UsageError
from ..extension.native import _sonic
from ..models.constants import CHUNK, FPS
from ..progress import progress_callback
from .base import Description, Engine, Notify, description_in
from .progress import Report
from .settings import DraftOptions, DraftSettings, SharedSettings, limits

OPENING, WIDTH = 0, 1  # columns of a pose, csrc/draft/pose.h
POSE_COUNT, MAX_POSE = 8, 10.0  # poses are at most about 1


class DraftEngine(Engine):
    """MODEL_SONIC of the draft engine. It holds no state, so one object serves any number of clips."""

    name = "draft"
    redraws = True
    ignored = ("inference_steps", "appearance_guidance", "audio_guidance", "speed")

    @classmethod
    def open(cls, options: DraftOptions | None = None, notify: Notify = lambda _: None) -> "DraftEngine":
        return cls()

    @staticmethod
    def settings(dynamic_scale=DraftSettings.opening, motion_scale=DraftSettings.sway, **ignored) -> DraftSettings:
        """dynamic_scale is how far the mouth opens, motion_scale how far the head sways."""
        return DraftSettings(opening=dynamic_scale, sway=motion_scale)

    def plan(self, data: dict, settings: DraftSettings | None = None) -> None:
        """No plan: a clip takes seconds and a few megabytes."""

    def infer(
        self, data: dict, seed: int, settings: DraftSettings | None = None, progress: Report | None = None
    ) -> dict:
        """`samples` are zeros [frames, 4, H / 8, W / 8]; `sonic["codes"]` are the poses, float32 [frames, 8]
        (csrc/draft/pose.h)."""
        limits(SharedSettings, "seed").check("seed", seed)
        settings = settings or DraftSettings()
        frames = data["frames"]
        codes = poses_of(data, seed, settings, progress)
        height, width = data["image"].shape[:2]
        # One zero, expanded: the shape that core nodes expect without the memory of a real latent.
        samples = torch.zeros(1).expand(frames, 4, height // 8, width // 8)
        described = {
            "engine": self.name,
            "frames": frames,
            "fps": FPS,
            "seed": seed,
            "settings": asdict(settings),
            "codes": codes,
        }
        return {"samples": samples, "sonic": described}

    def check(self, latent, data: dict) -> None:
        codes_of(latent, data)

    def decode(
        self, latent: dict, data: dict, progress: Report | None = None, interpolate: bool = True
    ) -> Iterator[np.ndarray]:
        step = 1 if interpolate else 2
        if data.get("clip") is not None:
            yield from data["clip"].drawn(codes_of(latent, data), step, progress)
            return
        codes = np.ascontiguousarray(codes_of(latent, data)[::step])
        rig = rig_of(data)
        total = len(codes)
        for start in range(0, total, CHUNK):
            poses = codes[start : start + CHUNK]
            frames = np.empty((len(poses), *data["image"].shape), np.uint8)
            _sonic.draft_render(
                rig, poses, frames, progress and (lambda done, _, start=start: progress(start + done, total))
            )
            yield frames

    def describe(self, latent: dict) -> Description:
        """`commanded` are the poses that the frames were drawn from."""
        codes = latent["sonic"]["codes"]
        commanded = {"opening": rounded(codes[:, OPENING]), "width": rounded(codes[:, WIDTH])}
        return Description(summary={"commanded": commanded})


def poses_of(data: dict, seed: int, settings: DraftSettings, progress: Report | None = None) -> np.ndarray:
    """float32 [frames, 8]. progress: told of the frames whose sound is analysed. Raises InputError for sound far
    outside -1 to 1."""
    frames = data["frames"]

    def report(done, total, _):
        progress(frames * done // max(total, 1), frames)

    with progress_callback(report) if progress else contextlib.nullcontext():
        try:
            codes = _sonic.draft_poses(data["audio"], frames, seed, settings.opening, settings.sway, settings.blink)
        except ValueError as error:
            raise InputError(str(error)) from None
    if progress:
        progress(frames, frames)
    return codes


def rig_of(data: dict):
    """The portrait on its mesh. Raises InputError where the mesh lies outside the picture."""
    try:
        return _sonic.draft_rig_create(data["image"], data["mesh"])
    except ValueError as error:
        raise InputError(f"{error}.") from None


def rounded(values: np.ndarray) -> list[float]:
    """For JSON: a ten-thousandth of a face is far below what a frame shows."""
    return [round(float(value), 5) for value in values]


def codes_of(latent, data: dict) -> np.ndarray:
    """The poses in `latent`, checked against `data`."""
    described = description_in(latent)
    engine = described.get("engine", "another sampler")
    if engine != DraftEngine.name:
        raise UsageError(
            f"Connect the model that made this latent: it comes from {engine}, the model is the built-in draft."
        )
    codes = described.get("codes")
    if not are_poses(codes):
        raise UsageError("Connect the latent of Sonic Inference, unchanged: its poses are not as they were made.")
    if len(codes) != data["frames"]:
        raise UsageError(
            f"Connect the data that made this latent: it has {len(codes)} frames, the data {data['frames']}."
        )
    return codes


def are_poses(codes) -> bool:
    """Whether `codes` are float32 [frames, 8] of finite poses."""
    is_array = type(codes) is np.ndarray and codes.dtype == np.float32 and codes.ndim == 2
    return is_array and codes.shape[1] == POSE_COUNT and bool((np.abs(codes) <= MAX_POSE).all())
