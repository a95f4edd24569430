"""The label of a video by the latent that it was made from."""

from ..media.provenance import metadata
from .base import Engine, description_in


def tags_from_latent(engine: Engine, latent) -> dict[str, str]:
    """Tags of a video file (media/provenance.py). latent: one that `engine.check` has passed."""
    seed = description_in(latent).get("seed")
    return metadata(engine.name, seed if type(seed) is int else None, **engine.describe(latent).metadata)
