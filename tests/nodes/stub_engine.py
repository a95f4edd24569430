"""An engine without a model, for tests of the nodes around it."""

import numpy as np
import torch

from sonic_nodes.engines import base

HEIGHT, WIDTH, FRAMES = 64, 128, 20
SETTINGS = {
    "inference_steps": 25,
    "dynamic_scale": 1.1,
    "motion_scale": 1.05,
    "appearance_guidance": 2.0,
    "audio_guidance": 7.5,
}


class Engine(base.Engine):
    """All pixels of frame k have level k."""

    name = "test"
    redraws = True
    ignored = ("inference_steps", "audio_guidance")
    frames = 0

    def after_frame(self, frame):
        pass

    @classmethod
    def open(cls, options, notify=None):
        return cls()

    def settings(self, **values):
        return values

    def plan(self, data, settings=None):
        return None

    def check(self, latent, data):
        pass

    def describe(self, latent):
        return base.Description()

    def infer(self, data, seed, settings, progress):
        progress(data["frames"], data["frames"])
        return {"samples": torch.zeros(1), "sonic": {"seed": seed, "settings": settings}}

    def decode(self, latent, data, progress, interpolate=True):
        shown = np.arange(0, data["frames"], 1 if interpolate else 2, dtype=np.uint8)
        for start in range(0, len(shown), 8):
            levels = shown[start : start + 8]
            for i, level in enumerate(levels):
                self.frames += 1
                self.after_frame(int(level))
                progress(start + i + 1, len(shown))
            yield np.broadcast_to(levels[:, None, None, None], (len(levels), HEIGHT, WIDTH, 3)).copy()
