"""All limits of the gate. A value at a limit or beyond it warns or rejects; `None` never does.

  strict    for paid work: any visible compression counts
  portrait  the default: rejects what ruins an animation, warns about what may show in it
  lenient   rejects only what ruins an animation in any case

Direct evidence can reject: a table found in the file or the pixels, missing sharpness, repeated pixels. Evidence that
another history could produce as well can only warn. docs/gate.md says how each value is measured.

The limits of "portrait" were chosen by hand on the variants of bench/gate.py and of bench/portraits.py, which report
what they find and miss; those of "strict" and "lenient" were chosen by hand on either side of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from .. import portrait_limits as limits


@dataclass(frozen=True)
class Limit:
    """(warn, reject) of each profile. fades: how far on the good side of a warning a value still costs points."""

    rising: bool  # larger values are worse
    fades: float
    strict: tuple[float | None, float | None]
    portrait: tuple[float | None, float | None]
    lenient: tuple[float | None, float | None]

    def of(self, profile: str) -> tuple[float | None, float | None]:
        return getattr(self, profile)


PROFILES = ("strict", "portrait", "lenient")

LIMITS = {
    # Quality of the coarsest JPEG compression, 1..100: in the file, in its pixels, in a region.
    "jpeg_container": Limit(False, 14, (82, 72), (68, 56), (50, 41)),
    "jpeg_history": Limit(False, 14, (82, 72), (68, 56), (50, 41)),
    "jpeg_region": Limit(False, 14, (82, 72), (68, 46), (50, 30)),
    # Quality that would have zeroed as many coefficients; later processing hides the table itself.
    "post_processed_jpeg": Limit(False, 4, (91.5, None), (88.5, None), (78, None)),
    # Log odds of the models that tools/fit_gate.py fits (assets/gate.json): blur, defocus and enlargement; motion.
    # Faces need more evidence: they have few blocks, and eyes and mouth are horizontal.
    "blur": Limit(True, 6, (0, 3), (1.2, 5), (3, 9)),
    "face_blur": Limit(True, 6, (0.5, 3), (2, 5), (3, 9)),
    "motion": Limit(True, 6, (0, None), (1, None), (3, None)),
    "face_motion": Limit(True, 6, (2, None), (3.2, None), (5, None)),
    # Share of equal neighbours beside steps, 0..1.
    "duplicated_pixels": Limit(True, 0.2, (0.35, 0.6), (0.4, 0.8), (0.6, 0.9)),
    # Standard deviation of the noise in the calmest blocks, levels.
    "noise": Limit(True, 8, (9, None), (16, None), (30, None)),
    # Shorter side of the picture and of the face, pixels.
    "too_small": Limit(False, 20, (256, 128), (120, 64), (96, 48)),
    "face_too_small": Limit(False, 10, (128, 48), (64, None), (40, None)),
    # Of the face: level that 5 % of its pixels exceed, and share of its pixels at the brightest levels, 0..1.
    "face_underexposed": Limit(False, 20, (85, None), (limits.DARK_LEVEL, None), (45, None)),
    "face_overexposed": Limit(True, 0.05, (0.2, None), (limits.BURNT_SHARE, None), (0.4, None)),
    # Degrees between the face and an upright one; share of the face outside the picture.
    "sideways": Limit(True, 5, *[(limits.SIDEWAYS_DEG, None)] * 3),
    "upside_down": Limit(True, 5, *[(limits.UPSIDE_DOWN_DEG, None)] * 3),
    "face_cut_off": Limit(True, 0.03, *[(limits.MISSING_SHARE, None)] * 3),
    # Log odds of the model that tools/fit_mouth.py fits (assets/mouth.json).
    "mouth_covered": Limit(True, 1, (0.5, None), (limits.MOUTH_COVERED, None), (2, None)),
    # Without a face: share of the picture's pixels at the darkest or brightest levels, 0..1.
    "underexposed": Limit(True, 0.2, (0.3, None), (0.5, None), (0.7, None)),
    "overexposed": Limit(True, 0.2, (0.3, None), (0.5, None), (0.7, None)),
}
