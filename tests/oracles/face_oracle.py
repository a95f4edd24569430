"""An independent face pipeline for comparison: the original .tflite models run by LiteRT, the rest in NumPy and cv2.

Shares no code with the package: other networks, other post-processing, another OpenCV.
"""

import os
from pathlib import Path

import cv2
import numpy as np

from tools import convert_face_models

ROOT = Path(__file__).resolve().parents[2]


def model_folder() -> Path:
    """The .tflite files: FACE_MODELS, else a cache filled by tools/convert_face_models.py (download checked by
    sha256)."""
    if os.environ.get("FACE_MODELS"):
        return Path(os.environ["FACE_MODELS"])
    return convert_face_models.lay_models(ROOT / ".cache" / "face_models")


# Points of MediaPipe's canonical face model, independent of csrc/face/landmarks.h: tests/face/test_landmarks.py
# compares the two.
POINTS = {
    "forehead": 10,
    "chin": 152,
    "lip_upper": 13,
    "lip_lower": 14,
    "mouth_left": 61,
    "mouth_right": 291,
    "eye_left_outer": 33,
    "eye_left_inner": 133,
    "eye_right_inner": 362,
    "eye_right_outer": 263,
}


class Oracle:
    points = POINTS

    @staticmethod
    def eyes(mesh: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x, y of the middles of the eyes' corners: left and right in the image."""
        left, right = (
            [mesh[POINTS[f"eye_{side}_{corner}"], :2] for corner in ("outer", "inner")] for side in ("left", "right")
        )
        return np.mean(left, 0), np.mean(right, 0)

    def __init__(self, models: Path | None = None):
        from ai_edge_litert.interpreter import Interpreter

        self.nets = {}
        for name in ("face_detection_short_range", "face_landmark"):
            net = Interpreter(str((models or model_folder()) / (name + ".tflite")), num_threads=1)
            net.allocate_tensors()
            self.nets[name] = net

    def run(self, name: str, x: np.ndarray) -> list[np.ndarray]:
        net = self.nets[name]
        net.set_tensor(net.get_input_details()[0]["index"], np.ascontiguousarray(x[None], np.float32))
        net.invoke()
        return [net.get_tensor(output["index"])[0].copy() for output in net.get_output_details()]

    def detector(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x f32 [128, 128, 3] -> logits [896], values [896, 16]."""
        values, logits = self.run("face_detection_short_range", x)
        return logits[:, 0], values

    def mesh(self, x: np.ndarray) -> tuple[np.ndarray, float]:
        """x f32 [192, 192, 3] -> points [468, 3], presence logit."""
        points, presence = self.run("face_landmark", x)
        return points.reshape(468, 3), float(presence.reshape(-1)[0])

    def detect(self, picture: np.ndarray) -> list[tuple[float, np.ndarray, np.ndarray]]:
        """[(score, box x0 y0 x1 y1, keypoints [6, 2])] in image pixels, best first, merged as in MediaPipe."""
        x, scale = detector_input(picture)
        logits, values = self.detector(x)
        scores = 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -100, 100)))
        centre = ANCHORS + values[:, :2]
        half = values[:, 2:4] / 2
        rows = np.concatenate(
            [centre - half, centre + half, (values[:, 4:].reshape(-1, 6, 2) + ANCHORS[:, None]).reshape(-1, 12)], 1
        )
        return [(score, row[:4] / scale, row[4:].reshape(6, 2) / scale) for score, row in merged(scores, rows)]

    def land(self, picture: np.ndarray, box: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
        """Mesh [468, 3] in image pixels: on the detector's box, then on the mesh's hull until no point moves by more
        than 4 % of it."""
        points = self.on_crop(picture, box, keypoints[0], keypoints[1])
        for _ in range(5):
            hull = np.r_[points[:, :2].min(0), points[:, :2].max(0)]
            before, points = points, self.on_crop(picture, hull, *self.eyes(points))
            if np.linalg.norm((points - before)[:, :2], axis=1).max() <= 0.04 * np.ptp(points[:, :2], axis=0).max():
                break
        return points

    def on_crop(self, picture, box, left_eye, right_eye) -> np.ndarray:
        matrix, scale = crop_matrix(box, left_eye, right_eye)
        points, _ = self.mesh(cv2.warpAffine(picture, matrix, (192, 192)) / np.float32(255))
        back = cv2.invertAffineTransform(matrix)
        return np.concatenate([points[:, :2] @ back[:, :2].T + back[:, 2], points[:, 2:] / scale], 1)


ANCHORS = np.array(
    [
        ((x + 0.5) * 128 / side, (y + 0.5) * 128 / side)
        for side, boxes in ((16, 2), (8, 6))
        for y in range(side)
        for x in range(side)
        for _ in range(boxes)
    ]
)


def detector_input(picture: np.ndarray) -> tuple[np.ndarray, float]:
    height, width = picture.shape[:2]
    scale = 128 / max(height, width)
    small = cv2.resize(
        picture, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA
    )
    x = np.zeros((128, 128, 3), np.float32)
    x[: small.shape[0], : small.shape[1]] = small / np.float32(127.5) - 1
    return x, scale


def crop_matrix(box, left_eye, right_eye) -> tuple[np.ndarray, float]:
    box = np.asarray(box, np.float64)
    centre, size = (box[:2] + box[2:]) / 2, 1.5 * (box[2:] - box[:2]).max()
    angle = np.degrees(np.arctan2(right_eye[1] - left_eye[1], right_eye[0] - left_eye[0]))
    matrix = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), float(angle), 192 / size)
    matrix[:, 2] += 96 - centre
    return matrix, 192 / size


def overlap(a, b) -> float:
    """Intersection over union."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = sides.prod() if (sides > 0).all() else 0.0
    return shared / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared)


def merged(scores, rows, least=0.5, same=0.3):
    """Weighted non-maximum suppression."""
    order = [i for i in np.argsort(-scores, kind="stable") if scores[i] >= least]
    out = []
    while order:
        group = [i for i in order if overlap(rows[order[0], :4], rows[i, :4]) > same] or order[:1]
        out.append((float(scores[order[0]]), np.average(rows[group], axis=0, weights=scores[group])))
        order = [i for i in order if i not in group]
    return out
