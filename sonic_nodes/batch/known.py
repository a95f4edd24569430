"""What an earlier start of the batch has found out about files: verdicts, durations, digests. A file is known by path,
size, number and times of its last changes, so one that was changed, replaced or touched is read again.

A file system's clock moves in steps. Whoever changes a file twice within one step leaves no trace in its times, so what
was read of a file within a step after its last change is not kept (as Git does: racy-git in its documentation). The
file is a cache: without it, all is read again, and what cannot be written to it is not kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Sequence
from contextlib import suppress

from .. import __version__
from ..errors import OutputError
from ..media.file_names import system_path
from ..media.files import atomic_write

NAME = "checks.jsonl"
MAX_LINE = 1 << 18
# FAT, HFS+ and old network shares have steps of up to 2 s, and no times with parts of a millisecond; the steps of the
# others are those of the system's clock, 10 ms at most.
COARSE_NS, FINE_NS, MILLISECOND_NS = 2_000_000_000, 100_000_000, 1_000_000
SPARE_LINES = 1000  # that are out of date, before the file is written anew


class Known:
    """get(key) and put(key, value) with keys of `key`; values are JSON objects. Context manager."""

    def __init__(self, folder: str | os.PathLike):
        self.path = os.path.join(folder, NAME)
        self._values: dict[str, dict] = {}
        self._used: set[str] = set()
        self._lines, self._file = 0, None

    def __enter__(self) -> Known:
        with suppress(OSError):
            self._file = open(self.path, "a+b", buffering=0)
            self._read()
        return self

    def __exit__(self, *_error) -> None:
        if self._file:
            self._file.close()
            self._file = None
            if not any(_error) and self._lines > 2 * len(self._used) + SPARE_LINES:
                self._write_anew()

    def _read(self) -> None:
        self._file.seek(0)
        line = b"\n"
        with open(self._file.fileno(), "rb", closefd=False) as lines:
            while line_read := lines.readline(MAX_LINE):
                line = line_read
                self._lines += 1
                with suppress(ValueError, KeyError, TypeError, RecursionError):
                    record = json.loads(line)
                    if isinstance(record["value"], dict):
                        self._values[str(record["key"])] = record["value"]
        if not line.endswith(b"\n"):  # torn by a crash
            self._file.write(b"\n")

    def _write_anew(self) -> None:
        with suppress(OutputError), atomic_write(self.path) as file:
            for key in self._used & self._values.keys():
                file.write(line_of(key, self._values[key]))

    def get(self, key: str | None) -> dict | None:
        if key in self._values:
            self._used.add(key)
        return self._values.get(key)

    def put(self, key: str | None, value: dict) -> None:
        """None as the key: nothing is kept."""
        if key is None or self._file is None:
            return
        self._used.add(key)
        self._values[key] = value
        self._lines += 1
        with suppress(OSError):
            self._file.write(line_of(key, value))

    def key(self, kind: str, paths: Sequence[str | None], facts: object = None) -> str | None:
        """Of files as they are now, taken before they are read; None where the answer must not be kept."""
        signs = [sign_of(path) if path else "" for path in paths]
        if None in signs:
            return None
        text = json.dumps([__version__, kind, list(paths), signs, facts], default=str)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def line_of(key: str, value: dict) -> bytes:
    return json.dumps({"key": key, "value": value}).encode() + b"\n"


def sign_of(path: str) -> list[int] | None:
    """Tells versions of a file apart; None for one that was changed a moment ago, and for what is no file."""
    try:
        found = os.stat(system_path(path))
    except OSError:
        return None
    last = max(found.st_mtime_ns, found.st_ctime_ns)
    step = FINE_NS if last % MILLISECOND_NS else COARSE_NS
    if not stat.S_ISREG(found.st_mode) or time.time_ns() - last < step:
        return None
    return [found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns]
