"""JPEG artefacts taken back, as far as what was kept of the picture allows (csrc/repair/plane.h).

From a JPEG file by its own coefficients and tables, luma and chroma; from pixels by the table and the grid that the
evidence found in them. What is fine, and what cannot be repaired with certainty, is handed back bit for bit, with the
reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..errors import InputError, ResourceError
from ..extension.native import _sonic
from ..media.image import as_shown, read_picture
from .check import evidence_of_container, evidence_of_picture
from .findings import CUSTOM_MODES, LIKELIHOOD, SAME_QUALITY
from .verdict import judge

QUALITY_OFF = 80  # compression above costs less than repair may
CERTAIN = 0.5  # csrc/repair/quant_fit.h: below, the grid's place is not known
REMAINING = 0.8  # of the steps, in squared error on luma: bench/repair.py
HISTORY = ("coarsest_quality", "lattice_quality", "earlier_quality", "custom_modes", "region_quality", "grid_emptied")
FAR_BETTER = 1.5  # a standard table's likelihood is nearly reached by steps that are found one by one
LEFT = "It is left as it is:"


@dataclass(frozen=True)
class Repair:
    """What was done, and why."""

    repaired: bool
    reason: str  # a sentence
    quality: float | None  # of the compression that was taken back, or that was found
    score_before: float
    score_after: float
    verdict: dict  # on the picture that is handed back


@dataclass(frozen=True, eq=False)
class Hidden:
    """A compression that the pixels show."""

    quality: float
    phase: int  # 8 * row + column of the first whole block
    turned: bool = False  # by a quarter since: the table's rows are columns
    luma: np.ndarray | None = None  # f32 [8, 8], a table that is no standard one

    def steps(self, component: int) -> np.ndarray:
        """f32 [8, 8]; component 0 is luma."""
        if self.luma is not None and not component:
            return self.luma
        steps = np.empty((8, 8), np.float32)
        _sonic.repair_standard_table(steps, int(self.quality), component)
        return np.ascontiguousarray(steps.T) if self.turned else steps


class Unrepaired(Exception):
    """Why a picture is left as it is."""


def repair_picture(
    source: bytes | np.ndarray,
    verdict: dict | None = None,
    profile: str = "portrait",
    min_score: float = 0.0,
    face_box=None,
) -> tuple[np.ndarray, Repair]:
    """(picture, Repair): the picture without its JPEG artefacts, or as it was.

    source   the bytes of a picture file, or its pixels: u8 [H, W, 3] RGB, or float [H, W, 3] of 0..1. Float pixels come
             back as float32
             and as they were where nothing was repaired, everything else as u8, turned and coloured like
             read_picture's.
    verdict  what check_file or check_picture said of the same picture: its evidence then is not measured again
    Scores are those of `profile`, and of the face in `face_box` (check.check_picture); that of a repaired picture says
    what is left of the damage, not that it once was compressed (after_repair). Raises InputError for what is no such
    picture.
    """
    data = source if isinstance(source, bytes) else None
    pixels = read_picture(data) if data is not None else checked_pixels(source)
    if verdict is None:
        container = evidence_of_container(data) if data is not None else None
        verdict = judge(evidence_of_picture(as_bytes(pixels), face_box), container, profile, min_score)
    before = verdict["score"]
    try:
        repaired, quality, reason = repaired_picture(pixels, data, verdict["evidence"])
    except Unrepaired as why:
        return pixels, Repair(False, str(why), verdict["jpeg_quality"], before, before, verdict)
    except MemoryError as error:
        raise ResourceError(str(error)) from None
    evidence, container = after_repair(evidence_of_picture(as_bytes(repaired), face_box), quality)
    after = judge(evidence, container, profile, min_score, verdict["path"])
    return repaired, Repair(True, reason, quality, before, after["score"], after)


def after_repair(evidence: dict, quality: float) -> tuple[dict, dict]:
    """Evidence and container to judge a repaired picture by.

    Its pixels tell of its compression as before: they could still have been compressed to the same file. What counts is
    how far it is from the original, and that is as far as a JPEG with REMAINING of the steps is.
    """
    scale = REMAINING * (5000 / quality if quality < 50 else 200 - 2 * quality)
    remaining = 5000 / scale if scale > 100 else 100 - scale / 2
    return evidence | dict.fromkeys(HISTORY, 0.0), {
        "luma_quality": remaining,
        "earlier_quality": 0.0,
        "repaired_quality": quality,
    }


def checked_pixels(source: np.ndarray) -> np.ndarray:
    pixels = np.asarray(source)
    if pixels.dtype != np.uint8 and not (pixels.dtype.kind == "f" and np.isfinite(pixels).all()):
        raise InputError("Give the picture as bytes, or as floats from 0 to 1: it has values that are neither.")
    return pixels


def as_bytes(pixels: np.ndarray) -> np.ndarray:
    return pixels if pixels.dtype == np.uint8 else np.clip(np.rint(pixels * 255), 0, 255).astype(np.uint8)


def repaired_picture(pixels: np.ndarray, data: bytes | None, evidence: dict) -> tuple[np.ndarray, float, str]:
    """(picture, quality, what was done). A compression below that of the file shows in the pixels alone. Raises
    Unrepaired."""
    container = {
        key.removeprefix("container_"): value for key, value in evidence.items() if key.startswith("container_")
    }
    last = container["luma_quality"] if container else 0.0
    own = [] if last else list(other_tables(pixels, evidence))
    candidates = own or [
        hidden for hidden in hidden_in(evidence, container) if not last or hidden.quality <= last - SAME_QUALITY
    ]
    hidden = coarsest_certain(pixels, [hidden for hidden in candidates if hidden.quality <= QUALITY_OFF])
    if hidden:
        reason = f"Repaired from its pixels: it was saved as JPEG quality {hidden.quality:.0f} before."
        return from_pixels(pixels, hidden), hidden.quality, reason
    if not (last or candidates):
        raise Unrepaired(f"{LEFT} no JPEG compression shows in its pixels.")
    quality = last or min(hidden.quality for hidden in candidates)
    if quality > QUALITY_OFF:
        raise Unrepaired(f"{LEFT} saved as JPEG quality {quality:.0f}, it has lost too little to be repaired.")
    if not last:
        raise Unrepaired(
            f"{LEFT} it may have been a JPEG of quality {quality:.0f}, but where its blocks lie is not certain."
        )
    return from_file(data), last, f"Repaired from the file's coefficients: it was saved as JPEG quality {last:.0f}."


def hidden_in(evidence: dict, container: dict) -> list[Hidden]:
    """Compressions that the evidence tells of, whatever their quality. Of some it does not say whether they were
    turned: both are tried."""
    phase = evidence["lattice_phase"]
    found = {
        (evidence["coarsest_quality"], evidence["coarsest_phase"]),
        (evidence["lattice_quality"], phase),
        (evidence["earlier_quality"], phase),
        (container.get("earlier_quality", 0.0), phase),
    }
    return [
        Hidden(quality, int(phase), turned) for quality, phase in sorted(found) if quality for turned in (False, True)
    ]


def other_tables(pixels: np.ndarray, evidence: dict) -> Iterator[Hidden]:
    """A compression that steps found one by one explain far better than any standard table does."""
    standard = max(evidence["coarsest_likelihood"], evidence["lattice_likelihood"], LIKELIHOOD)
    if evidence["custom_modes"] >= CUSTOM_MODES and evidence["custom_likelihood"] > FAR_BETTER * standard:
        phase, steps = int(evidence["custom_phase"]), np.empty((8, 8), np.float32)
        if _sonic.repair_estimate_table(steps, writable(pixels), phase):
            yield Hidden(evidence["custom_quality"], phase, luma=steps)


def coarsest_certain(pixels: np.ndarray, candidates: list[Hidden]) -> Hidden | None:
    """Multiples of coarse steps are often multiples of finer ones too, so the coarsest that is certain explains the
    most."""
    fits = {hidden: fit_of(pixels, hidden) for hidden in candidates}
    certain = [hidden for hidden in candidates if fits[hidden] >= CERTAIN]
    return min(certain, key=lambda hidden: (hidden.quality, -fits[hidden]), default=None)


def fit_of(pixels: np.ndarray, hidden: Hidden) -> float:
    return _sonic.repair_quant_fit(writable(pixels), hidden.steps(0), hidden.phase)


def writable(pixels: np.ndarray) -> np.ndarray:
    """A copy as csrc/repair/pixels.h takes them."""
    return np.array(pixels, np.uint8 if pixels.dtype == np.uint8 else np.float32, order="C")


def from_pixels(pixels: np.ndarray, hidden: Hidden) -> np.ndarray:
    rgb = writable(pixels)
    _sonic.repair_pixels(rgb, hidden.steps(0), hidden.steps(1), hidden.phase)
    return rgb


def from_file(data: bytes) -> np.ndarray:
    facts = _sonic.gate_jpeg(data, False)
    rgb = np.empty((int(facts["height_px"]), int(facts["width_px"]), 3), np.uint8)
    try:
        _sonic.repair_jpeg(data, rgb)
    except ValueError as error:
        raise Unrepaired(f"{LEFT} {str(error)[0].lower()}{str(error)[1:]}") from None
    return as_shown(data, rgb)
