"""Engines: what MODEL_SONIC is. Each offers the same calls to the nodes and to the command line.

    name                      "draft" or "sonic"
    ignored                   the settings that have no effect on it
    settings(**node_inputs)   what infer takes, of the inputs of Sonic Inference
    infer(data, seed, settings, progress) -> LATENT dict
    decode(latent, data, progress)        -> iterator of uint8 [n, H, W, 3] at 25 frames a second

`data` is SONIC_PREDATA (pipeline.prepare). `progress(done, total)` is called between units of work and may raise to stop.
"""
from .draft import DraftEngine

__all__ = ["DraftEngine"]
