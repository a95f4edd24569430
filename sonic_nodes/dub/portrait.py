"""A clip whose face is followed: what stands for the still portrait in SONIC_PREDATA."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from .. import face
from ..errors import NoFaceError
from ..extension.native import _sonic
from ..face_tracker import FaceTracker
from ..models.constants import CHUNK, FPS
from .clip import Clip
from .timeline import frame_order, is_seam

GAP_S = 0.5  # SONIC_TRACK_GAP_S of csrc/dub/track.h
CHUNK_BYTES = 48 << 20
THUMBNAIL_PX = 16

Choose = Callable[[list[face.Face], tuple[int, int]], tuple[face.Face, list[str]]]
Report = Callable[[int, int], object]


@dataclass(frozen=True)
class ClipPortrait:
    """frames of `clip` in the order in which they are shown, and the face in each."""

    clip: Clip
    order: np.ndarray  # int64 [frames]
    meshes: np.ndarray  # f32 [n, 468, 3], of each frame of the clip that is shown
    mouth_width: float  # at rest, in face heights
    notes: tuple[str, ...]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of a frame."""
        return self.clip.height, self.clip.width

    def first_frame(self) -> np.ndarray:
        return next(self.clip.read(self.order[:1]))

    def drawn(self, poses: np.ndarray, step: int = 1, progress=None) -> Iterator[np.ndarray]:
        """Every `step`-th frame with the mouth of its pose, f32 [frames, 8]: uint8 [n, H, W, 3], a few at a time."""
        order, poses = self.order[::step], np.ascontiguousarray(poses[::step])
        count = max(2, min(CHUNK, CHUNK_BYTES // self.clip.frame_bytes))
        frames = self.clip.read(order)
        for start in range(0, len(order), count):
            shown = order[start : start + count]
            chunk = np.stack([next(frames) for _ in shown])
            _sonic.dub_frames(chunk, self.meshes[shown], poses[start : start + count], self.mouth_width)
            if progress:
                progress(start + len(shown), len(order))
            yield chunk


def follow(clip: Clip, frames: int, end: str, choose: Choose, report: Report = lambda done, total: None):
    """The ClipPortrait of `frames` frames at 25 a second.

    choose  picks one of several faces, largest first, in a picture of (width, height)
    report  called as report(done, total) while frames are read; what it raises ends the work
    Raises NoFaceError, which names the second, where the face is lost for more than GAP_S.
    """
    chosen = ChosenFace(choose, (clip.width, clip.height))
    tracker, thumbnails, lost = FaceTracker(lambda mesh: mesh, chosen), Thumbnails(), 0
    chosen.track = tracker.track
    for frame in clip.scan(frames):
        tracker.update(frame, len(tracker.track.times_s) / FPS)
        thumbnails.add(frame)
        report(len(tracker.track.times_s), frames)
        lost = lost + 1 if np.isnan(tracker.track.values[-1][0, 0]) else 0
        if lost > GAP_S * FPS + 1:
            break
    track = tracker.track
    meshes, times = np.stack(track.values).astype(np.float32), np.array(track.times_s)
    width = finished(meshes, times, track.scene, clip)
    order = frame_order(frames, len(meshes), end, thumbnails.has_seam())
    return ClipPortrait(clip, order, meshes, width, (*chosen.notes, *clip_notes(clip, frames, order)))


def finished(meshes: np.ndarray, times: np.ndarray, scenes: list[int], clip: Clip) -> float:
    """Makes the track steady, in place; the width of the mouth at rest."""
    try:
        end_s = float(times[-1]) + 1 / FPS
        return _sonic.dub_track(meshes, times, np.array(scenes, np.int32), clip.width, clip.height, end_s)
    except ValueError as error:
        raise NoFaceError(f"{error}.") from None


class ChosenFace:
    """Which face of a frame is tracked: the one that was, else the one that `choose` picks."""

    def __init__(self, choose: Choose, size: tuple[int, int]):
        self.choose, self.size, self.notes, self.track = choose, size, [], None

    def __call__(self, faces: list[face.Face], hulls: list[np.ndarray]) -> face.Face:
        known = self.last_known()
        if known is not None:
            centres = [hull.mean(0) for hull in hulls]
            return faces[int(np.argmin([np.hypot(*(centre - known)) for centre in centres]))]
        found, notes = self.choose(faces, self.size)
        self.notes = self.notes or notes
        return found

    def last_known(self) -> np.ndarray | None:
        """Where the face was in this scene: x, y."""
        track = self.track
        for mesh, scene in zip(reversed(track.values), reversed(track.scene), strict=True):
            if scene != track.scene[-1]:
                return None
            if not np.isnan(mesh[0, 0]):
                return mesh[:, :2].mean(0)
        return None


class Thumbnails:
    """How much consecutive frames differ, and the last from the first."""

    def __init__(self):
        self.first = self.last = None
        self.steps: list[float] = []

    def add(self, frame: np.ndarray) -> None:
        image = Image.fromarray(frame).resize((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.BILINEAR, reducing_gap=1.0)
        shown = np.asarray(image, np.float32)
        if self.last is not None:
            self.steps.append(float(np.abs(shown - self.last).mean()))
        self.first, self.last = shown if self.first is None else self.first, shown

    def has_seam(self) -> bool:
        return is_seam(np.array(self.steps), float(np.abs(self.last - self.first).mean()))


def clip_notes(clip: Clip, frames: int, order: np.ndarray) -> list[str]:
    """What the video shows of the clip, as sentences."""
    count = int(order.max()) + 1
    notes = [f"The clip has {count / FPS:.2f} s and the speech {frames / FPS:.2f} s: {way(order)}."]
    if len(order) == count:
        notes = []
    if clip.is_hdr:
        notes.append("Convert the clip to SDR for true colours: it is HDR, and its video will look flat.")
    return notes


def way(order: np.ndarray) -> str:
    steps = np.diff(order)
    if (steps < -1).any():
        return "it starts again at its end"
    return "it is played back and forth" if (steps < 0).any() else "its last frame is held"
