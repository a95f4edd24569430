"""The face networks against the original .tflite models run by LiteRT (ai-edge-litert), picture by picture.

    python -m bench.face_parity --photos DIR [--photos DIR ...]
    python -m bench.face_parity --photos sonic_nodes/assets/sample/portrait.jpg --record tests/face/oracle.safetensors

detector, mesh   largest difference on the same float input: pixels of the detector's 128, of the mesh's 192
IoU              the detector's boxes from the image, each pipeline with its own resizing, decoding and merging
end to end       largest and mean distance of the 468 points from the image, in pixels of the image
Images without a face in either pipeline are listed at the end. Exit status 1 when a limit is missed.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.numpy import save_file

from sonic_nodes.errors import SonicError
from sonic_nodes.face import ASSETS, LANDMARKS, Face, find_faces, run_network
from sonic_nodes.media.image import read_picture
from tests.oracles import face_oracle

LIMITS = {"mesh_px": 0.05, "iou": 0.99, "end_px": 0.5}
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".mp4"}


def planes(x: np.ndarray) -> torch.Tensor:
    """[H, W, 3] -> [1, 3, H, W]"""
    return torch.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1)[None], np.float32))


def detector_difference(oracle, picture) -> tuple[float, float]:
    """(pixels, logits) on the same input."""
    x, _ = face_oracle.detector_input(picture)
    logits, values = oracle.detector(x)
    ours_logits, ours_values = run_network("face_detector", planes(x))
    near = logits > -10  # boxes that no threshold passes need no comparison
    off_px, off_logit = (
        np.abs(ours_values[0].numpy() - values)[near],
        np.abs(ours_logits[0, :, 0].numpy() - logits)[near],
    )
    return float(off_px.max(initial=0)), float(off_logit.max(initial=0))


def mesh_difference(oracle, picture, box, keypoints) -> float:
    matrix, _ = face_oracle.crop_matrix(box, keypoints[0], keypoints[1])
    crop = cv2.warpAffine(picture, matrix, (192, 192)) / np.float32(255)
    points, _ = oracle.mesh(crop)
    ours, _ = run_network("face_mesh", planes(crop))
    return float(np.linalg.norm((ours[0].numpy().reshape(468, 3) - points)[:, :2], axis=1).max())


def compare(oracle, picture: np.ndarray) -> dict | None:
    """The row of one image, for the face that both pipelines detect; None when one of them detects none."""
    theirs, ours = oracle.detect(picture), find_faces(picture)
    pairs = [
        (face_oracle.overlap(box, face.box_xyxy), box, keypoints, face) for _, box, keypoints in theirs for face in ours
    ]
    if not pairs or max(pairs, key=lambda p: p[0])[0] < 0.5:
        return None
    iou, box, keypoints, face = max(pairs, key=lambda p: p[0])
    distances = np.linalg.norm(oracle.land(picture, box, keypoints)[:, :2] - face.mesh[:, :2], axis=1)
    detector_px, detector_logit = detector_difference(oracle, picture)
    return {
        "size": picture.shape[1::-1],
        "face_px": face_height(face),
        "detector_px": detector_px,
        "detector_logit": detector_logit,
        "mesh_px": mesh_difference(oracle, picture, box, keypoints),
        "iou": iou,
        "end_px": distances.max(),
        "end_mean_px": distances.mean(),
    }


def face_height(face: Face) -> float:
    return float(np.linalg.norm(face.mesh[LANDMARKS["forehead"], :2] - face.mesh[LANDMARKS["chin"], :2]))


def record(oracle, picture: np.ndarray) -> dict[str, np.ndarray]:
    """The oracle's inputs and outputs for one image: tests/face/oracle.safetensors."""
    x, scale = face_oracle.detector_input(picture)
    logits, values = oracle.detector(x)
    # without the empty canvas beside it
    small = x[: round(picture.shape[0] * scale), : round(picture.shape[1] * scale)]
    _, box, keypoints = oracle.detect(picture)[0]
    matrix, _ = face_oracle.crop_matrix(box, keypoints[0], keypoints[1])
    crop = cv2.warpAffine(picture, matrix, (192, 192))
    points, presence = oracle.mesh(crop / np.float32(255))
    found = {
        "detector_logits": logits,
        "detector_values": values,
        "box_xyxy": box,
        "keypoints": keypoints,
        "mesh_points": points,
        "mesh_presence": np.array([presence]),
        "picture_mesh": oracle.land(picture, box, keypoints),
    }
    return {"detector_u8": np.rint((small + 1) * 127.5).astype(np.uint8), "mesh_u8": crop} | {
        k: v.astype(np.float32) for k, v in found.items()
    }


def first_frame(path: Path) -> np.ndarray:
    if path.suffix.lower() != ".mp4":
        return read_picture(path)
    import av

    with av.open(str(path)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--photos", type=Path, action="append", metavar="DIR", help="pictures, videos (first frame); default: sample"
    )
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="write the oracle's answers for the first picture, for the tests"
    )
    options = parser.parse_args()
    photos = options.photos or [ASSETS / "sample" / "portrait.jpg"]
    oracle, rows, without = face_oracle.Oracle(), [], []
    if options.record:
        return save_file(record(oracle, read_picture(photos[0])), options.record)
    print(
        f"{'picture':28} {'size':>11} {'face':>5} {'detector px':>11} {'logit':>8} {'mesh px':>8} "
        f"{'IoU':>7} {'end px':>8} {'mean':>7}"
    )
    for path in sorted(
        p
        for folder in photos
        for p in ([folder] if folder.is_file() else folder.iterdir())
        if p.suffix.lower() in SUFFIXES
    ):
        try:
            row = compare(oracle, first_frame(path))
        except SonicError as error:
            raise SystemExit(str(error)) from None
        if row is None:
            without.append(path.name)
            continue
        rows.append(row)
        print(
            f"{path.name:28} {row['size'][0]:5}x{row['size'][1]:<5} {row['face_px']:5.0f} {row['detector_px']:11.1e} "
            f"{row['detector_logit']:8.1e} {row['mesh_px']:8.5f} {row['iou']:7.4f} "
            f"{row['end_px']:8.3f} {row['end_mean_px']:7.3f}"
        )
    print("no face in one of the two:", ", ".join(without) or "none")
    if not rows:
        return 1
    worst = {
        "mesh_px": max(r["mesh_px"] for r in rows),
        "iou": min(r["iou"] for r in rows),
        "end_px": max(r["end_px"] for r in rows),
    }
    met = (
        worst["mesh_px"] <= LIMITS["mesh_px"] and worst["iou"] >= LIMITS["iou"] and worst["end_px"] <= LIMITS["end_px"]
    )
    print(
        "worst:",
        ", ".join(f"{name} {value:.5f} (limit {LIMITS[name]})" for name, value in worst.items()),
        "- met" if met else "- MISSED",
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
