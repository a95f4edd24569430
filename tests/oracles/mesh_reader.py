"""Mouth measurements on pictures by an independent mesh: MediaPipe's original models run by LiteRT (face_oracle.py).

Opening is |13-14| and width |61-291|, the inner lips' middles and the mouth's corners, both over the face's height
|10-152|.
"""

import numpy as np

from tests.oracles.face_oracle import Oracle

SETTLE, AVERAGE = 6, 10
UPPER, LOWER, LEFT, RIGHT, FOREHEAD, CHIN = 13, 14, 61, 291, 10, 152


def distance(mesh: np.ndarray, one: int, other: int) -> float:
    return float(np.linalg.norm(mesh[one, :2] - mesh[other, :2]))


def mouth_of(mesh: np.ndarray) -> tuple[float, float]:
    """(opening, width) in face heights."""
    height = distance(mesh, FOREHEAD, CHIN)
    return distance(mesh, UPPER, LOWER) / height, distance(mesh, LEFT, RIGHT) / height


class MeshReader:
    """Reads the frames of one clip in order. The face is detected once; from then on each mesh frames the next crop."""

    def __init__(self, oracle: Oracle, portrait: np.ndarray):
        found = oracle.detect(portrait)
        if not found:
            raise SystemExit("Choose another portrait: the independent detector finds no face in it.")
        self.oracle = oracle
        self.mesh = oracle.land(portrait, found[0][1], found[0][2])
        # Each mesh frames the next crop: the reading of one picture settles only after some rounds, and then still
        # wavers by up to
        # 0.005 face heights. What all frames are compared with is therefore an average.
        readings = [self.read(portrait) for _ in range(SETTLE + AVERAGE)]
        self.rest = tuple(np.mean(readings[SETTLE:], axis=0))

    def read(self, frame: np.ndarray) -> tuple[float, float]:
        mesh = self.mesh
        hull = np.r_[mesh[:, :2].min(0), mesh[:, :2].max(0)]
        self.mesh = self.oracle.on_crop(frame, hull, mesh[[33, 133], :2].mean(0), mesh[[263, 362], :2].mean(0))
        return mouth_of(self.mesh)
