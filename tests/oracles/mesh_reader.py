"""Mouth measurements by an independent face mesh: MediaPipe's original models run by LiteRT (face_oracle.py).

Opening is the distance of the inner lips' middles, width that of the mouth's corners, both over the face's height
(forehead to chin).
"""

import numpy as np

from tests.oracles.face_oracle import Oracle

SETTLE, AVERAGE = 6, 10


def distance(mesh: np.ndarray, one: str, other: str) -> float:
    return float(np.linalg.norm(mesh[Oracle.points[one], :2] - mesh[Oracle.points[other], :2]))


def mouth_of(mesh: np.ndarray) -> tuple[float, float]:
    """(opening, width) in face heights."""
    height = distance(mesh, "forehead", "chin")
    return distance(mesh, "lip_upper", "lip_lower") / height, distance(mesh, "mouth_left", "mouth_right") / height


class MeshReader:
    """Measures the frames of a clip in order. The face is detected once; each mesh gives the crop of the next frame."""

    def __init__(self, oracle: Oracle, portrait: np.ndarray):
        found = oracle.detect(portrait)
        if not found:
            raise SystemExit("Choose another portrait: the independent detector finds no face in it.")
        self.oracle = oracle
        self.mesh = oracle.land(portrait, found[0][1], found[0][2])
        # On a still image the measurement converges after some rounds and then varies by up to 0.005 face heights: the
        # reference of all frames is an average.
        readings = [self.read(portrait) for _ in range(SETTLE + AVERAGE)]
        self.rest = tuple(np.mean(readings[SETTLE:], axis=0))

    def read(self, frame: np.ndarray) -> tuple[float, float]:
        mesh = self.mesh
        hull = np.r_[mesh[:, :2].min(0), mesh[:, :2].max(0)]
        self.mesh = self.oracle.on_crop(frame, hull, *self.oracle.eyes(mesh))
        return mouth_of(self.mesh)
