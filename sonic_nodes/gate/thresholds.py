"""The one table of limits. A picture at a limit or beyond it is warned about or rejected; `None` never does.

Limits of the form (warn, reject). Where `rising` is false, lower values are worse.
  strict    for pictures that a client pays for: any visible compression counts
  portrait  the default: what ruins an animation is rejected, what may be seen in it is warned about
  lenient   only what certainly ruins an animation
"""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    rising: bool                                   # True: larger values are worse
    strict: tuple[float | None, float | None]
    portrait: tuple[float | None, float | None]
    lenient: tuple[float | None, float | None]

    def of(self, profile: str) -> tuple[float | None, float | None]:
        return getattr(self, profile)


PROFILES = ("strict", "portrait", "lenient")

LIMITS = {
    # Quality of the coarsest JPEG compression found, 1..100.
    "jpeg_container": Limit(False, (82.0, 72.0), (66.0, 56.0), (50.0, 40.0)),
    "jpeg_history": Limit(False, (82.0, 72.0), (66.0, 56.0), (50.0, 40.0)),
    # Shorter side in pixels.
    "too_small": Limit(False, (256.0, 128.0), (120.0, 64.0), (96.0, 48.0)),
    # Share of pixels at the darkest or brightest levels.
    "underexposed": Limit(True, (0.3, None), (0.5, None), (0.7, None)),
    "overexposed": Limit(True, (0.3, None), (0.5, None), (0.7, None)),
}
