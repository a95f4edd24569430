"""What was done to the picture before, as far as its evidence can tell.

Evidence counts only where it is decidable. Flat areas, patterns with a period of 8 pixels and large equal cells look
like traces of compression or enlargement too; for those nothing is claimed, and `unsure` says so.
"""

from __future__ import annotations

import math
from typing import NamedTuple

LIKELIHOOD = 150.0  # SONIC_HISTORY_THRESHOLD of csrc/gate/history.h: no table is accepted below

# Chosen by hand on the variants of bench/gate.py.
SAME_QUALITY = 4  # qualities this near count as the same compression
CUSTOM_MODES = 6  # of 14: confident steps of a custom table
COARSE = 75  # tables of this quality or less must have zeroed PATTERN_ZEROED of the coefficients:
PATTERN_ZEROED = 0.004  # periodic patterns, which also put coefficients on multiples, stay below that share
GRID_CONTRAST = 0.08  # nats a block of the best grid offset above the next
GRID_CHANCE = 8  # the same in standard deviations without blocks
GRID_ZEROED = 0.012  # share of coefficients that are zeroed only at that offset

# Chosen by hand on the pictures of bench/gate_drawn.py, seed 1; csrc/gate says what each number is.
BLOCKS_FOR = 8  # different blocks (block_votes.h) that a table must explain, and
BLOCKS_SHARE = 0.2  # their share of those that were read: drawings have none, photographs half or more
LOW_SHARE, LOW_BLOCKS_FOR = 0.3, 24  # for 14 steps alone, beyond the share half a block away: they fit more by chance
VOTES, MOST_CONFIDENCE = (-1.0, 0.6, 4.0), 0.99  # of `confidence`
DRAWN_BLOCKS = 32  # blocks (drawn.h) that must be read before block edges count as evidence
DRAWN_FLAT, DRAWN_REPEATED, DRAWN_PERIODIC = 0.08, 0.1, 0.7  # and what photographs stay below
DRAWN = {"grid": "drawn", "resized": "resized_drawn"}  # prefixes: a grid's blockiness, what its blocks show
REPEAT_FACTOR, REPEAT_REGULAR = 1.9, 0.9  # least of an enlargement by repeating (repeated_pixels.h)
REPEAT_CONTRAST, REPEAT_VARIETY = 0.6, 2.0  # beyond, the cells have no likeness or too few steps: a pattern


def share(evidence: dict, votes: str) -> float:
    """Share of the blocks that voted for a table; 0 when fewer than BLOCKS_FOR did."""
    supporting, against = evidence[f"{votes}_for"], evidence[f"{votes}_against"]
    return supporting / (supporting + against) if supporting >= BLOCKS_FOR else 0.0


def jpeg_quality(evidence: dict, container: dict | None) -> int | None:
    """Quality of the coarsest compression in the file or its pixels; None without one."""
    qualities = [q for q in (container_quality(container), history_quality(evidence)[0]) if q]
    return int(min(qualities)) if qualities else None


def container_quality(container: dict | None) -> float:
    if not container:
        return 0.0
    return min(q for q in (container["luma_quality"], container["earlier_quality"] or 100.0) if q)


class Table(NamedTuple):
    """A compression in the pixels; quality 0 is none."""

    quality: float
    likelihood: float = 0.0
    confidence: float = 0.0  # 0..1


def history_quality(evidence: dict) -> tuple[float, float]:
    """(quality, log likelihood) of the coarsest compression in the pixels that its blocks support; 0 without one."""
    return coarsest(evidence)[:2]


def coarsest(evidence: dict) -> Table:
    return min(supported_tables(evidence), default=Table(0.0))


def confidence(evidence: dict, votes: str) -> float:
    """Share of such claims that are right: logistic in the votes. bench/gate_drawn.py compares."""
    supporting, share_of = evidence[f"{votes}_for"], share(evidence, votes)
    log_odds = sum(w * x for w, x in zip(VOTES, (1.0, math.log(supporting), share_of), strict=True))
    return min(1 / (1 + math.exp(-log_odds)), MOST_CONFIDENCE)


def supported_tables(evidence: dict) -> list[Table]:
    """The compressions in the pixels that their blocks support.

    A custom table counts only where no standard table of about the same quality does.
    """
    tables = []
    for name, quality, likelihood in standard_tables(evidence):
        votes = supporting_votes(evidence, name)
        if votes:
            tables.append(Table(quality, likelihood, confidence(evidence, votes)))
    custom = custom_table(evidence)
    known = any(abs(table.quality - custom[0]) < 2 * SAME_QUALITY for table in tables)
    if custom[0] and not known and beyond_chance(evidence, "custom") >= LOW_SHARE:
        tables.append(Table(*custom, confidence(evidence, "custom_blocks")))
    return tables


def supporting_votes(evidence: dict, name: str) -> str:
    """The votes that support a standard table: on all its steps, or on its low ones, which a blur spares; else ""."""
    if share(evidence, f"{name}_blocks") >= BLOCKS_SHARE:
        return f"{name}_blocks"
    low = name == "coarsest" and evidence["low_blocks_for"] >= LOW_BLOCKS_FOR
    return "low_blocks" if low and beyond_chance(evidence, "low") >= LOW_SHARE else ""


def beyond_chance(evidence: dict, name: str) -> float:
    """Share of the votes on 14 steps beyond the share half a block away."""
    return share(evidence, f"{name}_blocks") - share(evidence, f"{name}_elsewhere")


def standard_tables(evidence: dict) -> list[tuple[str, float, float]]:
    """(name of the blocks that vote on it, quality, log likelihood) of the standard tables that the pixels may show.

    A coarse table also zeroes coefficients at its grid offset; periodic patterns, such as the dots of print, do not.
    """
    named = (("coarsest", "coarsest"), ("lattice", "lattice"), ("lattice", "earlier"))
    tables = [(votes, evidence[f"{name}_quality"], evidence[f"{name}_likelihood"]) for votes, name in named]
    zeroed = evidence["grid_emptied"]
    return [t for t in tables if t[1] and t[2] > LIKELIHOOD and (t[1] > COARSE or zeroed > PATTERN_ZEROED)]


def custom_table(evidence: dict) -> tuple[float, float]:
    """(quality, log likelihood) of the custom table that the pixels may show; 0 without one."""
    quality, likelihood = evidence["custom_quality"], evidence["custom_likelihood"]
    confident = evidence["custom_modes"] >= CUSTOM_MODES and likelihood > LIKELIHOOD
    zeroed = quality > COARSE or evidence["grid_emptied"] > GRID_ZEROED
    return (quality, likelihood) if confident and zeroed else (0.0, 0.0)


def region(evidence: dict) -> Table:
    """The coarsest compression of a region that its blocks support."""
    if share(evidence, "region_blocks") < BLOCKS_SHARE:
        return Table(0.0)
    return Table(evidence["region_quality"], evidence["region_likelihood"], confidence(evidence, "region_blocks"))


def grid_contrast(evidence: dict, prefix: str) -> float:
    """Blockiness of the best grid offset above the next, nats a block; 0 when chance or resampling explains it."""
    contrast = evidence[f"{prefix}_strength"] - max(evidence[f"{prefix}_second"], 0.0)
    if evidence[f"{prefix}_emptied"] < GRID_ZEROED:
        return 0.0
    least = max(GRID_CONTRAST, GRID_CHANCE * evidence[f"{prefix}_chance"], 0.5 * evidence[f"{prefix}_second"])
    return contrast if contrast > least else 0.0


def is_pattern(evidence: dict, prefix: str = "drawn") -> bool:
    """Whether flat areas beside edges, equal blocks or periods show that the picture is drawn. prefix: "drawn", or
    "resized_drawn" for the blocks of the resized grid. Those may have few pixels, which repeat by chance; the blocks of
    a design repeat however they are cut."""
    repeated = min(evidence["drawn_repeated"], evidence[f"{prefix}_repeated"])
    return (
        evidence[f"{prefix}_flat"] > DRAWN_FLAT
        or repeated > DRAWN_REPEATED
        or evidence["drawn_periodic"] > DRAWN_PERIODIC
    )


def is_drawn(evidence: dict, prefix: str = "drawn") -> bool:
    """Whether a design may have its edges at regular distances, or there is too little texture to tell: neither block
    edges nor the fall of the spectrum are evidence then."""
    return evidence[f"{prefix}_blocks"] < DRAWN_BLOCKS or is_pattern(evidence, prefix)


def blocks_contrast(evidence: dict, prefix: str) -> float:
    """grid_contrast where a design does not explain it; prefix is "grid" or "resized"."""
    return 0.0 if is_drawn(evidence, DRAWN[prefix]) else grid_contrast(evidence, prefix)


def is_repeated(evidence: dict) -> bool:
    """Whether equal neighbours lie on the grid that enlarging by repeating pixels leaves, textures included."""
    return (
        evidence["repeated_factor"] >= REPEAT_FACTOR
        and evidence["repeated_regular"] >= REPEAT_REGULAR
        and evidence["repeated_contrast"] <= REPEAT_CONTRAST
        and evidence["repeated_variety"] >= REPEAT_VARIETY
    )


def undecided(evidence: dict, container: dict | None, claimed: bool = False) -> list[dict]:
    """Reasons with the verdict "ok" for traces that a drawing, a flat picture or a pattern may have by itself; none
    beside a claim."""
    texts = []
    if claimed:
        return texts
    tables = [quality for _, quality, _ in standard_tables(evidence)] + [custom_table(evidence)[0]]
    blocks = any(grid_contrast(evidence, grid) and is_drawn(evidence, DRAWN[grid]) for grid in DRAWN)
    if not container and not coarsest(evidence).quality and (blocks or any(0 < q <= COARSE for q in tables)):
        texts.append(
            "Not sure whether the picture was a JPEG before: flat areas and patterns can look the same, so this does "
            "not count."
        )
    if evidence["repeated_factor"] >= REPEAT_FACTOR and not is_repeated(evidence):
        texts.append(
            "Not sure whether the picture was enlarged by repeating pixels: pixel art and patterns can look the same, "
            "so this does not count."
        )
    return [
        {"name": "undecided", "verdict": "ok", "value": None, "threshold": None, "confidence": 0.5, "advice": text}
        for text in texts
    ]
