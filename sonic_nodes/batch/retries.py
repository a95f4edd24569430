"""Tries of what a server or store may give a moment later."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ..media.fetch import Unavailable

ATTEMPTS = 5
FIRST_S, LONGEST_S = 1.0, 60.0  # of the pauses; each is twice the one before
STEP_S = 0.1

T = TypeVar("T")


def tried(call: Callable[[], T], stop: Callable[[], object] = lambda: None) -> T:
    """call(), again after a pause while it raises Unavailable, ATTEMPTS times at most. A server's Retry-After counts
    where it is longer. stop(): called while it waits, may raise."""
    pause = FIRST_S
    for attempt in range(ATTEMPTS):
        try:
            return call()
        except Unavailable as error:
            if attempt + 1 == ATTEMPTS:
                raise
            wait = min(LONGEST_S, max(pause, error.wait_s))
        pause = min(LONGEST_S, 2 * pause)
        end = time.monotonic() + wait
        while (left := end - time.monotonic()) > 0:
            stop()
            time.sleep(min(left, STEP_S))
    raise AssertionError("the last attempt returns or raises")
