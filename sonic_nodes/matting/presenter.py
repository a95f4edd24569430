"""The frames of a clip with the person before another background, through csrc/matting."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch

from ..errors import InputError, NoFaceError
from ..extension.native import _sonic
from .backdrop import KINDS, Backdrop
from .person_mask import person_mask

MIN_SHARE = 0.01  # of the frame: smaller spots of the mask are no presenter
SEARCHED_FRAMES = 50  # two seconds, for a clip that fades in


class Presenter:
    """`for chunk in presenter.run(chunks)`: as many frames, uint8 [n, H, W, 3], or 4 channels with straight alpha for
    a transparent backdrop. Memory does not grow with the clip. NoFaceError: no person is seen in the first two
    seconds."""

    def __init__(self, backdrop: Backdrop, height: int, width: int):
        try:
            self._native = _sonic.matte_create(width, height)
        except ValueError as error:
            raise InputError(str(error)) from None
        self.backdrop, self.shape = backdrop.fitted(height, width), (height, width, 3)
        self._planes = torch.empty(1, 3, 256, 256)
        self._seen, self._is_found = 0, False

    def run(self, chunks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for chunk in chunks:
            yield self.chunk(chunk)
        self.finish()

    def chunk(self, frames: np.ndarray) -> np.ndarray:
        """The next frames before the backdrop."""
        return np.stack([self.frame(frame) for frame in frames])

    def finish(self) -> None:
        """After the last frame: raises NoFaceError where none showed a person."""
        if not self._is_found:
            raise self._nothing_found()

    def frame(self, frame: np.ndarray) -> np.ndarray:
        """The next frame before the backdrop; a new array."""
        if frame.dtype != np.uint8 or frame.shape != self.shape:
            raise InputError(
                f"Give frames of one size as 8-bit RGB, {list(self.shape)}: one is {frame.dtype} {list(frame.shape)}."
            )
        frame = np.ascontiguousarray(frame)
        _sonic.matte_see(self._native, self._planes.numpy(), frame)
        share = _sonic.matte_update(self._native, person_mask(self._planes).numpy()[0, 0])
        self._look_for_person(share)
        out = np.empty((*self.shape[:2], self.backdrop.channels), np.uint8)
        kind, picture = KINDS[self.backdrop.kind], self.backdrop.picture
        _sonic.matte_compose(self._native, out, frame, kind, self.backdrop.colour, picture)
        return out

    def _look_for_person(self, share: float) -> None:
        self._seen += 1
        self._is_found = self._is_found or share >= MIN_SHARE
        if not self._is_found and self._seen >= SEARCHED_FRAMES:
            raise self._nothing_found()

    def _nothing_found(self) -> NoFaceError:
        return NoFaceError(
            "Choose a picture that shows a person from near, or keep its background: no person was found in "
            f"{self._seen} frames."
        )
