"""Removes JPEG artefacts from a picture (csrc/repair/plane.h).

A JPEG file is repaired by its own coefficients and tables, pixels by the table and the grid found in their evidence.
A fine picture, and one without a confident grid, is returned unchanged to the bit, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..errors import InputError, ResourceError
from ..extension.native import _sonic
from ..media.image import oriented_srgb, read_picture_and_alpha
from .check import evidence_of_container, evidence_of_picture
from .gain import estimated_gain, gain_sentence
from .history import CUSTOM_MODES, LIKELIHOOD, LOW_SHARE, SAME_QUALITY, beyond_chance, supporting_votes
from .verdict import judge

QUALITY_OFF = 80  # no repair above: chosen by hand, bench/repair.py shows the gains up to it
CONFIDENT = 0.5  # SONIC_QUANT_FIT_CONFIDENT of csrc/repair/quant_fit.h: the grid is not accepted below
REMAINING = 0.8  # a repair is worth steps times this, in squared error on luma: bench/repair.py checks it
HISTORY = ("coarsest_quality", "lattice_quality", "earlier_quality", "custom_modes", "region_quality", "grid_emptied")
FAR_BETTER = 1.5  # least likelihood of a custom table over a standard one: it has more freedom; chosen by hand
UNCHANGED = "The picture is left as it is:"


@dataclass(frozen=True)
class Repair:
    """The outcome of a repair."""

    repaired: bool
    reason: str  # a sentence or two; after a repair with what it gained
    quality: float | None  # of the compression that was repaired or found
    score_before: float
    score_after: float
    verdict: dict  # on the returned picture


@dataclass(frozen=True, eq=False)
class Compression:
    """A compression found in the pixels."""

    quality: float
    grid_offset: int  # 8 * row + column of the first whole block
    rotated_90: bool = False  # since: the table is transposed
    luma: np.ndarray | None = None  # f32 [8, 8], a custom table

    def steps(self, component: int) -> np.ndarray:
        """The quantisation table, f32 [8, 8]; component 0 is luma."""
        if self.luma is not None and not component:
            return self.luma
        steps = np.empty((8, 8), np.float32)
        _sonic.repair_standard_table(steps, int(self.quality), component)
        return np.ascontiguousarray(steps.T) if self.rotated_90 else steps


class Unrepaired(Exception):
    """Why a picture is not repaired."""


def repair_picture(
    source: bytes | np.ndarray,
    verdict: dict | None = None,
    profile: str = "portrait",
    min_score: float = 0.0,
    face_box=None,
    alpha: np.ndarray | None = None,
) -> tuple[np.ndarray, Repair]:
    """(picture, Repair): the picture without JPEG artefacts, or unchanged.

    source   the bytes of a picture file, or pixels: u8 [H, W, 3] RGB or float [H, W, 3] of 0..1. Repaired floats are
             float32, unchanged ones are `source` itself; all else is u8 with the orientation and colours of
             read_picture.
    verdict  of check_file or check_picture on the same picture: saves measuring its evidence again
    alpha    opacity u8 [H, W] of pixels that were composited on a background; that of a file is read from it
    Scores are those of `profile` and of the face in `face_box` (check.check_picture); after a repair the score counts
    the remaining damage (after_repair). Raises InputError for anything else.
    """
    data = source if isinstance(source, bytes) else None
    pixels, alpha = read_picture_and_alpha(data) if data is not None else (checked_pixels(source), alpha)
    if verdict is None:
        container = evidence_of_container(data) if data is not None else None
        verdict = judge(evidence_of_picture(as_bytes(pixels), face_box, alpha=alpha), container, profile, min_score)
    before = verdict["score"]
    try:
        repaired, quality, reason = repaired_picture(pixels, data, verdict["evidence"])
    except Unrepaired as why:
        return pixels, Repair(False, str(why), verdict["jpeg_quality"], before, before, verdict)
    except MemoryError as error:
        raise ResourceError(str(error)) from None
    change = _sonic.repair_change(as_bytes(pixels), as_bytes(repaired))
    reason = f"{reason} {gain_sentence(estimated_gain(quality, change))}"
    evidence, container = after_repair(evidence_of_picture(as_bytes(repaired), face_box, alpha=alpha), quality)
    after = judge(evidence, container, profile, min_score, verdict["path"])
    return repaired, Repair(True, reason, quality, before, after["score"], after)


def after_repair(evidence: dict, quality: float) -> tuple[dict, dict]:
    """(evidence, container) by which a repaired picture is judged.

    Its pixels still show their compression, since compressing them again could give the same file. What counts is the
    distance from the original, that of a JPEG whose steps are REMAINING times as large.
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
        raise InputError("Give the picture as bytes, or as floats from 0 to 1: it has other values.")
    return pixels


def as_bytes(pixels: np.ndarray) -> np.ndarray:
    return pixels if pixels.dtype == np.uint8 else np.clip(np.rint(pixels * 255), 0, 255).astype(np.uint8)


def repaired_picture(pixels: np.ndarray, data: bytes | None, evidence: dict) -> tuple[np.ndarray, float, str]:
    """(picture, quality, what was done). A compression before that of the file is repaired from the pixels. Raises
    Unrepaired."""
    container = {
        key.removeprefix("container_"): value for key, value in evidence.items() if key.startswith("container_")
    }
    last = container["luma_quality"] if container else 0.0
    custom = [] if last else list(custom_tables(pixels, evidence))
    candidates = custom or [
        found for found in compressions_in(evidence, container) if not last or found.quality <= last - SAME_QUALITY
    ]
    coarsest = coarsest_confident(pixels, [found for found in candidates if found.quality <= QUALITY_OFF])
    if coarsest:
        reason = f"Repaired from its pixels, which look like JPEG quality {coarsest.quality:.0f}."
        return from_pixels(pixels, coarsest), coarsest.quality, reason
    if not (last or candidates):
        raise Unrepaired(f"{UNCHANGED} its pixels show no JPEG compression.")
    quality = last or min(found.quality for found in candidates)
    if quality > QUALITY_OFF:
        raise Unrepaired(
            f"{UNCHANGED} it looks like JPEG quality {quality:.0f}, which has lost too little for a repair."
        )
    if not last:
        raise Unrepaired(f"{UNCHANGED} it may look like JPEG quality {quality:.0f}, but no block grid fits its pixels.")
    return from_file(data), last, f"Repaired from the coefficients of the file, a JPEG of quality {last:.0f}."


def compressions_in(evidence: dict, container: dict) -> list[Compression]:
    """Compressions of any quality that blocks support. Some may be rotated by 90 degrees: both cases are
    candidates."""
    last = evidence["lattice_phase"]
    found = {(container.get("earlier_quality", 0.0), last)}
    if supporting_votes(evidence, "coarsest"):
        found.add((evidence["coarsest_quality"], evidence["coarsest_phase"]))
    if supporting_votes(evidence, "lattice"):
        found |= {(evidence["lattice_quality"], last), (evidence["earlier_quality"], last)}
    return [
        Compression(quality, int(offset), rotated_90)
        for quality, offset in sorted(found)
        if quality
        for rotated_90 in (False, True)
    ]


def custom_tables(pixels: np.ndarray, evidence: dict) -> Iterator[Compression]:
    """The compression by a custom table, when that explains the pixels far better than any standard table."""
    standard = max(evidence["coarsest_likelihood"], evidence["lattice_likelihood"], LIKELIHOOD)
    supported = evidence["custom_modes"] >= CUSTOM_MODES and beyond_chance(evidence, "custom") >= LOW_SHARE
    if supported and evidence["custom_likelihood"] > FAR_BETTER * standard:
        offset, steps = int(evidence["custom_phase"]), np.empty((8, 8), np.float32)
        if _sonic.repair_estimate_table(steps, writable(pixels), offset):
            yield Compression(evidence["custom_quality"], offset, luma=steps)


def coarsest_confident(pixels: np.ndarray, candidates: list[Compression]) -> Compression | None:
    """The coarsest compression that fits the pixels: multiples of coarse steps are often multiples of finer ones."""
    fits = {found: quant_fit(pixels, found) for found in candidates}
    confident = [found for found in candidates if fits[found] >= CONFIDENT]
    return min(confident, key=lambda found: (found.quality, -fits[found]), default=None)


def quant_fit(pixels: np.ndarray, found: Compression) -> float:
    """How well the luma coefficients fit multiples of the steps, 0..1."""
    return _sonic.repair_quant_fit(writable(pixels), found.steps(0), found.grid_offset)


def writable(pixels: np.ndarray) -> np.ndarray:
    """A contiguous copy, u8 or float32."""
    return np.array(pixels, np.uint8 if pixels.dtype == np.uint8 else np.float32, order="C")


def from_pixels(pixels: np.ndarray, found: Compression) -> np.ndarray:
    rgb = writable(pixels)
    _sonic.repair_pixels(rgb, found.steps(0), found.steps(1), found.grid_offset)
    return rgb


def from_file(data: bytes) -> np.ndarray:
    facts = _sonic.gate_jpeg(data, False)
    rgb = np.empty((int(facts["height_px"]), int(facts["width_px"]), 3), np.uint8)
    try:
        _sonic.repair_jpeg(data, rgb)
    except ValueError as error:
        raise Unrepaired(f"{UNCHANGED} {str(error)[0].lower()}{str(error)[1:]}") from None
    return oriented_srgb(data, rgb)
