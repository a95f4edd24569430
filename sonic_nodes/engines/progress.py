"""How far a whole run is, while each network knows only its own part."""

import contextlib
from collections.abc import Callable, Iterator

from ..progress import progress_callback


class Progress:
    """Parts with a cost each, in any unit that is the same for all; report(done, total, picture or None) is told the
    sum."""

    def __init__(self, report: Callable | None, parts: dict[str, int]):
        self.report, self.parts, self.done = report, parts, 0
        self.total = max(1, sum(parts.values()))

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[Callable]:
        """Watches what runs inside: an exception of the report ends it at once. Yields told(done, of) for work that
        tells itself."""
        if self.report is None:
            yield lambda done, of: None
            return
        before, cost = self.done, self.parts[name]
        heard = before

        def told(done: int, of: int, picture=None):
            nonlocal heard
            heard = max(heard, before + (cost * done // of if of else 0))
            self.report(heard, self.total, picture)

        with progress_callback(told):
            yield told
        self.done = before + cost
        self.report(self.done, self.total, None)


def followed(chunks: Iterator, total: int, report: Callable | None) -> Iterator:
    """The same chunks, watched while each is made; report(done, total) is told after each how many of `total` items
    there are."""
    done = 0

    def told(*_):
        report(done, total)

    while True:
        with progress_callback(told) if report else contextlib.nullcontext():
            chunk = next(chunks, None)
        if chunk is None:
            return
        done += len(chunk)
        if report:
            told()
        yield chunk
