"""The sample portrait speaking the sample recording: a clip whose truth is known, made once for all tests."""

import functools
from dataclasses import replace

import numpy as np
from scipy.interpolate import LinearNDInterpolator

from sonic_nodes import pipeline
from sonic_nodes.engines.draft import DraftEngine
from sonic_nodes.face import find_faces
from sonic_nodes.lipsync import estimate
from sonic_nodes.lipsync.track import Track
from sonic_nodes.media.audio import Sound, read_sound
from sonic_nodes.media.image import read_picture

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


@functools.cache
def _depths() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of the pixels of the face at rest: rows, columns, depths (larger is farther), and where the axis of the neck
    is."""
    mesh = find_faces(frames()[0], thorough=False)[0].mesh
    y, x = np.mgrid[: frames().shape[1], : frames().shape[2]]
    depths = LinearNDInterpolator(mesh[:, :2], mesh[:, 2])(x, y)
    inside = np.isfinite(depths)
    return y[inside], x[inside], depths[inside], np.array([mesh[:, 0].mean(), mesh[:, 2].max()])


def turned(picture: np.ndarray, degrees: float) -> np.ndarray:
    """The face alone, as a relief turned about the neck, before grey: 90 is a profile. Sides that the picture does not
    show are missing."""
    y, x, depths, (axis_x, axis_depth) = _depths()
    angle = np.deg2rad(degrees)
    across = (x - axis_x) * np.cos(angle) + (depths - axis_depth) * np.sin(angle) + axis_x
    # what is nearest is drawn last
    order = np.argsort((x - axis_x) * np.sin(angle) - (depths - axis_depth) * np.cos(angle))
    out = np.full_like(picture, 110)
    for step in (0, 1):
        at = np.clip(np.floor(across + step), 0, picture.shape[1] - 1).astype(int)
        out[y[order], at[order]] = picture[y[order], x[order]]
    return out


def with_samples(samples) -> Sound:
    return replace(speech(), waveform=np.ascontiguousarray(np.atleast_2d(samples), np.float32))
