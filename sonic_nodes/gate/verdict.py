"""From evidence to a verdict: reasons with limits and advice, and one score."""

from __future__ import annotations

import math

from ..errors import UsageError
from .findings import MEASURES
from .history import jpeg_quality, undecided
from .thresholds import LIMITS, PROFILES

CLAIMS = ("jpeg_history", "jpeg_region", "post_processed_jpeg", "duplicated_pixels")  # of a history, by the pixels
WARN, REJECT = 1.0, 2.0  # severities at the limits


def judge(
    evidence: dict, container: dict | None, profile: str = "portrait", min_score: float = 0.0, path: str = ""
) -> dict:
    """The verdict on what csrc/gate measured:

    {path, verdict: ok|warn|reject, score: 0..100, higher is better, passed,
     jpeg_quality: of the coarsest compression or None,
     reasons: [{name, verdict, value, threshold, confidence: 0..1, advice}], evidence}
    A reason "undecided" with the verdict "ok" says what the evidence cannot tell.
    """
    if profile not in PROFILES:
        raise UsageError(f"Choose a profile from {', '.join(PROFILES)}: it is {profile!r}.")
    findings = [finding for measure in MEASURES for finding in measure(evidence, container)]
    severities = [severity(f["name"], f["value"], profile) for f in findings]
    reasons = [reason(f, s, profile) for f, s in zip(findings, severities, strict=True) if s >= WARN]
    reasons.sort(key=lambda r: r["verdict"] != "reject")
    reasons += undecided(evidence, container, any(f["name"] in CLAIMS for f in findings))
    worst = max(severities, default=0.0)
    verdict = "reject" if worst >= REJECT else "warn" if worst >= WARN else "ok"
    score = round(score_of(worst), 2)
    measured = dict(evidence) | {f"container_{key}": value for key, value in (container or {}).items()}
    return {
        "path": path,
        "verdict": verdict,
        "score": score,
        "passed": verdict != "reject" and score >= min_score,
        "jpeg_quality": jpeg_quality(evidence, container),
        "reasons": reasons,
        "evidence": measured,
    }


def severity(name: str, value: float, profile: str) -> float:
    """0 is harmless, 1 is the limit for a warning, 2 that for a rejection, 3 the most.

    Linear up to 2. Beyond, and beyond a warning without a rejection, it saturates exponentially and stays monotonic.
    """
    limit = LIMITS[name]
    warn, reject = limit.of(profile)
    beyond = (value - warn) * (1 if limit.rising else -1)
    if beyond < 0:
        return max(WARN + beyond / limit.fades, 0.0)
    if reject is None:
        return WARN + 0.999 * (1 - math.exp(-beyond / (4 * limit.fades)))
    width = abs(reject - warn)
    return WARN + beyond / width if beyond < width else REJECT + 1 - math.exp(1 - beyond / width)


def score_of(worst: float) -> float:
    """100 for severity 0, 60 at the limit for warnings, 30 at that for rejections, 0 for severity 3."""
    return 100 - 40 * worst if worst < WARN else 60 - 30 * (worst - WARN)


def reason(finding: dict, level: float, profile: str) -> dict:
    warn, reject = LIMITS[finding["name"]].of(profile)
    rejected = level >= REJECT
    return {
        "name": finding["name"],
        "verdict": "reject" if rejected else "warn",
        "value": round(finding["value"], 4),
        "threshold": reject if rejected else warn,
        "confidence": round(finding["confidence"], 4),
        "advice": finding["advice"],
    }
