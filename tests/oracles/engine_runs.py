"""Small clips for the Sonic engine, and runs that are cancelled."""

import numpy as np

from sonic_nodes.engines.sonic import SonicSettings
from sonic_nodes.progress import progress_callback

SIDE = 64
FAST = SonicSettings(steps=2)


def clip_data(seconds: float, seed: int = 0, side: int = SIDE) -> dict:
    """SONIC_PREDATA of a random picture and random sound; only the keys that the Sonic engine reads."""
    random = np.random.default_rng(seed)
    mask = np.zeros((side, side), np.float32)
    mask[side // 4 :, side // 4 : -side // 4] = 1
    picture = np.repeat(np.repeat(random.integers(0, 256, (side // 16, side // 16, 3), np.uint8), 16, 0), 16, 1)
    audio = (random.standard_normal(round(16000 * seconds)) * 0.1).astype(np.float32)
    return {
        "version": 1,
        "image": picture,
        "mask": mask,
        "audio": audio,
        "duration_s": seconds,
        "frames": max(1, round(25 * seconds)),
    }


def pictures(engine, latent, data, **options) -> np.ndarray:
    return np.concatenate(list(engine.decode(latent, data, **options)))


class Stop(Exception):
    """What a host raises when Cancel was pressed."""


class StopAt:
    """Progress that raises at its `call`-th call."""

    def __init__(self, call=None):
        self.call, self.calls = call, 0

    def __call__(self, done, total, picture=None):
        self.calls += 1
        if self.calls == self.call:
            raise Stop(f"at {done} of {total}")


def operators_of(work) -> int:
    """How many operators `work` runs."""
    count = 0

    def another(*_):
        nonlocal count
        count += 1

    with progress_callback(another, preview=False, interval_ms=0):
        work()
    return count
