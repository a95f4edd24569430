"""A clip through the smoother of csrc/smooth, with a delay of a few frames: flicker, shake and noise are removed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from ..errors import InputError
from ..extension.native import _sonic
from ..face import find_faces

DETECT_EVERY = 8  # frames between face detections; those in between use the masks of both
MAX_MISSES = 3  # consecutive detections that may miss a face before it counts as gone


class Smoother:
    """Frames in, as many frames out, in order: `for frame in smoother.run(frames)`. Memory does not grow with the clip.

    Each kind of fault is corrected only where it is measured with confidence. A frame without faults comes out bit for
    bit, and all do with `strength` 0. `protect_mouth` keeps the noise filter away from lips and eyes, and preserves the
    detail of faces.
    """

    def __init__(self, strength: float = 0.5, protect_mouth: bool = True):
        if not 0 <= strength <= 1:
            raise InputError(f"Choose a strength from 0 to 1: it is {strength}.")
        self.strength, self.protect_mouth = float(strength), protect_mouth
        self._native = None
        self._shape: tuple[int, ...] = ()
        self._meshes, self._misses = np.zeros((0, 468, 3), np.float32), 0

    def run(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """uint8 [H, W, 3] of one size; each frame that comes out is a new array."""
        waiting: list[np.ndarray] = []
        before = None
        for given in frames:
            frame = self._checked(given)
            if len(waiting) == DETECT_EVERY:
                meshes = self._detect(frame)
                yield from self._push(waiting, before, meshes)
                before, waiting = meshes, []
            elif before is None:
                before = self._detect(frame)
            waiting.append(frame)
        if waiting:
            yield from self._push(waiting, before, None)
            _sonic.smooth_end(self._native)
            while (out := self._pull()) is not None:
                yield out

    def report(self) -> dict[str, float]:
        """Counts and sizes of what was corrected so far (csrc/smooth/smooth.h)."""
        return (
            _sonic.smooth_report(self._native)
            if self._native
            else {"frames": 0, "cuts": 0, "shaken": 0, "flickering": 0, "noisy": 0}
        )

    def summary(self) -> str:
        """The report as a sentence."""
        found, parts = self.report(), []
        if self.strength == 0:
            return "Nothing was changed: the strength is 0."
        if found["shaken"]:
            parts.append(f"shake of {found['shake_px']:.2f} px in {found['shaken']}")
        if found["flickering"]:
            parts.append(f"flicker of {100 * found['flicker']:.1f} % in {found['flickering']}")
        if found["noisy"]:
            parts.append(f"noise of {found['noise']:.1f} levels in {found['noisy']}")
        if not parts:
            return (
                "Nothing was changed: no shake, flicker or noise was measured with confidence "
                f"in {found['frames']} frames."
            )
        return f"Corrected: {', '.join(parts)} of {found['frames']} frames."

    def prepare(self, shape: tuple[int, ...]) -> None:
        """For frames of this [height, width, 3]; InputError when such frames cannot be smoothed."""
        try:
            self._native = _sonic.smooth_create(shape[1], shape[0], self.strength)
        except ValueError as error:
            raise InputError(str(error)) from None
        self._shape = shape

    def _checked(self, frame: np.ndarray) -> np.ndarray:
        if self._native is None:
            if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
                raise InputError(
                    f"Give frames as 8-bit RGB, [height, width, 3]: they are {frame.dtype} {list(frame.shape)}."
                )
            self.prepare(frame.shape)
        if frame.shape != self._shape:
            raise InputError(f"Give frames of one size: the first is {list(self._shape)}, another {list(frame.shape)}.")
        return frame

    def _detect(self, frame: np.ndarray) -> np.ndarray:
        """Meshes [faces, 468, 3]; the last ones while a face is missed for a moment."""
        if not self.protect_mouth or self.strength == 0:
            return np.zeros((0, 468, 3), np.float32)
        found = [face.mesh for face in find_faces(frame, thorough=False)]
        self._misses = 0 if found else self._misses + 1
        if found:
            self._meshes = np.stack(found).astype(np.float32)
        elif self._misses > MAX_MISSES:
            self._meshes = np.zeros((0, 468, 3), np.float32)
        return self._meshes

    def _push(self, frames: list[np.ndarray], before: np.ndarray, after: np.ndarray | None) -> Iterator[np.ndarray]:
        both = before if after is None else np.concatenate([before, after])
        for i, frame in enumerate(frames):
            _sonic.smooth_push(self._native, frame, *(() if i else (both,)))
            if (out := self._pull()) is not None:
                yield out

    def _pull(self) -> np.ndarray | None:
        out = np.empty(self._shape, np.uint8)
        return out if _sonic.smooth_pull(self._native, out) else None
