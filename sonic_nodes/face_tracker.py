"""Tracks one face through the frames of a clip: its mesh in each frame, and where scenes change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from . import face

# the detector sees the frame at this size; faces large enough for lip sync are still found
SEARCH_SIDE_PX = 640
FACE_SIDE_PX = 200  # frames are reduced to no less than this per face: the mesh network sees 192 px
MARGIN = 0.5  # around the face, relative to its longer side
CHECK_EVERY_S = 1.0  # interval of full detections: a track may have slipped, other faces may have appeared
OTHER_FACE_AREA = 0.4  # relative to the tracked face: smaller faces are bystanders
CUT_LEVELS = 30.0  # mean difference of consecutive frames at 16 x 16 px, of 255: a new scene
SAME_FACE_IOU = 0.3  # intersection over union of a detected face and the tracked one
MESH_POINTS = 468


@dataclass
class FaceTrack:
    """What was found, frame by frame."""

    times_s: list[float] = field(default_factory=list)
    # float32 [n], features of the mesh; NaN where no face is found
    values: list[np.ndarray] = field(default_factory=list)
    scene: list[int] = field(default_factory=list)  # increases at every cut and when another face is tracked
    faces: int = 0  # frames with a face
    checks: int = 0  # full detections that found a face
    crowded: int = 0  # of these, with another face of comparable size


class FaceTracker:
    """Takes the frames of a clip in order. Of each it keeps features(mesh), the mesh being float32 [468, 3] in px.

    choose(faces, hulls): which face of a frame is tracked. faces: largest first, in pixels of a reduced frame; hulls:
    f32 [2, 2] each, in pixels of the frame."""

    def __init__(
        self,
        features: Callable[[np.ndarray], np.ndarray],
        choose: Callable[[list[face.Face], list[np.ndarray]], face.Face] = lambda faces, hulls: faces[0],
    ) -> None:
        self.track = FaceTrack()
        self._features, self._choose = features, choose
        self._missing = np.full_like(features(np.eye(MESH_POINTS, 3, dtype=np.float32)), np.nan)
        self._scene = 0
        self._mesh: np.ndarray | None = None
        self._thumbnail: np.ndarray | None = None
        self._checked_s = -np.inf

    def update(self, frame: np.ndarray, time_s: float) -> None:
        """`frame` uint8 [H, W, 3]."""
        image = Image.fromarray(frame)
        cut = self._is_cut(image)
        if cut:
            self._scene += 1
            self._mesh = None
        if self._mesh is not None:
            self._mesh = self._track_mesh(image)
        if (
            self._mesh is None
            and (cut or time_s - self._checked_s >= CHECK_EVERY_S / 5)
            or time_s - self._checked_s >= CHECK_EVERY_S
        ):
            self._detect(image, time_s)
        self.track.times_s.append(time_s)
        self.track.values.append(self._missing if self._mesh is None else self._features(self._mesh))
        self.track.scene.append(self._scene)
        self.track.faces += self._mesh is not None

    def _is_cut(self, image: Image.Image) -> bool:
        last, self._thumbnail = (
            self._thumbnail,
            np.asarray(image.resize((16, 16), Image.Resampling.BILINEAR, reducing_gap=1.0), np.float32),
        )
        if last is None:
            return False
        return float(np.abs(self._thumbnail - last).mean()) > CUT_LEVELS

    def _track_mesh(self, image: Image.Image) -> np.ndarray | None:
        """The mesh in this frame, from a crop around that of the last."""
        low, high = self._mesh[:, :2].min(0), self._mesh[:, :2].max(0)
        side = float((high - low).max())
        factor = max(1, int(side / FACE_SIDE_PX))
        margin = MARGIN * side
        x0, y0 = (max(0, int(v - margin)) for v in low)
        x1, y1 = (min(limit, int(v + margin) + 1) for v, limit in zip(high, image.size, strict=True))
        if x1 - x0 < 2 * factor or y1 - y0 < 2 * factor:
            return None
        crop = image.reduce(factor, (x0, y0, x1, y1)) if factor > 1 else image.crop((x0, y0, x1, y1))
        origin = np.array([x0, y0, 0], np.float32)
        found = face.track_face(np.array(crop), _reduced(self._mesh - origin, factor))
        return _enlarged(found.mesh, factor) + origin if found.presence >= 0.5 else None

    def _detect(self, image: Image.Image, time_s: float) -> None:
        """Detects faces in the whole frame; the chosen one is tracked unless the track already follows one of them."""
        factor = max(1, round(max(image.size) / SEARCH_SIDE_PX))
        faces = face.find_faces(np.array(image.reduce(factor) if factor > 1 else image), thorough=False)
        self._checked_s = time_s
        if not faces:
            return  # the mesh tracks faces in profile that the detector misses
        self.track.checks += 1
        self.track.crowded += len(faces) > 1 and _area(faces[1]) >= OTHER_FACE_AREA * _area(faces[0])
        hulls = [_enlarged(found.hull_xyxy.reshape(2, 2), factor) for found in faces]
        if self._mesh is None or max(_overlap(hull, self._mesh) for hull in hulls) < SAME_FACE_IOU:
            self._scene += self._mesh is not None
            self._mesh = _enlarged(self._choose(faces, hulls).mesh, factor)
            self._mesh = self._track_mesh(image)  # at the resolution of every other frame


def _reduced(points: np.ndarray, factor: int) -> np.ndarray:
    """Coordinates of pixel centres after `factor` pixels became one."""
    moved = points / np.float32(factor)
    moved[:, :2] -= np.float32((factor - 1) / (2 * factor))
    return moved


def _enlarged(points: np.ndarray, factor: int) -> np.ndarray:
    moved = points * np.float32(factor)
    moved[:, :2] += np.float32((factor - 1) / 2)
    return moved


def _area(found: face.Face) -> float:
    x0, y0, x1, y1 = found.hull_xyxy
    return float((x1 - x0) * (y1 - y0))


def _overlap(hull: np.ndarray, mesh: np.ndarray) -> float:
    """Intersection over union of a hull [2, 2] and the bounding box of a mesh."""
    low, high = mesh[:, :2].min(0), mesh[:, :2].max(0)
    shared = np.clip(np.minimum(high, hull[1]) - np.maximum(low, hull[0]), 0, None).prod()
    return float(shared / max((high - low).prod() + (hull[1] - hull[0]).prod() - shared, 1e-6))
