"""Findings: for each reason a value to compare with its limit, a confidence, and advice for the user."""

from __future__ import annotations

import functools
import json
import math

from .. import portrait
from ..face import ASSETS
from .history import (
    GRID_CONTRAST,
    SAME_QUALITY,
    blocks_contrast,
    coarsest,
    container_quality,
    history_quality,
    is_drawn,
    is_pattern,
    is_repeated,
    region,
)

# The most that such claims state, by hand: bench/gate_drawn.py compares with the share that is right.
EARLIER_CONFIDENCE, GRID_CONFIDENCE, REPEAT_CONFIDENCE, MODEL_CONFIDENCE = 0.9, 0.95, 0.98, 0.98

# Chosen by hand on the variants of bench/gate.py.
ALTERED = 12  # qualities between the last table and the one that the zeroed coefficients imply
FACE_BLOCKS = 3  # blocks with contrast that a face needs to be judged by itself
ASK = "Ask for the original, or choose policy repair"


def finding(name: str, value: float, confidence: float, advice: str) -> dict:
    return {"name": name, "value": float(value), "confidence": confidence, "advice": advice}


def looks(confidence: float) -> str:
    """The confidence of a claim, in words."""
    return f"(confidence {100 * confidence:.0f} %)"


def probability(log_odds: float) -> float:
    return 1 / (1 + math.exp(-min(max(log_odds, -50), 50)))


def measure_container(evidence: dict, container: dict | None):
    quality = container_quality(container)
    if container and "repaired_quality" in container:
        yield finding(
            "jpeg_history",
            quality,
            1.0,
            f"Ask for the original: the picture looks like JPEG quality {container['repaired_quality']:.0f}, and after "
            f"its repair it is about as far from the original as quality {quality:.0f}.",
        )
    elif quality:
        last, confidence = container["luma_quality"], EARLIER_CONFIDENCE if quality < container["luma_quality"] else 1.0
        earlier = f" and looks like quality {quality:.0f} before {looks(confidence)}" if quality < last else ""
        yield finding(
            "jpeg_container", quality, confidence, f"{ASK}: the file is a JPEG of quality {last:.0f}{earlier}."
        )


def measure_history(evidence: dict, container: dict | None):
    found = coarsest(evidence)
    if found.quality and not (container and found.quality > container_quality(container) - SAME_QUALITY):
        later = f"as quality {container['luma_quality']:.0f}" if container else "in a lossless format"
        yield finding(
            "jpeg_history",
            found.quality,
            found.confidence,
            f"{ASK}: the picture looks like JPEG quality {found.quality:.0f} {looks(found.confidence)}, saved again "
            f"{later}.",
        )


def measure_region(evidence: dict, container: dict | None):
    """A region with a compression of its own, as a pasted part has."""
    found, whole = region(evidence), history_quality(evidence)[0] or container_quality(container)
    if found.quality and not (whole and found.quality > whole - SAME_QUALITY):
        yield finding(
            "jpeg_region",
            found.quality,
            found.confidence,
            f"{ASK}: a part of the picture looks like JPEG quality {found.quality:.0f} {looks(found.confidence)}, "
            "pasted into it (see the heat map).",
        )


def measure_post_processed(evidence: dict, container: dict | None):
    """Blocks without a table: the picture was processed or resized after its compression."""
    last = max(history_quality(evidence)[0], container_quality(container))
    unscaled, resized = blocks_contrast(evidence, "grid"), blocks_contrast(evidence, "resized")
    if unscaled and not (last and evidence["grid_quality"] > last - ALTERED):
        yield post_processed(evidence["grid_quality"], unscaled, "then edited (tone, sharpening, blur or noise)")
    if resized:
        yield post_processed(
            evidence["resized_quality"], resized, f"then resized to {evidence['resized_period_px'] / 8:.0%}"
        )


def post_processed(quality: float, contrast: float, how: str) -> dict:
    confidence = GRID_CONFIDENCE * (1 - 0.5 * math.exp(1 - contrast / GRID_CONTRAST))
    return finding(
        "post_processed_jpeg",
        quality,
        confidence,
        f"Ask for the original: the picture looks like a JPEG of about quality {quality:.0f} or less "
        f"{looks(confidence)}, {how}.",
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
    for name, odds, how in (
        ("blur", soft, "out of focus, or enlarged from a smaller one"),
        ("motion", motion, "blurred by motion"),
    ):
        confidence = min(probability(odds), MODEL_CONFIDENCE)
        yield finding(
            f"{prefix}{name}", odds, confidence, f"Choose a sharper picture: {what} looks {how} {looks(confidence)}."
        )


def measure_pixels(evidence: dict, container: dict | None):
    if is_repeated(evidence):
        yield finding(
            "duplicated_pixels",
            evidence["repeated_share"],
            REPEAT_CONFIDENCE,
            f"Ask for the original: the picture looks enlarged by repeating pixels {looks(REPEAT_CONFIDENCE)}.",
        )
    if not is_drawn(evidence):
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
