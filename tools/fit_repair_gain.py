"""Fits GAIN of sonic_nodes/gate/gain.py: how much nearer to its original a repaired picture is.

    python -m tools.fit_repair_gain --photos DIR

DIR holds photos that never were JPEGs, as PNG. Each is saved at several qualities and repaired from the file; the gain
in dB on luma is fitted by least squares to the terms of gain.py. Prints the coefficients, and the error of the estimate
for photos that were left out of the fit one by one.
"""

import argparse
import io
from pathlib import Path

import numpy as np
from PIL import Image

from sonic_nodes.extension.native import _sonic
from sonic_nodes.gate.gain import terms
from sonic_nodes.gate.repair import from_file

QUALITIES = (20, 30, 40, 50, 60, 70, 80)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", required=True, type=Path, metavar="DIR")
    rows = [row for path in sorted(parser.parse_args().photos.glob("*.png")) for row in measured(path)]
    names, matrix, gain = (np.array(column) for column in zip(*rows, strict=True))
    estimates = np.empty_like(gain)
    for name in set(names):
        left_out = names == name
        estimates[left_out] = matrix[left_out] @ fit(matrix[~left_out], gain[~left_out])
    error = np.abs(estimates - gain)
    print("GAIN =", tuple(round(float(v), 3) for v in fit(matrix, gain)))
    print(f"photos left out: mean error {error.mean():.2f} dB, 90 % within {np.percentile(error, 90):.2f} dB")


def measured(path: Path):
    """(photo, terms of the estimate, gain in dB) at each quality."""
    photo = np.asarray(Image.open(path).convert("RGB"))
    for quality in QUALITIES:
        stream = io.BytesIO()
        Image.fromarray(photo).save(stream, "JPEG", quality=quality)
        plain, repaired = np.asarray(Image.open(stream).convert("RGB")), from_file(stream.getvalue())
        before, after = (_sonic.repair_change(photo, picture) for picture in (plain, repaired))
        yield path.stem, terms(quality, _sonic.repair_change(plain, repaired)), 10 * np.log10(before / after)


def fit(matrix: np.ndarray, gain: np.ndarray) -> np.ndarray:
    return np.linalg.lstsq(matrix, gain, rcond=None)[0]


if __name__ == "__main__":
    main()
