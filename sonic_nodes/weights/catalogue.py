"""Which of a folder's files hold which network, by what is in them and not by their names."""

import logging
import stat
import time
from collections.abc import Iterable
from pathlib import Path

from ..errors import InputError
from .check import compare
from .entries import Entry
from .key_maps import NETWORKS
from .reader import open_weights
from .sizes import sizes_of

log = logging.getLogger(__name__)

BUDGET_S = 3.0  # for files not seen before; a page waits for the answer


def networks_of(entries: dict[str, Entry]) -> frozenset[str]:
    """The networks that a file with these tensors holds whole, whatever their sizes."""
    return frozenset(key for key in NETWORKS if entries and holds(key, entries))


def holds(key: str, entries: dict[str, Entry]) -> bool:
    network = NETWORKS[key]
    layouts = [layout for layout in network.layouts(**sizes_of(key, entries)) if next(iter(layout.table)) in entries]
    return any(compare(network, layout, entries).fits for layout in layouts)


class Catalogue:
    """Remembers what was seen of a file until its size or time changes. Only tables of contents are read, and nothing
    is run."""

    def __init__(self) -> None:
        self._seen: dict[Path, tuple[tuple[int, int], frozenset[str]]] = {}

    def networks(self, path: Path) -> frozenset[str]:
        """What the file holds; nothing if it cannot be read or is another kind of file."""
        mark = mark_of(path)
        return self._seen[path][1] if mark and self._known(path, mark) else self._look(path, mark)

    def holding(self, wanted: Iterable[str], paths: Iterable[Path], budget_s: float = BUDGET_S) -> list[Path]:
        """Those of `paths` that hold all networks `wanted`, in their order. When many new files take longer than
        `budget_s` the rest is left out until the next call, and the log says so."""
        wanted, until, found, left = frozenset(wanted), time.monotonic() + budget_s, [], 0
        for path in paths:
            mark = mark_of(path)
            if mark and not self._known(path, mark) and time.monotonic() > until:
                left += 1
            elif mark and wanted <= self.networks(path):
                found.append(path)
        if left:
            log.warning(
                "Refresh the page's lists (key R) to see more models: looking into the files takes long, %d are left.",
                left,
            )
        return found

    def _known(self, path: Path, mark: tuple[int, int]) -> bool:
        return path in self._seen and self._seen[path][0] == mark

    def _look(self, path: Path, mark: tuple[int, int] | None) -> frozenset[str]:
        try:
            found = networks_of(open_weights(path).entries) if mark else frozenset()
        except InputError:
            found = frozenset()
        self._seen[path] = (mark, found)
        return found


def mark_of(path: Path) -> tuple[int, int] | None:
    """What changes when a file is written again; None for what is no file, such as a pipe, whose opening would wait for
    ever."""
    try:
        state = path.stat()
    except OSError:
        return None
    return (state.st_size, state.st_mtime_ns) if stat.S_ISREG(state.st_mode) else None
