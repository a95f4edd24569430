"""Limits and scores: worse is never better, and profiles are ordered."""

import pytest

from sonic_nodes.errors import UsageError
from sonic_nodes.gate.check import evidence_of_picture
from sonic_nodes.gate.thresholds import LIMITS, PROFILES
from sonic_nodes.gate.verdict import judge, score_of, severity


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", LIMITS)
def test_worse_values_never_score_better(name, profile):
    limit = LIMITS[name]
    warn, reject = limit.of(profile)
    far = 12 * limit.fades + (abs(reject - warn) if reject is not None else 0)
    values = [warn + (k / 100) * far * (1 if limit.rising else -1) for k in range(-100, 101)]
    found = [severity(name, value, profile) for value in values]
    assert all(a <= b for a, b in zip(found, found[1:], strict=False))
    assert found[0] == 0
    assert severity(name, warn, profile) == 1
    assert reject is None or severity(name, reject, profile) == 2
    assert max(found) < (2 if reject is None else 3)
    assert all(0 <= score_of(value) <= 100 for value in found)


@pytest.mark.parametrize("name", LIMITS)
def test_profiles_are_ordered_from_strict_to_lenient(name):
    sign = 1 if LIMITS[name].rising else -1
    for level in (0, 1):
        limits = [
            sign * LIMITS[name].of(profile)[level]
            for profile in PROFILES
            if LIMITS[name].of(profile)[level] is not None
        ]
        assert limits == sorted(limits)


def test_a_profile_that_does_not_exist_is_an_error(clean):
    with pytest.raises(UsageError, match="^Choose a profile"):
        judge(evidence_of_picture(clean), None, "harsh")


@pytest.mark.parametrize("quality", [20, 30, 40])
def test_coarse_compression_is_rejected_and_named(saved, quality):
    verdict = judge(evidence_of_picture(saved(quality)), None)
    assert verdict["verdict"] == "reject"
    assert verdict["reasons"][0]["name"] == "jpeg_history"
    assert f"quality {verdict['jpeg_quality']}" in verdict["reasons"][0]["advice"]


def test_fine_compression_is_not_flagged(clean, saved):
    for picture in (clean, saved(90), saved(95)):
        assert judge(evidence_of_picture(picture), None)["verdict"] == "ok"


def test_the_score_falls_with_the_quality(saved):
    scores = [judge(evidence_of_picture(saved(quality)), None)["score"] for quality in (20, 40, 60, 70, 90)]
    assert scores == sorted(scores)
    assert scores[0] < 30 < scores[2] < 60 < scores[3]
