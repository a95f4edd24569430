"""The sample portrait speaking the sample recording: a clip with known offset, computed once for all tests."""

import functools
from dataclasses import replace

import numpy as np
from scipy.interpolate import LinearNDInterpolator

from sonic_nodes import pipeline
from sonic_nodes.engines.draft import DraftEngine
from sonic_nodes.face import find_faces
from sonic_nodes.face_tracker import FaceTrack
from sonic_nodes.lipsync import estimate
from sonic_nodes.media.audio import Sound, read_sound
from sonic_nodes.media.image import read_picture

SAMPLE = estimate.ASSETS / "sample"
FPS = 25
MOUTH = np.s_[140:230:2, 80:180:2, 1]  # where the mouth is in the frames


@functools.cache
def speech() -> Sound:
    return read_sound(SAMPLE / "speech.wav")


@functools.cache
def frames() -> np.ndarray:
    """uint8 [240, H, W, 3]"""
    data, engine = pipeline.prepare(read_picture(SAMPLE / "portrait.jpg"), speech(), min_resolution=256), DraftEngine()
    return np.concatenate(list(engine.decode(engine.infer(data, 1), data)))


def track_frames(clip, times_s=None) -> FaceTrack:
    tracker = estimate.mouth_tracker()
    for i, frame in enumerate(clip):
        tracker.update(np.ascontiguousarray(frame), i / FPS if times_s is None else times_s[i])
    return tracker.track


@functools.cache
def track() -> FaceTrack:
    """Never written to."""
    return track_frames(frames())


class RecordedTracker:
    """Stands in for the tracker where a test is about files: each frame has the features of the frame of the sample
    whose mouth it shows, so the networks need not run on every encoded copy of the clip."""

    def __init__(self):
        self.track = FaceTrack(checks=1)

    def update(self, frame, time_s):
        difference = _mouths() - frame[MOUTH].astype(np.float32)
        best = int(np.argmin((difference**2).mean((1, 2))))
        self.track.times_s.append(time_s)
        self.track.values.append(track().values[best])
        self.track.scene.append(0)
        self.track.faces += 1


@functools.cache
def _mouths() -> np.ndarray:
    return np.stack([frame[MOUTH] for frame in frames()]).astype(np.float32)


@functools.cache
def _depths() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of the pixels of the face: rows, columns, depths (larger is farther); and the axis of the neck (x, depth)."""
    mesh = find_faces(frames()[0], thorough=False)[0].mesh
    y, x = np.mgrid[: frames().shape[1], : frames().shape[2]]
    depths = LinearNDInterpolator(mesh[:, :2], mesh[:, 2])(x, y)
    inside = np.isfinite(depths)
    return y[inside], x[inside], depths[inside], np.array([mesh[:, 0].mean(), mesh[:, 2].max()])


@functools.cache
def _rotation(degrees: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(rows, columns, columns after the rotation) of the pixels of the face, the nearest last."""
    y, x, depths, (axis_x, axis_depth) = _depths()
    angle = np.deg2rad(degrees)
    across = (x - axis_x) * np.cos(angle) + (depths - axis_depth) * np.sin(angle) + axis_x
    order = np.argsort((x - axis_x) * np.sin(angle) - (depths - axis_depth) * np.cos(angle))
    return y[order], x[order], np.floor(across[order])


def rotated_head(frame: np.ndarray, degrees: float) -> np.ndarray:
    """The face as a relief rotated about the neck, on grey; 90 is a profile. Occluded sides are missing."""
    y, x, across = _rotation(float(degrees))
    out = np.full_like(frame, 110)
    for step in (0, 1):
        out[y, np.clip(across + step, 0, frame.shape[1] - 1).astype(int)] = frame[y, x]
    return out


def with_samples(samples) -> Sound:
    return replace(speech(), waveform=np.ascontiguousarray(np.atleast_2d(samples), np.float32))
