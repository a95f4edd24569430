"""Finds the files that hold a network by their content, whatever their names."""

import logging
import math
import stat
import time
from collections.abc import Iterable
from pathlib import Path

from ..errors import InputError
from .check import compare
from .entries import Entry, TimeLimit, TimeLimitExceeded
from .key_maps import NETWORKS
from .reader import open_weights
from .sizes import sizes_of

log = logging.getLogger(__name__)

BUDGET_S = 3.0  # for reading new files while ComfyUI's page waits
FILE_CPU_S = 2.0  # of processor time for one of them, five times what a file at all other limits takes


def networks_of(entries: dict[str, Entry], limit: TimeLimit) -> frozenset[str]:
    """The complete networks among these tensors, of any size. Raises TimeLimitExceeded."""
    found = set()
    for key in NETWORKS:
        limit.check()
        if entries and holds(key, entries):
            found.add(key)
    return frozenset(found)


def holds(key: str, entries: dict[str, Entry]) -> bool:
    network = NETWORKS[key]
    key_maps = [
        key_map for key_map in network.key_maps(**sizes_of(key, entries)) if next(iter(key_map.shapes)) in entries
    ]
    return any(compare(network, key_map, entries).fits for key_map in key_maps)


class Catalogue:
    """Caches the networks of each file until its size or modification time changes. Reads headers only and executes
    nothing."""

    def __init__(self) -> None:
        self._seen: dict[Path, tuple[tuple[int, int], frozenset[str]]] = {}

    def networks(self, path: Path, limit_s: float = math.inf) -> frozenset[str]:
        """The networks in the file; none if it is unreadable or another kind of file. TimeLimitExceeded if reading it
        takes longer than `limit_s`."""
        state = file_state(path)
        return self._seen[path][1] if state and self._known(path, state) else self._read(path, state, limit_s)

    def files_with(self, keys: Iterable[str], paths: Iterable[Path], budget_s: float = BUDGET_S) -> list[Path]:
        """Those of `paths` that hold all the networks `keys`, in order. When new files take longer than `budget_s`, the
        one being read and the remaining ones are left out until the next call, with a log message."""
        keys, deadline, found, skipped = frozenset(keys), time.monotonic() + budget_s, [], 0
        for path in paths:
            if file_state(path) is None:
                continue
            try:
                if keys <= self.networks(path, deadline - time.monotonic()):
                    found.append(path)
            except TimeLimitExceeded:
                skipped += 1
        if skipped:
            log.warning(
                "Refresh the page's lists (key R) to see more models: reading the files takes long, %d are left.",
                skipped,
            )
        return found

    def _known(self, path: Path, state: tuple[int, int]) -> bool:
        return path in self._seen and self._seen[path][0] == state

    def _read(self, path: Path, state: tuple[int, int] | None, limit_s: float) -> frozenset[str]:
        limit = TimeLimit(limit_s, FILE_CPU_S)
        try:
            limit.check()
            found = networks_of(open_weights(path, limit).entries, limit) if state else frozenset()
        except InputError:
            found = frozenset()
        self._seen[path] = (state, found)
        return found


def file_state(path: Path) -> tuple[int, int] | None:
    """(size, modification time), which change when a file is rewritten; None unless it is a regular file, since opening
    a pipe would block."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None
