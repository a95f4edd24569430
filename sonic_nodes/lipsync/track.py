"""One face followed through the pictures of a clip: its mesh in each of them, and where the pictures jump."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from .. import face

# the detector looks at the picture at this size; faces that sync can be read from are not lost by it
SEARCH_SIDE_PX = 640
FACE_SIDE_PX = 200  # pictures are reduced to no less than this a face: the mesh network sees 192 px
ROOM = 0.5  # of the hull, kept on every side around the face
CHECK_EVERY_S = 1.0  # how often the whole picture is searched: a track may have slipped, others may have come
OTHER_FACE_AREA = 0.4  # of the followed face's: a smaller one is a bystander
CUT_LEVELS = 30.0  # mean difference of two neighbouring pictures at 16 x 16, of 255: a new scene
SAME_FACE = 0.3  # intersection over union of a face found and the one followed
MESH_POINTS = 468


@dataclass
class Track:
    """What was seen, frame by frame."""

    times_s: list[float] = field(default_factory=list)
    # float32 [n], what `keep` made of the mesh; NaN where no face is seen
    values: list[np.ndarray] = field(default_factory=list)
    scene: list[int] = field(default_factory=list)  # counts up at every cut and when another face is taken up
    seen: int = 0  # frames with a face
    checks: int = 0
    crowded: int = 0  # checks that saw another face of comparable size


class Follower:
    """Takes the pictures of a clip in order. All that it keeps of one is what `keep` makes of its mesh, float32 [468,
    3] in pixels."""

    def __init__(self, keep: Callable[[np.ndarray], np.ndarray]) -> None:
        self.track = Track()
        self._keep = keep
        self._nothing = np.full_like(keep(np.eye(MESH_POINTS, 3, dtype=np.float32)), np.nan)
        self._scene = 0
        self._mesh: np.ndarray | None = None
        self._thumbnail: np.ndarray | None = None
        self._checked_s = -np.inf

    def see(self, picture: np.ndarray, time_s: float) -> None:
        """`picture` uint8 [H, W, 3]."""
        image = Image.fromarray(picture)
        cut = self._is_cut(image)
        if cut:
            self._scene += 1
            self._mesh = None
        if self._mesh is not None:
            self._mesh = self._followed(image)
        if (
            self._mesh is None
            and (cut or time_s - self._checked_s >= CHECK_EVERY_S / 5)
            or time_s - self._checked_s >= CHECK_EVERY_S
        ):
            self._check(image, time_s)
        self.track.times_s.append(time_s)
        self.track.values.append(self._nothing if self._mesh is None else self._keep(self._mesh))
        self.track.scene.append(self._scene)
        self.track.seen += self._mesh is not None

    def _is_cut(self, image: Image.Image) -> bool:
        last, self._thumbnail = (
            self._thumbnail,
            np.asarray(image.resize((16, 16), Image.Resampling.BILINEAR, reducing_gap=1.0), np.float32),
        )
        if last is None:
            return False
        return float(np.abs(self._thumbnail - last).mean()) > CUT_LEVELS

    def _followed(self, image: Image.Image) -> np.ndarray | None:
        low, high = self._mesh[:, :2].min(0), self._mesh[:, :2].max(0)
        side = float((high - low).max())
        factor = max(1, int(side / FACE_SIDE_PX))
        room = ROOM * side
        x0, y0 = (max(0, int(v - room)) for v in low)
        x1, y1 = (min(limit, int(v + room) + 1) for v, limit in zip(high, image.size, strict=True))
        if x1 - x0 < 2 * factor or y1 - y0 < 2 * factor:
            return None
        part = image.reduce(factor, (x0, y0, x1, y1)) if factor > 1 else image.crop((x0, y0, x1, y1))
        origin = np.array([x0, y0, 0], np.float32)
        found = face.track_face(np.array(part), _reduced(self._mesh - origin, factor))
        return _enlarged(found.mesh, factor) + origin if found.presence >= 0.5 else None

    def _check(self, image: Image.Image, time_s: float) -> None:
        """Looks for faces in the whole picture: the largest is followed, or stays so."""
        factor = max(1, round(max(image.size) / SEARCH_SIDE_PX))
        faces = face.find_faces(np.array(image.reduce(factor) if factor > 1 else image), thorough=False)
        self._checked_s = time_s
        if not faces:
            return  # a mesh that still follows knows better than the detector: it may be turned away
        self.track.checks += 1
        self.track.crowded += len(faces) > 1 and _area(faces[1]) >= OTHER_FACE_AREA * _area(faces[0])
        hulls = [_enlarged(found.hull_xyxy.reshape(2, 2), factor) for found in faces]
        if self._mesh is None or max(_overlap(hull, self._mesh) for hull in hulls) < SAME_FACE:
            self._scene += self._mesh is not None
            self._mesh = _enlarged(faces[0].mesh, factor)
            self._mesh = self._followed(image)  # the same resolution as every other picture


def _reduced(points: np.ndarray, factor: int) -> np.ndarray:
    """Pixel centres: a block of `factor` pixels becomes one, whose centre is the block's."""
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
    """Intersection over union of a hull [2, 2] and a mesh's."""
    low, high = mesh[:, :2].min(0), mesh[:, :2].max(0)
    shared = np.clip(np.minimum(high, hull[1]) - np.maximum(low, hull[0]), 0, None).prod()
    return float(shared / max((high - low).prod() + (hull[1] - hull[0]).prod() - shared, 1e-6))
