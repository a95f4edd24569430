"""Fits the model that tells a covered mouth from a visible one and writes sonic_nodes/assets/mouth.json.

    python -m tools.fit_mouth --visible DIR [DIR...] --covered DIR [DIR...]

Logistic regression with an L2 penalty on portrait.mouth_features; covered and visible mouths have the same
total weight. Covered are the faces in the pictures below --covered (real masks), and those below --visible once more
with one of the covers of tests/oracles/covers.py. Pictures in which something real covers the mouth must be taken out
of --visible by hand, but not the doubtful ones: beards, thin lips, profiles and paintings are what the model has to
learn.

The model in the package is fitted to the faces that are large enough in every second picture of dataset/without_mask
and every third of dataset/with_mask of github.com/chandrikadeb7/Face-Mask-Detection (MIT), 723 and 339 of them, and
287 painted covers. What it was not fitted to measures it: bench/portraits.py.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from sonic_nodes import portrait
from sonic_nodes.errors import SonicError
from sonic_nodes.extension.native import _sonic
from sonic_nodes.face import ASSETS, Face, find_faces
from sonic_nodes.media.image import read_picture
from tests.oracles.covers import COVERS, covered
from tools.fit_gate import fit

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
FACES = 2  # the largest of each picture
PENALTY = 10.0


def pictures_below(folders: list[Path]) -> list[Path]:
    return sorted(p for folder in folders for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)


def read(path: Path) -> np.ndarray | None:
    try:
        return read_picture(path)
    except SonicError as error:
        print(error, file=sys.stderr)
        return None


def mouths(picture: np.ndarray) -> list[tuple[Face, list[float]]]:
    """The largest faces whose mouths can be judged, and the values of csrc/face/mouth.h."""
    found = [(face, _sonic.face_mouth(picture, face.mesh)) for face in find_faces(picture, thorough=False)[:FACES]]
    return [(face, values) for face, values in found if values is not None]


def with_covers(picture: np.ndarray, face: Face, seed: int) -> list[list[float]]:
    """Values of the face with a cover; [] when it is not found any more."""
    kind = list(COVERS)[seed % len(COVERS)]
    middle = (face.hull_xyxy[:2] + face.hull_xyxy[2:]) / 2
    found = mouths(covered(picture, face.mesh, kind, seed))
    return [v for f, v in found if (f.hull_xyxy[:2] <= middle).all() and (middle < f.hull_xyxy[2:]).all()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visible", required=True, nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--covered", required=True, nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--out", type=Path, default=ASSETS / "mouth.json", metavar="FILE")
    options = parser.parse_args()
    good, bad = [], []
    for seed, path in enumerate(pictures_below(options.visible)):
        picture = read(path)
        for face, values in [] if picture is None else mouths(picture):
            good.append(values)
            bad += with_covers(picture, face, seed)
    for path in pictures_below(options.covered):
        picture = read(path)
        bad += [values for _, values in ([] if picture is None else mouths(picture))]
    if not good or not bad:
        sys.exit(f"Name folders with faces: {len(good)} visible mouths were found and {len(bad)} covered ones.")
    print(f"{len(good)} visible mouths, {len(bad)} covered", file=sys.stderr)
    write(options.out, fitted(good, bad))


def fitted(good: list[list[float]], bad: list[list[float]]) -> dict:
    """{mean, scale, weight, bias} as portrait.covered_log_odds reads them."""
    mean, scale = np.round(np.mean(good, 0), 5), np.round(np.std(good, 0) + 1e-5, 5)
    rows = [portrait.mouth_features(values, mean, scale) for values in (bad, good)]
    names = [str(i) for i in range(rows[0].shape[1])]
    positive, negative = ([dict(zip(names, row, strict=True)) for row in kind] for kind in rows)
    model = fit(positive, negative, names, PENALTY)
    weight = np.array(model["weight"]) / model["scale"]  # on the features themselves
    bias = model["bias"] - weight @ np.array(model["mean"])
    model = {"mean": mean, "scale": scale, "weight": weight, "bias": bias}
    return {key: np.round(value, 5).tolist() for key, value in model.items()}


def write(path: Path, model: dict):
    path.write_text(json.dumps(model) + "\n", "utf-8")
    print(path)


if __name__ == "__main__":
    main()
