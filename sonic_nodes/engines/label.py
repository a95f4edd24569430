"""The label of a video by the latent that it was made from."""

from ..media.provenance import metadata
from ..provenance.marks import Marks, marked
from .base import Engine, description_in


def tags_from_latent(engine: Engine, latent, data: dict, marks: Marks | None = None, pasted: bool = False) -> dict:
    """Tags of a video file (media/provenance.py, provenance/marks.py). latent: one that `engine.check` has passed.
    data: SONIC_PREDATA. pasted: the frames are put back into the portrait."""
    seed = description_in(latent).get("seed")
    tags = metadata(engine.name, seed if type(seed) is int else None, **engine.describe(latent).metadata)
    return marked(tags, data, marks, pasted)
