"""Following and stopping what C computes: progress, preview, cancel (csrc/core/progress.h)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from .extension.native import _sonic

INTERVAL_MS = 20

Callback = Callable[[int, int, np.ndarray | None], object]


@contextmanager
def progress_callback(
    callback: Callback | None, *, preview: bool = True, interval_ms: int = INTERVAL_MS, fail_at: int = 0
) -> Iterator[None]:
    """Within the block, this thread's networks call callback(done, total, preview), and what it raises stops them at
    once.

    callback     `done` of `total` calls of the network, 0 of 0 while nobody knows; `preview` is a small picture uint8
                 [h, w, 3] of the
                 result so far, once a step of sampling, else None. None instead of a callback: Ctrl-C alone stops the
                 work.
    interval_ms  between two steps of progress the operators ask at most this often, with the last numbers
    fail_at      for tests: the operator of this number (1, 2, ...) fails as one without memory would
    The exception that the callback raised leaves the block as it is, KeyboardInterrupt too. Blocks nest: the innermost
    is asked. A block must be left in the thread that entered it; a generator therefore does not yield inside.
    """
    watch = _sonic.progress_begin(callback, preview, interval_ms, fail_at)
    try:
        yield
    finally:
        raised, _ = _sonic.progress_end(watch)
        try:
            if raised is not None:
                raise raised from raised.__cause__
        finally:
            del raised  # it holds this frame
