"""From evidence to a verdict: reasons with their limits, one score, and a sentence that says what to do."""
from __future__ import annotations

import math

from ..errors import UsageError
from .thresholds import LIMITS, PROFILES

WARN, REJECT = 1.0, 2.0     # severities at the limits
LIKELIHOOD = 150.0          # csrc/gate/history.h: below, no table is believed
SAME_QUALITY = 4            # the pixels say what the container says


def judge(evidence: dict, container: dict | None, profile: str = "portrait", min_score: float = 0.0, path: str = "") -> dict:
    """The verdict on what csrc/gate measured.

    {path, verdict: ok|warn|reject, score: 0..100, higher is better, passed, jpeg_quality: of the coarsest compression found or None,
     reasons: [{name, verdict, value, threshold, confidence: 0..1, advice}], evidence}
    """
    if profile not in PROFILES:
        raise UsageError(f"Choose a profile from {', '.join(PROFILES)}: it is {profile!r}.")
    findings = [finding for measure in MEASURES for finding in measure(evidence, container)]
    severities = [severity(f["value"], *limit_of(f, profile)) for f in findings]
    reasons = [reason(f, s, profile) for f, s in zip(findings, severities, strict=True) if s >= WARN]
    worst = max(severities, default=0.0)
    verdict = "reject" if worst >= REJECT else "warn" if worst >= WARN else "ok"
    score = round(score_of(worst), 2)
    measured = dict(evidence) | {f"container_{key}": value for key, value in (container or {}).items()}
    return {
        "path": path, "verdict": verdict, "score": score, "passed": verdict != "reject" and score >= min_score,
        "jpeg_quality": jpeg_quality(evidence, container), "reasons": reasons, "evidence": measured,
    }


def limit_of(finding: dict, profile: str):
    limit = LIMITS[finding["name"]]
    return (*limit.of(profile), limit.rising)


def severity(value: float, warn: float | None, reject: float | None, rising: bool) -> float:
    """0 is harmless, 1 at the limit for a warning, 2 at that for a rejection; straight lines between, and on beyond."""
    if warn is None:
        return 0.0
    sign = 1.0 if rising else -1.0
    width = (reject - warn) * sign if reject is not None else max(abs(warn), 1e-6)
    above = (value - warn) * sign / width
    if reject is None:
        return min(WARN + above, REJECT - 1e-6) if above >= 0 else max(WARN + above, 0.0)
    return max(WARN + above, 0.0) if above < 1 else REJECT + 1 - math.exp(1 - above)


def score_of(worst: float) -> float:
    """100 without any finding, 60 where warnings begin, 30 where rejections begin, 0 at the worst."""
    return 100 - 40 * worst if worst < WARN else 60 - 30 * (worst - WARN) if worst < REJECT else 30 - 30 * (worst - REJECT)


def reason(finding: dict, how_bad: float, profile: str) -> dict:
    warn, reject, _ = limit_of(finding, profile)
    rejected = how_bad >= REJECT
    return {
        "name": finding["name"], "verdict": "reject" if rejected else "warn", "value": round(finding["value"], 4),
        "threshold": reject if rejected else warn, "confidence": round(finding["confidence"], 4), "advice": finding["advice"],
    }


def found(name: str, value: float, confidence: float, advice: str) -> dict:
    return {"name": name, "value": float(value), "confidence": confidence, "advice": advice}


def believed(likelihood: float) -> float:
    """Confidence from a sum of log likelihood ratios: a half at the threshold."""
    return 1 - 0.5 * math.exp(-(likelihood - LIKELIHOOD) / LIKELIHOOD)


def jpeg_quality(evidence: dict, container: dict | None) -> int | None:
    """Quality of the coarsest compression that the file or the pixels show."""
    qualities = [q for q in (container_quality(container), history_quality(evidence)[0]) if q]
    return int(min(qualities)) if qualities else None


def container_quality(container: dict | None) -> float:
    if not container:
        return 0.0
    return min(q for q in (container["luma_quality"], container["earlier_quality"] or 100.0) if q)


def history_quality(evidence: dict) -> tuple[float, float]:
    """(quality, log likelihood) of the coarsest compression in the pixels; 0 when there is none."""
    found = [
        (evidence["coarsest_quality"], evidence["coarsest_likelihood"]),
        (evidence["earlier_quality"], evidence["earlier_likelihood"]),
        (evidence["custom_quality"], evidence["custom_likelihood"]) if evidence["custom_modes"] >= 6 else (0.0, 0.0),
    ]
    return min((f for f in found if f[0] and f[1] > LIKELIHOOD), default=(0.0, 0.0))


def measure_container(evidence: dict, container: dict | None):
    quality = container_quality(container)
    if quality:
        last = container["luma_quality"]
        how = f"saved as JPEG quality {quality:.0f}" + (f" and later as quality {last:.0f}" if quality < last else "")
        yield found("jpeg_container", quality, 1.0, f"Ask for the original, or choose policy repair: the picture was {how}.")


def measure_history(evidence: dict, container: dict | None):
    quality, likelihood = history_quality(evidence)
    if quality and not (container and quality > container_quality(container) - SAME_QUALITY):
        later = "later saved again in this file" if container else "later saved again without loss"
        yield found("jpeg_history", quality, believed(likelihood),
                    f"Ask for the original, or choose policy repair: the picture was saved as JPEG quality {quality:.0f}, {later}.")


def measure_size(evidence: dict, container: dict | None):
    side = min(evidence["width_px"], evidence["height_px"])
    yield found("too_small", side, 1.0, f"Choose a larger picture: its shorter side has {side:.0f} pixels.")


def measure_exposure(evidence: dict, container: dict | None):
    dark, bright = evidence["dark_share"], evidence["bright_share"]
    yield found("underexposed", dark, 1.0, f"Choose a brighter picture: {dark:.0%} of its pixels are black.")
    yield found("overexposed", bright, 1.0, f"Choose a darker picture: {bright:.0%} of its pixels are white.")


MEASURES = (measure_container, measure_history, measure_size, measure_exposure)
