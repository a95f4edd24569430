"""JPEG artefacts taken back, as far as what was kept of the picture allows (csrc/gate/repair_plane.h).

From a JPEG file by its own coefficients and tables, luma and chroma; from pixels by the table and the grid that the evidence found in them.
What is fine, and what cannot be repaired with certainty, is handed back bit for bit, with the reason.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import ResourceError
from ..media.image import as_shown, read_picture
from ..native import _sonic
from .check import JPEG_START, check_picture, evidence_of_container, evidence_of_picture
from .findings import LIKELIHOOD, SAME_QUALITY, container_quality
from .verdict import judge

QUALITY_OFF = 80    # compression above costs less than repair may


@dataclass(frozen=True)
class Repair:
    """What was done, and why."""

    repaired: bool
    reason: str                 # a sentence
    quality: float | None       # of the compression that was taken back, or that was found
    score_before: float
    score_after: float


@dataclass(frozen=True)
class Plan:
    """How a picture is repaired; without a table from its file's own coefficients."""

    quality: float
    reason: str
    steps: np.ndarray | None = None     # [8, 8]
    phase: int = 0


class Unrepaired(Exception):
    """Why a picture is left as it is."""


def repair_picture(source: bytes | np.ndarray, verdict: dict | None = None, profile: str = "portrait",
                   face_box=None) -> tuple[np.ndarray, Repair]:
    """(picture, Repair): the picture without its JPEG artefacts, or as it was.

    source   the bytes of a picture file, or its pixels: u8 [H, W, 3] RGB, or float [H, W, 3] of 0..1. Float pixels come back as float32
             and as they were where nothing was repaired, everything else as u8, turned and coloured like read_picture's.
    verdict  what check_file or check_picture said of the same picture: its evidence then is not measured again
    Scores are those of `profile`, and of the face in `face_box` (check.check_picture). Raises InputError for what is no such picture.
    """
    data = source if isinstance(source, bytes) else None
    pixels = read_picture(data) if data is not None else np.asarray(source)
    if verdict is None:
        container = evidence_of_container(data) if data is not None else None
        verdict = judge(evidence_of_picture(as_bytes(pixels), face_box), container, profile)
    quality, before = verdict["jpeg_quality"], verdict["score"]
    try:
        plan = planned(verdict["evidence"], data)
        repaired = carried_out(plan, data, pixels)
    except Unrepaired as why:
        return pixels, Repair(False, str(why), quality, before, before)
    after = check_picture(as_bytes(repaired), profile, face_box=face_box)["score"]
    return repaired, Repair(True, plan.reason, plan.quality, before, after)


def as_bytes(pixels: np.ndarray) -> np.ndarray:
    return pixels if pixels.dtype == np.uint8 else np.clip(np.rint(pixels * 255), 0, 255).astype(np.uint8)


def planned(evidence: dict, data: bytes | None) -> Plan:
    """Raises Unrepaired."""
    container = {key.removeprefix("container_"): value for key, value in evidence.items() if key.startswith("container_")}
    last = container_quality(container)
    quality, likelihood = evidence["coarsest_quality"], min(evidence["coarsest_likelihood"], evidence["coarsest_margin"])
    hidden = quality and likelihood > LIKELIHOOD and not (last and quality > last - SAME_QUALITY)
    if data is not None and data.startswith(JPEG_START) and container and not hidden:
        if container["luma_quality"] > QUALITY_OFF:
            raise Unrepaired(f"It is left as it is: saved as JPEG quality {last:.0f}, it has lost too little to be repaired.")
        return Plan(last, f"Repaired from the file's coefficients: it was saved as JPEG quality {last:.0f}.")
    if not quality:
        raise Unrepaired("It is left as it is: no JPEG compression shows in its pixels.")
    if quality > QUALITY_OFF:
        raise Unrepaired(f"It is left as it is: saved as JPEG quality {quality:.0f}, it has lost too little to be repaired.")
    if likelihood <= LIKELIHOOD:
        raise Unrepaired(f"It is left as it is: it may have been a JPEG of quality {quality:.0f}, but where its blocks lie is not certain.")
    return Plan(quality, f"Repaired from its pixels: it was saved as JPEG quality {quality:.0f} before.", standard_steps(int(quality)),
                int(evidence["coarsest_phase"]))


def carried_out(plan: Plan, data: bytes | None, pixels: np.ndarray) -> np.ndarray:
    try:
        return from_pixels(plan, pixels) if plan.steps is not None else from_file(data)
    except ValueError as error:
        raise Unrepaired(f"It is left as it is. {error}") from None
    except MemoryError as error:
        raise ResourceError(str(error)) from None


def from_file(data: bytes) -> np.ndarray:
    facts = _sonic.gate_jpeg(data, False)
    rgb = np.empty((int(facts["height_px"]), int(facts["width_px"]), 3), np.uint8)
    _sonic.repair_jpeg(data, rgb)
    return as_shown(data, rgb)


def from_pixels(plan: Plan, pixels: np.ndarray) -> np.ndarray:
    kind = np.uint8 if pixels.dtype == np.uint8 else np.float32
    rgb = np.array(pixels, kind, order="C")
    _sonic.repair_pixels(rgb, plan.steps, plan.phase)
    return rgb


# ITU-T T.81, table K.1.
LUMA = np.array([
    [16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55], [14, 13, 16, 24, 40, 57, 69, 56], [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92], [49, 64, 78, 87, 103, 121, 120, 101],
    [72, 92, 95, 98, 112, 100, 103, 99]])


def standard_steps(quality: int) -> np.ndarray:
    """f32 [8, 8] of csrc/gate/quality.h's luma table."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((LUMA * scale + 50) // 100, 1, 255).astype(np.float32)
