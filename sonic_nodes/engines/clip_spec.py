"""Lengths and sizes of a run, from the data and the settings alone."""

from dataclasses import dataclass

import numpy as np
import torch

from ..errors import InputError
from ..models import speech
from ..models.sampler import frame_count, latent_count

SMALL_FACE_PX = 64  # one tile of the coarsest grid with audio attention


@dataclass(frozen=True)
class ClipSpec:
    """Frames are at 25 a second, latents at 12.5."""

    data: dict
    sound_frames: int  # that the sound lasts
    frames: int  # of the video
    latents: int
    speech_rows: int  # of Whisper's states that are sound; silence follows
    upstream: bool

    @classmethod
    def of(cls, data: dict, length: str) -> "ClipSpec":
        """length: "exact" gives data["frames"] frames; "upstream" 2 floor(n / 2) - 1, as the reference
        implementation."""
        speech_rows = speech.state_rows(len(data["audio"]))
        sound_frames = data["frames"] if length == "exact" else speech_rows // 2
        latents = latent_count(sound_frames, length)
        if latents < 1:
            raise InputError(
                "Use a recording of at least 0.08 s, or the length 'exact': the reference makes no frame of it."
            )
        return cls(data, sound_frames, frame_count(sound_frames, length), latents, speech_rows, length == "upstream")

    @property
    def rows(self) -> int:
        """Of the latents."""
        return self.data["image"].shape[0] // 8

    @property
    def columns(self) -> int:
        return self.data["image"].shape[1] // 8

    @property
    def mask(self) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(self.data["mask"], np.float32))

    def check_mask(self):
        """Raises InputError when the mask is empty on the grid of the latents: the voice would move nothing."""
        tiles = torch.nn.functional.interpolate(
            self.mask[None, None], (self.rows, self.columns), mode="bicubic", align_corners=False
        )
        if not bool(tiles.any()):
            height, width = self.data["image"].shape[:2]
            raise InputError(
                "Crop to the face (crop 'face'), raise min_resolution or enlarge face_mask: the face covers less than "
                f"one tile of 8 x 8 pixels in the image of {width} x {height}, so the voice would move nothing."
            )

    def notes(self) -> list[str]:
        """Sentences for the user."""
        height = np.count_nonzero(np.asarray(self.data["mask"]).any(1))
        if height >= SMALL_FACE_PX:
            return []
        return [
            f"Crop to the face (crop 'face'): it is only {height} pixels high in the prepared image, so the mouth will "
            "hardly move."
        ]
