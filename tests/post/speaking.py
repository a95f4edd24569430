"""The sample portrait speaking the sample recording: a clip whose truth is known, made once for all tests."""
import functools
from dataclasses import replace

import numpy as np

from sonic_nodes import pipeline
from sonic_nodes.engines.draft import DraftEngine
from sonic_nodes.media.audio import Sound, read_sound
from sonic_nodes.media.image import read_picture
from sonic_nodes.sync import estimate
from sonic_nodes.sync.track import Track

SAMPLE = estimate.ASSETS / "sample"
FPS = 25


@functools.cache
def speech() -> Sound:
    return read_sound(SAMPLE / "speech.wav")


@functools.cache
def frames() -> np.ndarray:
    """uint8 [240, H, W, 3]"""
    data, engine = pipeline.prepare(read_picture(SAMPLE / "portrait.jpg"), speech(), min_resolution=256), DraftEngine()
    return np.concatenate(list(engine.decode(engine.infer(data, 1), data)))


def seen(pictures, times_s=None) -> Track:
    eyes = estimate.follower()
    for i, picture in enumerate(pictures):
        eyes.see(np.ascontiguousarray(picture), i / FPS if times_s is None else times_s[i])
    return eyes.track


@functools.cache
def track() -> Track:
    """Never written to."""
    return seen(frames())


def with_samples(samples) -> Sound:
    return replace(speech(), waveform=np.ascontiguousarray(np.atleast_2d(samples), np.float32))
