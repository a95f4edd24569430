"""What a user should know about the face in a portrait: too dark or burnt out, on its side, cut off, with something
before the mouth. Measured in csrc/face/portrait.h and csrc/face/mouth.h, judged here."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from .extension.native import _sonic
from .face import ASSETS, Face
from .portrait_limits import BURNT_SHARE, DARK_LEVEL, MISSING_SHARE, MOUTH_COVERED, SIDEWAYS_DEG, UPSIDE_DOWN_DEG

PREFIX = "face_"  # of the keys in the gate's evidence
ELLIPSE_POINTS = 36


class Finding(NamedTuple):
    name: str
    value: float
    confidence: float  # 0..1
    advice: str


def measure(picture: np.ndarray, face: Face, alpha: np.ndarray | None = None) -> dict[str, float]:
    """Numbers about a face in a picture u8 [H, W, 3] RGB: face_luma_low, _mid, _high (percentiles of its luma, levels),
    face_luma_pixels, face_bright_share, face_roll_deg, face_missing_share; and where the mouth is large enough to judge
    mouth_covered, log odds.

    alpha: opacity u8 [H, W] of a picture that was composited on a background; transparent pixels do not count.
    """
    mouth = _sonic.face_mouth(picture, face.mesh)
    covered = {} if mouth is None else {"mouth_covered": covered_log_odds(mouth)}
    return prefixed(_sonic.face_portrait(picture, face.mesh, alpha)) | covered


def measure_box(picture: np.ndarray, box_xyxy, alpha: np.ndarray | None = None) -> dict[str, float]:
    """The light alone, in the ellipse that fills a box."""
    x0, y0, x1, y1 = (float(v) for v in box_xyxy)
    turn = np.linspace(0, 2 * np.pi, ELLIPSE_POINTS, endpoint=False)
    ellipse = np.c_[(x0 + x1 + (x1 - x0) * np.cos(turn)) / 2, (y0 + y1 + (y1 - y0) * np.sin(turn)) / 2]
    return prefixed(_sonic.face_light(picture, ellipse.astype(np.float32), alpha))


@functools.cache
def mouth_model() -> dict[str, np.ndarray]:
    """What tools/fit_mouth.py fits: {mean, scale: f64 [n] of visible mouths; weight: f64 [2 n]; bias: f64 []}."""
    model = json.loads((ASSETS / "mouth.json").read_text("utf-8"))
    return {key: np.asarray(model[key], float) for key in ("mean", "scale", "weight", "bias")}


def mouth_features(values, mean, scale) -> np.ndarray:
    """f64 [..., 2 n] of values [..., n] of csrc/face/mouth.h: how far each lies from a visible mouth's mean in standard
    deviations, up to 3, with its sign and without. Without signs, a pattern that is too red in one place and too green
    in another is as far from a mouth as one that is too green everywhere."""
    distance = np.clip((np.asarray(values, float) - mean) / scale, -3, 3)
    return np.concatenate([distance, np.abs(distance)], -1)


def covered_log_odds(values) -> float:
    """Log odds that something covers the mouth: values [n] of csrc/face/mouth.h."""
    m = mouth_model()
    return float(mouth_features(values, m["mean"], m["scale"]) @ m["weight"] + m["bias"])


def prefixed(numbers: dict) -> dict[str, float]:
    return {PREFIX + key: float(value) for key, value in numbers.items()}


def findings(measured: dict[str, float]) -> Iterator[Finding]:
    """All that can be said from `measured`, harmless values too: the limits decide."""
    if measured.get("face_luma_pixels"):
        yield from light_findings(measured)
    if "face_roll_deg" in measured:
        yield from pose_findings(measured)
    if "mouth_covered" in measured and is_lit(measured):
        yield mouth_finding(measured)


def is_lit(measured: dict[str, float]) -> bool:
    """Whether the face has colours to judge: neither dark nor burnt out."""
    return measured["face_luma_high"] > DARK_LEVEL and measured["face_bright_share"] < BURNT_SHARE


def light_findings(measured: dict[str, float]) -> Iterator[Finding]:
    high, burnt = measured["face_luma_high"], measured["face_bright_share"]
    yield Finding(
        "face_underexposed",
        high,
        1.0,
        "Choose a picture with more light on the face, or brighten it: the face is too dark, its brightest parts reach "
        f"{high:.0f} of 255 levels.",
    )
    yield Finding(
        "face_overexposed",
        burnt,
        1.0,
        f"Choose a darker picture: {burnt:.0%} of the face is white, and its features are gone there.",
    )


def mouth_finding(measured: dict[str, float]) -> Finding:
    odds = measured["mouth_covered"]
    return Finding(
        "mouth_covered",
        odds,
        float(1 / (1 + np.exp(-odds))),
        "Choose a picture that shows the mouth: something seems to cover it, such as a mask, a hand or a microphone, "
        "and a covered mouth cannot speak.",
    )


def pose_findings(measured: dict[str, float]) -> Iterator[Finding]:
    roll, missing = measured["face_roll_deg"], measured["face_missing_share"]
    if abs(roll) < UPSIDE_DOWN_DEG:
        side = "left" if roll > 0 else "right"
        yield Finding(
            "sideways", abs(roll), 1.0, f"Turn the picture a quarter to the {side}: the face lies on its side."
        )
    else:
        yield Finding("upside_down", abs(roll), 1.0, "Turn the picture by half: the face is upside down.")
    yield Finding(
        "face_cut_off",
        missing,
        1.0,
        "Choose a picture that shows the whole face: a part of it is cut off, and only what is in the picture moves.",
    )


def notes(picture: np.ndarray, face: Face) -> list[str]:
    """Sentences for the user who is about to animate `face`; [] for a face that the networks do not confirm, such as a
    drawing in a painted mask."""
    if face.presence < 0.5:
        return []
    worth = {
        "face_underexposed": lambda value: value <= DARK_LEVEL,
        "face_overexposed": lambda value: value >= BURNT_SHARE,
        "sideways": lambda value: value >= SIDEWAYS_DEG,
        "upside_down": lambda value: True,
        "face_cut_off": lambda value: value >= MISSING_SHARE,
        "mouth_covered": lambda value: value >= MOUTH_COVERED,
    }
    return [f.advice for f in findings(measure(picture, face)) if worth[f.name](f.value)]
