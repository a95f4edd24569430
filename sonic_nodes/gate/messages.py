"""A verdict as people read it."""

from __future__ import annotations

from ..errors import InputError

NAMES = {"ok": "fine", "warn": "warning", "reject": "rejected", "unreadable": "not judged"}


def lines(verdict: dict) -> list[str]:
    """The verdict and its score, then what to do about each reason."""
    head = f"Quality gate: {NAMES[verdict['verdict']]}"
    score = "" if verdict["verdict"] == "unreadable" else f", score {verdict['score']:.0f} of 100"
    return [f"{head}{score}.", *(reason["advice"] for reason in verdict["reasons"])]


def refusal(verdict: dict, min_score: float) -> InputError:
    """Why a run stops at a picture that has not passed; the remedy comes first."""
    reasons = [reason["advice"] for reason in verdict["reasons"]]
    if not reasons:
        return InputError(
            f"Choose a better picture, or lower min_score: the score is {verdict['score']:.0f}, min_score {min_score:.0f}."
        )
    return InputError(
        f"{' '.join(reasons)} Quality gate: {NAMES[verdict['verdict']]}, score {verdict['score']:.0f} of 100; "
        "with policy warn the run goes on all the same."
    )
