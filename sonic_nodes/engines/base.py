"""The interface of engines: what MODEL_SONIC is. Nodes and command line call nothing else.

    engine = engine_class("sonic").open(options, notify)    # options: the engine's own dataclass in settings.py
    settings = engine.settings(dynamic_scale=1.2)           # the inputs of the node Sonic Inference
    plan = engine.plan(data, settings)                      # memory and time, before the work; may be None
    latent = engine.infer(data, seed, settings, progress)   # LATENT
    for frames in engine.decode(latent, data, progress):    # uint8 [n, H, W, 3]
        ...

`data` is SONIC_PREDATA (pipeline.prepare). progress(done, total, preview or None) is called while the work goes on and
may raise to end it. `notify` is called with sentences for the user.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch

from ..memory.plan import Plan
from .progress import Report

Notify = Callable[[str], None]
MAX_NAME_CHARS = 40  # of an engine


def description_in(latent) -> dict:
    """What an engine of this pack wrote into a LATENT about itself, `engine` among it; {} for another maker's."""
    described = latent.get("sonic") if isinstance(latent, dict) else None
    engine = described.get("engine") if type(described) is dict else None
    return described if type(engine) is str and len(engine) <= MAX_NAME_CHARS else {}


@dataclass(frozen=True)
class Description:
    """How a latent was made."""

    metadata: dict = field(default_factory=dict)  # for the video file, beside engine and seed
    summary: dict = field(default_factory=dict)  # for `sonic render --json`


class Engine(ABC):
    name: ClassVar[str]  # its key in engines.ENGINES
    ignored: ClassVar[tuple[str, ...]] = ()  # inputs of Sonic Inference that have no effect
    redraws: ClassVar[bool] = False  # whether decoding a second time costs little
    device: torch.device | str = "cpu"  # whose memory the networks take
    interpolate: bool = True  # whether SONICSampler asks for all 25 frames a second

    @classmethod
    @abstractmethod
    def open(cls, options, notify: Notify = lambda _: None) -> "Engine":
        """The engine that `options` describe. Raises InputError when a weight file is missing or wrong, UsageError for
        a device that cannot be used."""

    @staticmethod
    @abstractmethod
    def settings(**inputs):
        """The engine's settings from the inputs of Sonic Inference; an input that is absent keeps its default."""

    @abstractmethod
    def plan(self, data: dict, settings=None) -> Plan | None:
        """Memory and time of the run; None when they are too small to matter. Raises ResourceError, with the changes
        that would help, when the run does not fit."""

    def calibrate(self, dtype: torch.dtype | None = None):  # noqa: B027 (an engine without a plan has nothing to time)
        """Measures the machine, so that later plans have times. dtype: that of the run; None: the usual one."""

    @abstractmethod
    def infer(self, data: dict, seed: int, settings=None, progress: Report | None = None) -> dict:
        """LATENT: `samples` [n, 4, H / 8, W / 8], and `sonic`, which says how they were made."""

    @abstractmethod
    def check(self, latent, data: dict) -> None:
        """Raises UsageError for a latent of another engine or of other data."""

    @abstractmethod
    def decode(
        self, latent: dict, data: dict, progress: Report | None = None, interpolate: bool = True
    ) -> Iterator[np.ndarray]:
        """Yields the frames of `latent` in order, uint8 [n, H, W, 3]: 25 a second, or every second one. Raises
        UsageError for a latent of another engine or of other data."""

    @abstractmethod
    def describe(self, latent: dict) -> Description:
        """What metadata and `--json` say about `latent`."""
