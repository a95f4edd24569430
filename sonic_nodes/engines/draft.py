"""The built-in engine that needs no weights: speech -> mouth poses -> the portrait warped on its face mesh
(csrc/draft)."""

from dataclasses import asdict, dataclass

import numpy as np
import torch

from ..errors import UsageError
from ..extension.native import _sonic
from ..pipeline import FPS

OPENING, WIDTH = 0, 1  # columns of a pose, csrc/draft/pose.h
CHUNK_FRAMES = 8


@dataclass(frozen=True)
class DraftSettings:
    """What acts on the draft engine. Each is a factor: 1 is natural, 0 switches it off."""

    opening: float = 1.0
    sway: float = 1.0
    blink: float = 1.0

    def __post_init__(self):
        for name, value in asdict(self).items():
            if not 0.0 <= value <= 4.0:
                raise UsageError(f"Choose {name} between 0 and 4: it is {value}.")


class DraftEngine:
    """MODEL_SONIC of the draft engine. It holds no state, so one object serves any number of clips."""

    name = "draft"
    ignored = ("inference_steps", "appearance_guidance", "audio_guidance", "speed")

    @staticmethod
    def settings(dynamic_scale=1.0, motion_scale=1.0, **ignored):
        """DraftSettings of the nodes' inputs: dynamic_scale is how far the mouth opens, motion_scale how far the head
        sways."""
        return DraftSettings(opening=dynamic_scale, sway=motion_scale)

    def infer(self, data, seed, settings=None, progress=None):
        """LATENT: `samples` zeros [frames, 4, H/8, W/8] and `sonic["codes"]` float32 [frames, 8]
        (csrc/draft/pose.h)."""
        if not 0 <= seed < 1 << 64:
            raise UsageError(f"Choose a seed from 0 to {(1 << 64) - 1}: it is {seed}.")
        settings = settings or DraftSettings()
        frames = data["frames"]
        codes = _sonic.draft_poses(data["audio"], frames, seed, settings.opening, settings.sway, settings.blink)
        if progress:
            progress(frames, frames)
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

    def decode(self, latent, data, progress=None, interpolate=True):
        """Yield the pictures of `latent`, uint8 [up to 8, H, W, 3], in order: 25 a second, or every second one."""
        codes = np.ascontiguousarray(codes_of(latent, data)[:: 1 if interpolate else 2])
        rig = _sonic.draft_rig_create(data["image"], data["mesh"])
        total = len(codes)
        for start in range(0, total, CHUNK_FRAMES):
            poses = codes[start : start + CHUNK_FRAMES]
            frames = np.empty((len(poses), *data["image"].shape), np.uint8)
            _sonic.draft_render(
                rig, poses, frames, progress and (lambda done, _, start=start: progress(start + done, total))
            )
            yield frames


def codes_of(latent, data):
    """The poses in `latent`, checked against `data`."""
    described = latent.get("sonic") if isinstance(latent, dict) else None
    if not described or described.get("engine") != DraftEngine.name:
        engine = described.get("engine") if described else "another sampler"
        raise UsageError(
            f"Connect the model that made this latent: it comes from {engine}, the model is the built-in draft."
        )
    codes = described["codes"]
    if len(codes) != data["frames"]:
        raise UsageError(
            f"Connect the data that made this latent: it has {len(codes)} frames, the data {data['frames']}."
        )
    return codes
