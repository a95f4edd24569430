"""`detect_jpeg_artifacts` under its established name: the verdict is the gate's, the rule's own figures are reported.

The legacy rule rejects a gradient variance below 100, a DCT energy above 500, or a file under 100 KB. bench/gate.py
shows that this does not separate good from bad pictures; the energy even falls with compression.
"""

from __future__ import annotations

import os

import numpy as np

from ..errors import InputError
from ..media.image import read_picture
from .check import check_file, read_bytes

GRADIENT_VARIANCE, HIGH_ENERGY, FILE_BYTES = 100.0, 500.0, 100_000


def detect_jpeg_artifacts(path: str | os.PathLike, profile: str = "portrait", details: bool = False):
    """True when the picture is fine, False when the gate rejects it. With details: (fine, verdict of check_file with
    the legacy figures under "old_rule"). Raises InputError for a file that cannot be read."""
    result = check_file(path, profile)
    if result["verdict"] == "unreadable":
        raise InputError(result["reasons"][0]["advice"])
    fine = result["verdict"] != "reject"
    return (fine, result | {"old_rule": legacy_figures(path)}) if details else fine


def legacy_figures(path: str | os.PathLike) -> dict:
    """{gradient_variance, high_energy, file_bytes, fine}: the legacy rule's figures and its verdict."""
    data = read_bytes(os.fspath(path))
    luma = read_picture(data).astype(np.float64) @ [0.299, 0.587, 0.114]
    variance, energy = gradient_variance(luma), high_energy(luma)
    fine = variance >= GRADIENT_VARIANCE and energy <= HIGH_ENERGY and len(data) >= FILE_BYTES
    return {"gradient_variance": variance, "high_energy": energy, "file_bytes": len(data), "fine": fine}


def gradient_variance(luma: np.ndarray) -> float:
    """Variance of the Sobel gradient's magnitude; luma: [H, W]."""
    if min(luma.shape) < 3:
        return 0.0
    rows = luma[:-2] + 2 * luma[1:-1] + luma[2:]
    columns = luma[:, :-2] + 2 * luma[:, 1:-1] + luma[:, 2:]
    return float(np.hypot(rows[:, 2:] - rows[:, :-2], columns[2:] - columns[:-2]).var())


def high_energy(luma: np.ndarray) -> float:
    """Sum of squares of the 16 highest DCT modes, mean over the 8x8 blocks; luma: [H, W]."""
    height, width = (side // 8 * 8 for side in luma.shape)
    if not height or not width:
        return 0.0
    blocks = luma[:height, :width].reshape(height // 8, 8, width // 8, 8).transpose(0, 2, 1, 3)
    k = np.arange(8)
    basis = np.cos((2 * k + 1) * k[4:, None] * np.pi / 16) / 2
    return float(((basis @ blocks @ basis.T) ** 2).sum((2, 3)).mean())
