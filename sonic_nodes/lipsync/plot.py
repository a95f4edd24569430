"""Plots an estimate: the score over lag, and the leading variates of mouth and sound after alignment. As a picture, and
as numbers for what draws it itself."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .estimate import MAX_OFFSET_MS, TICKS_PER_S, Estimate

WIDTH, HEIGHT = 960, 540
SCORES, CURVES = (70, 70, 930, 260), (70, 330, 930, 490)  # left, top, right, bottom
SHOWN_TICKS = 8 * TICKS_PER_S
INK, PALE, MOUTH, SOUND = (40, 40, 40), (200, 200, 200), (200, 60, 40), (40, 90, 190)


def plot(found: Estimate) -> np.ndarray:
    """uint8 [540, 960, 3]."""
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=16)
    draw.text((20, 14), f"offset {found.offset_ms:+.0f} ms, confidence {found.confidence:.2f}", INK, font=font)
    draw.text((20, 38), found.reason[:120], INK, font=ImageFont.load_default(size=13))
    if found.scores is not None:
        _scores(draw, found, font)
        _curves(draw, found, font)
    return np.array(image)


def _line(draw, box, values, colour, low: float, high: float) -> None:
    left, top, right, bottom = box
    x = np.linspace(left, right, len(values))
    y = bottom - (np.clip(values, low, high) - low) / max(high - low, 1e-9) * (bottom - top)
    draw.line([(float(a), float(b)) for a, b in zip(x, y, strict=True)], colour, width=2)


def _scores(draw, found: Estimate, font) -> None:
    left, top, right, bottom = SCORES
    draw.rectangle(SCORES, outline=PALE)
    for ms in range(-MAX_OFFSET_MS, MAX_OFFSET_MS + 1, 200):
        x = left + (ms + MAX_OFFSET_MS) / (2 * MAX_OFFSET_MS) * (right - left)
        draw.line([(x, top), (x, bottom)], PALE)
        draw.text((x, bottom + 4), f"{ms:+d} ms" if ms else "0", INK, font=font, anchor="ma")
    _line(draw, SCORES, found.scores, INK, float(found.scores.min()), float(found.scores.max()))
    x = left + (found.offset_ms + MAX_OFFSET_MS) / (2 * MAX_OFFSET_MS) * (right - left)
    draw.line([(x, top), (x, bottom)], MOUTH, width=2)
    draw.text((left + 6, top + 4), "score over the delay of the sound", INK, font=font)


def _aligned(found: Estimate):
    """(ticks, mouth, sound) of the pair of variates with the highest correlation, the sound shifted by the estimate."""
    variates, lag = found.variates, round(found.offset_ms * TICKS_PER_S / 1000)
    first = int(np.flatnonzero(variates.valid)[0])
    at = np.arange(first, min(first + SHOWN_TICKS, len(variates.valid)))
    return at, variates.mouth[0][at], variates.sound[0][np.clip(at + lag, 0, len(variates.valid) - 1)]


def _curves(draw, found: Estimate, font) -> None:
    at, mouth, sound = _aligned(found)
    draw.rectangle(CURVES, outline=PALE)
    for values, colour, name, x in ((mouth, MOUTH, "mouth", 76), (sound, SOUND, "sound, shifted", 140)):
        spread = 3 * float(values.std()) or 1.0
        _line(draw, CURVES, values - values.mean(), colour, -spread, spread)
        draw.text((x, CURVES[1] - 22), name, colour, font=font)
    draw.text(
        (CURVES[0], CURVES[3] + 4),
        f"from {at[0] / TICKS_PER_S:.1f} s to {at[-1] / TICKS_PER_S:.1f} s of the sound",
        INK,
        font=font,
    )


def numbers(found: Estimate) -> dict | None:
    """What `plot` draws, for JSON; None where nothing was measured. scores: from -max_offset_ms to max_offset_ms, each
    in 0 to 1; mouth, sound: standard deviations from the mean, from from_s to to_s."""
    if found.scores is None:
        return None
    at, *curves = _aligned(found)
    scores = found.scores - found.scores.min()
    mouth, sound = ((values - values.mean()) / max(float(values.std()), 1e-9) for values in curves)
    return {
        "offset_ms": round(found.offset_ms, 1),
        "confidence": round(found.confidence, 3),
        "max_offset_ms": MAX_OFFSET_MS,
        "scores": _rounded(scores / max(float(scores.max()), 1e-9), 3),
        "mouth": _rounded(mouth, 2),
        "sound": _rounded(sound, 2),
        "from_s": round(float(at[0] / TICKS_PER_S), 2),
        "to_s": round(float(at[-1] / TICKS_PER_S), 2),
    }


def _rounded(values: np.ndarray, digits: int) -> list[float]:
    return [round(float(value), digits) for value in values]
