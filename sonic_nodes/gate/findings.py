"""Findings: for each reason a value to compare with its limit, a confidence, and advice for the user."""

from __future__ import annotations

import functools
import json
import math

from .. import portrait
from ..face import ASSETS
from .history import (
    GRID_CONTRAST,
    LIKELIHOOD,
    SAME_QUALITY,
    container_quality,
    grid_contrast,
    history_quality,
    is_drawn,
    is_pattern,
    is_repeated,
    region_quality,
)

# Chosen by hand on the variants of bench/gate.py.
ALTERED = 12  # qualities between the last table and the one that the zeroed coefficients imply
FACE_BLOCKS = 3  # blocks with contrast that a face needs to be judged by itself
ASK = "Ask for the original, or choose policy repair"


def finding(name: str, value: float, confidence: float, advice: str) -> dict:
    return {"name": name, "value": float(value), "confidence": confidence, "advice": advice}


def confidence_of(likelihood: float) -> float:
    """Confidence from a sum of log likelihood ratios: 0.5 at the threshold."""
    return 1 - 0.5 * math.exp(-(likelihood - LIKELIHOOD) / LIKELIHOOD)


def probability(log_odds: float) -> float:
    return 1 / (1 + math.exp(-min(max(log_odds, -50), 50)))


def measure_container(evidence: dict, container: dict | None):
    quality = container_quality(container)
    if container and "repaired_quality" in container:
        yield finding(
            "jpeg_history",
            quality,
            1.0,
            f"Ask for the original: the picture was saved as JPEG quality {container['repaired_quality']:.0f}, and "
            f"after its repair it is as far from the original as quality {quality:.0f}.",
        )
    elif quality:
        last = container["luma_quality"]
        later = f", then as quality {last:.0f}" if quality < last else ""
        yield finding(
            "jpeg_container", quality, 1.0, f"{ASK}: the picture was saved as JPEG quality {quality:.0f}{later}."
        )


def measure_history(evidence: dict, container: dict | None):
    quality, likelihood = history_quality(evidence)
    if quality and not (container and quality > container_quality(container) - SAME_QUALITY):
        later = f"as quality {container['luma_quality']:.0f}" if container else "in a lossless format"
        yield finding(
            "jpeg_history",
            quality,
            confidence_of(likelihood),
            f"{ASK}: the picture was saved as JPEG quality {quality:.0f}, then {later}.",
        )


def measure_region(evidence: dict, container: dict | None):
    """A region with a compression of its own, as a pasted part has."""
    quality, whole = region_quality(evidence), history_quality(evidence)[0] or container_quality(container)
    if quality and not (whole and quality > whole - SAME_QUALITY):
        yield finding(
            "jpeg_region",
            quality,
            confidence_of(evidence["region_likelihood"]),
            f"{ASK}: a part of the picture was saved as JPEG quality {quality:.0f} and then pasted (see the heat map).",
        )


def measure_post_processed(evidence: dict, container: dict | None):
    """Blocks without a table: the picture was processed or resized after its compression."""
    if is_drawn(evidence):
        return
    last = max(history_quality(evidence)[0], container_quality(container))
    unscaled, resized = grid_contrast(evidence, "grid"), grid_contrast(evidence, "resized")
    if unscaled and not (last and evidence["grid_quality"] > last - ALTERED):
        yield post_processed(evidence["grid_quality"], unscaled, "then edited (tone, sharpening, blur or noise)")
    if resized:
        yield post_processed(
            evidence["resized_quality"], resized, f"then resized to {evidence['resized_period_px'] / 8:.0%}"
        )


def post_processed(quality: float, contrast: float, how: str) -> dict:
    return finding(
        "post_processed_jpeg",
        quality,
        1 - 0.5 * math.exp(1 - contrast / GRID_CONTRAST),
        f"Ask for the original: the picture was saved as JPEG, about quality {quality:.0f} or less, {how}.",
    )


@functools.cache
def models() -> dict:
    """{name: {features, mean, scale, weight, bias}} fitted by tools/fit_gate.py."""
    return json.loads((ASSETS / "gate.json").read_text("utf-8"))


def log_odds(model: str, evidence: dict, prefix: str = "") -> float:
    m = models()[model]
    values = soft_features(evidence, prefix)
    terms = zip(m["features"], m["mean"], m["scale"], m["weight"], strict=True)
    return m["bias"] + sum(weight * (values[name] - mean) / scale for name, mean, scale, weight in terms)


def soft_features(evidence: dict, prefix: str = "") -> dict[str, float]:
    """The features of the sharpness models; prefix "face_" for the face. Densities are relative to band 2, about 0.1
    cycles a pixel."""
    band = [evidence[f"{prefix}band_{i}"] for i in range(8)]
    sector = sorted(evidence[f"{prefix}sector_{i}"] for i in range(4))
    fall = {f"fall_{i}": band[i] - band[2] for i in (0, 3, 4, 5, 6, 7)}
    return fall | {
        "steepest": min(b - a for a, b in zip(band[2:], band[3:], strict=False)),
        "sector_least": sector[0],
        "sector_most": sector[3],
        "sector_range": sector[3] - sector[0],
        "sharp_50": evidence[f"{prefix}sharp_50"],
        "sharp_90": evidence[f"{prefix}sharp_90"],
        "log_noise": math.log10(evidence["noise"] + 0.1),
        "contrast": band[2],
    }


def measure_sharpness(evidence: dict, container: dict | None):
    """Blur and motion of the face if there is one: then the background does not count."""
    prefix = "face_" if evidence["face_sharp_blocks"] >= FACE_BLOCKS else ""
    if not evidence[f"{prefix}sharp_blocks"] or (is_pattern if prefix else is_drawn)(evidence):
        return
    what = "the face" if prefix else "the picture"
    soft, motion = log_odds("soft", evidence, prefix), log_odds("motion", evidence, prefix)
    yield finding(
        f"{prefix}blur",
        soft,
        probability(soft),
        f"Choose a sharper picture: {what} is out of focus, or was enlarged from a smaller one.",
    )
    yield finding(f"{prefix}motion", motion, probability(motion), f"Choose a sharper picture: {what} has motion blur.")


def measure_pixels(evidence: dict, container: dict | None):
    if is_repeated(evidence):
        yield finding(
            "duplicated_pixels",
            evidence["repeated_share"],
            1.0,
            "Ask for the original: the picture was enlarged by repeating pixels.",
        )
    if not is_pattern(evidence):
        yield finding(
            "noise",
            evidence["noise"],
            1.0,
            f"Choose a picture taken in more light: its noise is {evidence['noise']:.0f} of 255 levels.",
        )


def measure_size(evidence: dict, container: dict | None):
    side = min(evidence["width_px"], evidence["height_px"])
    yield finding("too_small", side, 1.0, f"Choose a larger picture: its shorter side has {side:.0f} pixels.")
    if "face_side_px" in evidence:
        face = evidence["face_side_px"]
        yield finding(
            "face_too_small", face, 1.0, f"Choose a picture that shows the face larger: it is {face:.0f} pixels wide."
        )


def measure_portrait(evidence: dict, container: dict | None):
    for found in portrait.findings(evidence):
        yield finding(*found)


def measure_exposure(evidence: dict, container: dict | None):
    """Of the whole picture, where no face is known (measure_portrait judges that)."""
    if "face_luma_pixels" in evidence:
        return
    dark, bright = evidence["dark_share"], evidence["bright_share"]
    yield finding("underexposed", dark, 1.0, f"Choose a brighter picture: {dark:.0%} of its pixels are black.")
    yield finding("overexposed", bright, 1.0, f"Choose a darker picture: {bright:.0%} of its pixels are white.")


MEASURES = (
    measure_container,
    measure_history,
    measure_region,
    measure_post_processed,
    measure_sharpness,
    measure_pixels,
    measure_size,
    measure_portrait,
    measure_exposure,
)
