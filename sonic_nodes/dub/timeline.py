"""Which frame of a clip is shown when the speech outlasts it."""

import numpy as np

from . import FORWARD, HOLD, LOOP

SEAM_STEPS = 2.0  # of the usual step between frames: up to that, the way from the last to the first is not seen


def frame_order(frames: int, count: int, end: str, has_seam: bool) -> np.ndarray:
    """int64 [frames]: the frames of a clip of `count` that are shown one after the other. At its `end` (CLIP_ENDS) it
    starts again or goes back, or its last frame stays."""
    at = np.arange(frames)
    if end == HOLD or count == 1:
        return np.minimum(at, count - 1)
    if end == FORWARD or (end == LOOP and not has_seam):
        return at % count
    there_and_back = at % (2 * (count - 1))
    return np.minimum(there_and_back, 2 * (count - 1) - there_and_back)


def is_seam(steps: np.ndarray, back: float) -> bool:
    """Whether the step from the last frame to the first would be seen. steps: differences of consecutive frames, back:
    that of the last and the first, in any unit."""
    return not back <= SEAM_STEPS * float(np.percentile(steps, 90)) if len(steps) else True
