"""An estimate of how much nearer to its original a repaired picture is, where the original is unknown."""

from __future__ import annotations

import math

# Fitted by tools/fit_repair_gain.py to the public photos at qualities 20 to 80.
GAIN = (1.569, -1.696, 1.612, 0.816)
LEAST_DB, MOST_DB = 0.3, 2.0  # what was seen on nearly all of them; the estimate stays inside


def terms(quality: float, change: float) -> tuple[float, float, float, float]:
    """What the estimate is linear in. quality: of the compression; change: mean square of the repair on luma, levels^2.
    In smooth pictures a repair changes little and gains most."""
    scale = math.log10((5000 / quality if quality < 50 else 200 - 2 * quality) / 100)  # of the steps of quality 50
    size = math.log10(max(change, 1e-3))
    return 1.0, size, scale, (size - scale) ** 2


def estimated_gain(quality: float, change: float) -> float:
    """PSNR on luma gained by a repair, dB."""
    gain = sum(weight * term for weight, term in zip(GAIN, terms(quality, change), strict=True))
    return min(max(gain, LEAST_DB), MOST_DB)


def gain_sentence(gain_db: float) -> str:
    return f"About {gain_db:.1f} dB nearer to the original (estimated); still marked because detail is gone for good."
