"""The one table of limits. A picture at a limit or beyond it is warned about or rejected; `None` never does.

  strict    for pictures that a client pays for: any visible compression counts
  portrait  the default: what ruins an animation is rejected, what may be seen in it is warned about
  lenient   only what certainly ruins an animation

What is certain (a table found in the pixels or the file, missing sharpness beyond doubt, repeated pixels) can reject;
what only ranks pictures, because another history may look alike, can only warn. docs/gate.md says how each value is
measured.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """Each profile's (warn, reject). `fades`: how far on the good side of a warning the value still costs points."""

    rising: bool  # larger values are worse
    fades: float
    strict: tuple[float | None, float | None]
    portrait: tuple[float | None, float | None]
    lenient: tuple[float | None, float | None]

    def of(self, profile: str) -> tuple[float | None, float | None]:
        return getattr(self, profile)


PROFILES = ("strict", "portrait", "lenient")

LIMITS = {
    # Quality of the coarsest JPEG compression, 1..100: said by the file, found in its pixels, found in a part of them.
    "jpeg_container": Limit(False, 14, (82, 72), (68, 56), (50, 41)),
    "jpeg_history": Limit(False, 14, (82, 72), (68, 56), (50, 41)),
    "jpeg_region": Limit(False, 14, (82, 72), (68, 46), (50, 30)),
    # Quality that would have emptied as many coefficients; later processing hides the table itself.
    "post_processed_jpeg": Limit(False, 4, (91.5, None), (88.5, None), (78, None)),
    # Log odds of the fitted models (assets/gate.json): blur, defocus and enlargement; motion. A face is few blocks, and
    # its eyes and mouth lie level: it needs more.
    "blur": Limit(True, 6, (0, 3), (1.2, 5), (3, 9)),
    "face_blur": Limit(True, 6, (0.5, 3), (2, 5), (3, 9)),
    "motion": Limit(True, 6, (0, None), (1, None), (3, None)),
    "face_motion": Limit(True, 6, (2, None), (3.2, None), (5, None)),
    # Share of equal neighbours beside steps.
    "duplicated_pixels": Limit(True, 0.2, (0.35, 0.6), (0.4, 0.8), (0.6, 0.9)),
    # Standard deviation of the noise in the calmest parts, levels.
    "noise": Limit(True, 8, (9, None), (16, None), (30, None)),
    # Shorter side, and the face's, in pixels.
    "too_small": Limit(False, 20, (256, 128), (120, 64), (96, 48)),
    "face_too_small": Limit(False, 10, (128, 48), (64, None), (40, None)),
    # Share of pixels at the darkest or brightest levels.
    "underexposed": Limit(True, 0.2, (0.3, None), (0.5, None), (0.7, None)),
    "overexposed": Limit(True, 0.2, (0.3, None), (0.5, None), (0.7, None)),
}
