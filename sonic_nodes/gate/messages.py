"""A verdict in sentences for the user."""

from __future__ import annotations

from ..errors import InputError

NAMES = {"ok": "fine", "warn": "warning", "reject": "rejected", "unreadable": "not judged"}


def lines(verdict: dict) -> list[str]:
    """The verdict and its score, then the advice of each reason."""
    head = f"Quality gate: {NAMES[verdict['verdict']]}"
    score = "" if verdict["verdict"] == "unreadable" else f", score {verdict['score']:.0f} of 100"
    return [f"{head}{score}.", *(reason["advice"] for reason in verdict["reasons"])]


def refusal(verdict: dict, min_score: float) -> InputError:
    """The error that stops a run at a picture that has not passed; the advice comes first."""
    advice = " ".join(reason["advice"] for reason in verdict["reasons"] if reason["verdict"] != "ok")
    score = verdict["score"]
    if not advice:
        return InputError(
            f"Choose a better picture, or lower min_score: the score is {score:.0f}, min_score {min_score:.0f}."
        )
    return InputError(
        f"{advice} Quality gate: {NAMES[verdict['verdict']]}, score {score:.0f} of 100; policy warn continues anyway."
    )
