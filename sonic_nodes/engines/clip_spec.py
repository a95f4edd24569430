"""What a run has to make, by the data and the settings alone."""

from dataclasses import dataclass

import numpy as np
import torch

from ..errors import InputError, UsageError
from ..models import speech
from ..models.sampler import frame_count, latent_count

SMALL_FACE_PX = 64  # one cell of the coarsest grid on which the voice acts


@dataclass(frozen=True)
class Clip:
    """Lengths and sizes. Pictures are at 25 a second, latents at 12.5."""

    data: dict
    sounding: int  # pictures at 25 a second that the sound lasts
    pictures: int  # that come out
    latents: int
    heard: int  # rows of Whisper's states that are sound; what is beyond is silence
    upstream: bool

    @classmethod
    def of(cls, data: dict, length: str) -> "Clip":
        """length: "exact" gives data["frames"] pictures, "upstream" the reference implementation's number, 2 floor(n /
        2) - 1."""
        heard = speech.state_rows(len(data["audio"]))
        sounding = data["frames"] if length == "exact" else heard // 2
        latents = latent_count(sounding, length)
        if latents < 1:
            raise InputError(
                "Use a recording of at least 0.08 s, or the length 'exact': the reference makes no frame of it."
            )
        return cls(data, sounding, frame_count(sounding, length), latents, heard, length == "upstream")

    @property
    def rows(self) -> int:
        return self.data["image"].shape[0] // 8

    @property
    def columns(self) -> int:
        return self.data["image"].shape[1] // 8

    @property
    def mask(self) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(self.data["mask"], np.float32))

    def check_mask(self):
        """Raises InputError when no cell of the finest grid is in the mask: the voice would move nothing, after all the
        work."""
        cells = torch.nn.functional.interpolate(
            self.mask[None, None], (self.rows, self.columns), mode="bicubic", align_corners=False
        )
        if not bool(cells.any()):
            height, width = self.data["image"].shape[:2]
            raise InputError(
                "Crop to the face (crop 'face'), raise min_resolution or enlarge face_mask: the face covers less than one "
                f"cell of 8 x 8 pixels in the picture of {width} x {height}, so the voice would move nothing."
            )

    def notes(self) -> list[str]:
        rows = np.flatnonzero(np.asarray(self.data["mask"]).any(1))
        if len(rows) >= SMALL_FACE_PX:
            return []
        return [
            f"The face is {len(rows)} pixels high in the prepared picture: the mouth will hardly move. Crop to the face (crop 'face')."
        ]


def check_seed(seed: int):
    if not 0 <= seed < 1 << 64:
        raise UsageError(f"Choose a seed from 0 to {(1 << 64) - 1}: it is {seed}.")


# Costs in TFLOP of the published networks: at 512 x 512 where they depend on the picture's size.
CLIP_COST, VAE_ENCODER_COST, WHISPER_COST, UNET_COST, PREPARE_COST = 0.33, 1.12, 0.04, 33.3, 0.1


def costs(clip: Clip, steps: int, known_picture: bool, known_speech: bool) -> dict[str, int]:
    """What each part of infer costs, in hundredths of a TFLOP, so that a bar moves evenly. Parts kept from the last run
    cost nothing."""
    area = clip.rows * clip.columns / 4096
    parts = {
        "picture": 0 if known_picture else CLIP_COST + VAE_ENCODER_COST * area,
        "speech": 0 if known_speech else WHISPER_COST * speech.progress_steps(len(clip.data["audio"]), clip.latents),
        "prepare": PREPARE_COST,
        "sample": 3 * UNET_COST * area * steps * -(-clip.latents // 25),
    }
    return {name: round(100 * cost) for name, cost in parts.items()}
