"""Downloads that the page has asked for, one after another in a thread of their own."""

import threading
import time
from collections import deque
from pathlib import Path

from ..errors import SonicError, UsageError
from .lazy import lazy_import

WAITING, RUNNING, STOPPED, FAILED, DONE = "waiting", "running", "stopped", "failed", "done"
MARKS = 10  # seconds over which the speed is measured


class Stopped(Exception):
    """The user has cancelled the download."""


class Download:
    """One file on its way. state: one of those above; message: why it failed."""

    def __init__(self, file, target: Path):
        self.file, self.target = file, target
        self.state, self.message, self.done, self.total = WAITING, "", 0, file.bytes
        self.connections = lazy_import("weights.hub").Connections()
        self.marks: deque[tuple[float, int]] = deque(maxlen=MARKS)

    def report(self, done: int, total: int) -> None:
        if self.connections.is_closed:
            raise Stopped
        now = time.monotonic()
        if done < self.done:
            self.marks.clear()
        if not self.marks or now - self.marks[-1][0] >= 1:
            self.marks.append((now, done))
        self.done, self.total = done, total

    def run(self) -> None:
        self.state = RUNNING
        try:
            lazy_import("weights.download").download(self.file, self.target, self.report, connections=self.connections)
            self.state = DONE
        except Stopped:
            self.state = STOPPED
        except SonicError as error:
            self.state, self.message = FAILED, str(error)
        except Exception as error:  # the thread goes on with the next file, and the page shows what happened
            self.state, self.message = FAILED, f"Report this fault: {type(error).__name__}: {error}"

    def facts(self) -> dict:
        return {
            "state": self.state,
            "done": self.done,
            "total": self.total,
            "left_s": self.left_s(),
            "message": self.message,
        }

    def left_s(self) -> int | None:
        """By the speed of the last seconds: reading what is there already is faster than the network."""
        if self.state != RUNNING or not self.marks:
            return None
        since, begun_with = self.marks[0]
        arrived = self.done - begun_with
        return round((time.monotonic() - since) * (self.total - self.done) / arrived) if arrived > 0 else None


class Downloads:
    """The last download of each file, by its key."""

    def __init__(self) -> None:
        self._lock, self._all, self._queue, self._thread = threading.Lock(), {}, [], None

    def start(self, file, target: Path) -> None:
        """UsageError when the file is on its way already."""
        with self._lock:
            known = self._all.get(file.key)
            if known and known.state in (WAITING, RUNNING):
                raise UsageError(f"Wait for {file.name}, or cancel it: it is being downloaded.")
            self._all[file.key] = Download(file, target)
            self._queue.append(self._all[file.key])
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="sonic-model-download", daemon=True)
                self._thread.start()

    def cancel(self, key: str) -> None:
        """Ends a download; what has arrived stays for the next one."""
        with self._lock:
            known = self._all.get(key)
            if known in self._queue:
                self._queue.remove(known)
                known.state = STOPPED
        if known and known.state == RUNNING:
            known.connections.close()

    def states(self) -> dict[str, dict]:
        with self._lock:
            return {key: download.facts() for key, download in self._all.items()}

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._queue:
                    self._thread = None
                    return
                download = self._queue.pop(0)
                download.state = RUNNING
            download.run()
