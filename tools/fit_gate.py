"""Fits the gate's two models of sharpness and writes sonic_nodes/assets/gate.json.

    python -m tools.fit_gate --photos DIR

Logistic regression with an L2 penalty; good and bad variants have the same total weight. Only photos whose licence
allows it are used: PERMISSIVE. Nothing else in the gate is fitted.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from sonic_nodes.face import ASSETS
from sonic_nodes.gate.check import evidence_of_picture
from sonic_nodes.gate.findings import soft_features
from sonic_nodes.media.image import read_picture
from tests.oracles import gate_variants

# Kodak's set, NASA, CC0 and CC-BY (see THIRD_PARTY.md): not the GPL wallpapers, not the portraits of unclear origin.
PERMISSIVE = ("kodim*.png", "p_astronaut.png", "seeding.png", "friends.png", "life.png", "sunset.png", "picture_0b.png")
FEATURES = {
    "soft": (
        "fall_3",
        "fall_4",
        "fall_5",
        "fall_6",
        "sector_most",
        "sector_range",
        "sharp_50",
        "sharp_90",
        "steepest",
        "log_noise",
    ),
    "motion": (
        "fall_3",
        "fall_4",
        "fall_5",
        "sector_least",
        "sector_most",
        "sector_range",
        "sharp_50",
        "sharp_90",
        "log_noise",
    ),
}
SOFT, MOTION = ("blur", "fake", "defocus", "blur2", "fake2"), ("motion",)
PENALTY = 3.0


def usable(variant) -> bool:
    """Good variants, and bad ones that lack sharpness."""
    return variant.label == gate_variants.GOOD or (
        variant.label == gate_variants.BAD and variant.family in SOFT + MOTION
    )


def samples_of(photo) -> list[tuple[str, dict]]:
    """[(kind: good, soft or motion; features)] of one photo's variants."""
    found = []
    for variant in [*gate_variants.standard(photo), *gate_variants.stress(photo)]:
        if usable(variant):
            kind = "good" if variant.label == gate_variants.GOOD else "motion" if variant.family in MOTION else "soft"
            found.append((kind, soft_features(evidence_of_picture(gate_variants.decoded(variant.data)))))
    return found


def fit(positive, negative, names, penalty=PENALTY) -> dict:
    """Newton's method on the penalised log likelihood."""
    x = np.array([[row[name] for name in names] for row in [*positive, *negative]])
    y = np.r_[np.ones(len(positive)), np.zeros(len(negative))]
    share = np.where(y > 0, 0.5 / len(positive), 0.5 / len(negative)) * len(y)
    mean, scale = x.mean(0), x.std(0) + 1e-9
    z = np.c_[(x - mean) / scale, np.ones(len(x))]
    ridge = np.diag([penalty] * len(names) + [1e-6])
    weights = np.zeros(z.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-z @ weights))
        gradient = z.T @ (share * (p - y)) + ridge @ weights
        step = np.linalg.solve(z.T @ (z * (share * p * (1 - p))[:, None]) + ridge, gradient)
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    bias = round(float(weights[-1]), 6)
    return {
        "features": list(names),
        "mean": rounded(mean),
        "scale": rounded(scale),
        "weight": rounded(weights[:-1]),
        "bias": bias,
    }


def rounded(values) -> list[float]:
    return [round(float(value), 6) for value in values]


def fit_all(rows) -> dict:
    kinds = {kind: [features for k, features in rows if k == kind] for kind in ("good", "soft", "motion")}
    return {name: fit(kinds[name], kinds["good"], FEATURES[name]) for name in ("soft", "motion")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", required=True, type=Path, metavar="DIR", help="good photos, PNG")
    options = parser.parse_args()
    gate_variants.PNG_LEVEL = 0
    paths = sorted(path for pattern in PERMISSIVE for path in options.photos.glob(pattern))
    if not paths:
        sys.exit(f"Name a folder with the photos {', '.join(PERMISSIVE)}: {options.photos} has none.")
    rows = []
    for path in paths:
        rows += samples_of(read_picture(path))
        print(f"{path.name}: {len(rows)} rows", file=sys.stderr)
    target = ASSETS / "gate.json"
    target.write_text(json.dumps({"photos": [path.stem for path in paths]} | fit_all(rows), indent=1) + "\n", "utf-8")
    print(target)


if __name__ == "__main__":
    main()
