"""Engines: what MODEL_SONIC is. Each offers the same calls to the nodes and to the command line.

    name                                        "draft" or "sonic"
    ignored                                     the settings that have no effect on it
    settings(**node_inputs)                     what infer takes, of the inputs of Sonic Inference
    infer(data, seed, settings, progress)       -> LATENT dict
    decode(latent, data, progress, interpolate) -> iterator of uint8 [n, H, W, 3]: 25 frames a second, or every second
    one

`data` is SONIC_PREDATA (pipeline.prepare). `progress(done, total, picture or None)` is called while the work goes on
and may raise to stop it. The Sonic engine is imported where it is needed, from engines.sonic.
"""

from .draft import DraftEngine

__all__ = ["DraftEngine"]
