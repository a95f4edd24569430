"""The progress of a whole run from the progress of its stages."""

import contextlib
from collections.abc import Callable, Iterator, Mapping

from ..memory.stage import Stage
from ..progress import progress_callback

Report = Callable[..., None]  # report(done, total, preview or None); what it raises ends the run


class Progress:
    """Adds up the stages. costs: of each stage, in one unit. report: None to report nothing."""

    def __init__(self, report: Report | None, costs: Mapping[Stage, int]):
        self.report, self.costs, self.done = report, costs, 0
        self.total = max(1, sum(costs.values()))

    @contextlib.contextmanager
    def during(self, *stages: Stage) -> Iterator[Callable[[int, int], None]]:
        """Reports while the block runs these stages. Yields advance(done, total), for work that counts its steps."""
        if self.report is None:
            yield lambda done, total: None
            return
        before, cost = self.done, sum(self.costs[stage] for stage in stages)
        reported = before

        def advance(done: int, total: int, preview=None):
            nonlocal reported
            reported = max(reported, before + (cost * done // total if total else 0))
            self.report(reported, self.total, preview)

        with progress_callback(advance):
            yield advance
        self.done = before + cost
        self.report(self.done, self.total, None)


def chunks_with_progress(chunks: Iterator, total: int, report: Report | None) -> Iterator:
    """The same chunks. report(done, total) is called after each, and while one is computed, with the number of items
    that are done."""
    done = 0

    def repeat(*_):
        report(done, total)

    while True:
        with progress_callback(repeat) if report else contextlib.nullcontext():
            chunk = next(chunks, None)
        if chunk is None:
            return
        done += len(chunk)
        if report:
            repeat()
        yield chunk
