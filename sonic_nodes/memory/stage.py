"""The stages of a run of the Sonic engine."""

from enum import Enum


class Stage(Enum):
    """In the order of a run. The values are public: `sonic render --plan-only` prints them.

    memory/estimate.py has a function for each, engines/stages.py a method; both are called `method`.
    """

    PICTURE = "picture"  # CLIP's embedding of the portrait
    ENCODING = "encoding"  # the autoencoder's mean of the portrait
    SOUND = "sound"  # Whisper, audio tokens, motion buckets
    CONSTANTS = "constants"  # what the UNet computes once for a run
    SAMPLING = "sampling"  # the denoising loop
    DECODING = "decoding"  # latents to frames
    IN_BETWEEN = "in between"  # interpolated frames

    @property
    def method(self) -> str:
        return self.name.lower()
