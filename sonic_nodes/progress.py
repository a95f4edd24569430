"""Progress, preview and cancellation of what C computes (csrc/core/progress.h)."""

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
    """Within the block, this thread's networks call callback(done, total, preview); what it raises cancels them at
    once.

    callback     `done` of `total` calls of the network, 0 of 0 before the first report; `preview` is a small image of
                 the result so far, uint8 [h, w, 3], once per sampling step, else None. With None as callback only
                 Ctrl-C cancels.
    interval_ms  between two reports, operators call it at most this often, with the last numbers
    fail_at      for tests: the operator of this number (1, 2, ...) fails as if out of memory

    The callback's exception, KeyboardInterrupt included, leaves the block unchanged. Blocks nest: the innermost
    callback is called. A block must be left in the thread that entered it, so a generator must not yield inside.
    """
    handle = _sonic.progress_begin(callback, preview, interval_ms, fail_at)
    try:
        yield
    finally:
        raised, _ = _sonic.progress_end(handle)
        try:
            if raised is not None:
                raise raised from raised.__cause__
        finally:
            del raised  # its traceback refers to this frame
