"""What a batch tells of itself beside the journal: status.json while it runs, and the report at its end."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import nullcontext, suppress

from .. import __version__
from ..errors import OutputError
from ..media.files import atomic_write
from . import page

STATUS, REPORT = "status.json", "report.html"
WRITE_S = 1.0  # between two writes of the status


class Status:
    """status.json: {version, state, total, counts, cost_done, seconds, seconds_left, running}. Written whole, at most
    once a second; times are measured on a clock that nothing sets."""

    def __init__(self, folder: str, total: int, skipped: int):
        self.path, self.total = os.path.join(folder, STATUS), total
        self.counts: Counter = Counter(skipped=skipped)
        self.started, self._written = time.monotonic(), 0.0

    def write(self, state: str, done: float, whole: float, running: Iterable[Mapping], now: bool = False) -> None:
        """done, whole: cost of what this run has done, and of all that it has to do."""
        if not now and time.monotonic() - self._written < WRITE_S:
            return
        self._written = time.monotonic()
        spent = self._written - self.started
        content = {
            "version": __version__,
            "state": state,
            "total": self.total,
            "counts": dict(self.counts),
            "share": round(done / whole, 4) if whole else 1.0,
            "seconds": round(spent, 1),
            "seconds_left": round(spent * (whole - done) / done, 1) if done > 0 else None,
            "running": list(running),
            "updated": round(time.time(), 3),
        }
        with suppress(OutputError) if not now else nullcontext():  # a reader that has it open stops no batch
            with atomic_write(self.path) as file:
                file.write(json.dumps(content, indent=1).encode())


def write_report(folder: str, rows: Iterable[Mapping], pictures: Mapping[str, bytes], summary: str) -> str:
    """Writes report.html and returns its path."""
    path = os.path.join(folder, REPORT)
    with atomic_write(path) as file:
        for part in page.pages(rows, pictures, summary):
            file.write(part.encode("utf-8", "backslashreplace"))
    return path
