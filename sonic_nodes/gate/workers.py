"""Many sources judged at a time, in processes: one that a picture brings down is a row, not the end of the others."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from ..errors import SonicError
from .check import unreadable
from .result import Outputs, Row, Wanted, row_of

AHEAD = 4  # sources for each process that wait or whose rows do: memory does not grow with their number


def rows_of(sources: Iterable[str], outputs: Iterable[Outputs], wanted: Wanted, jobs: int) -> Iterator[Row]:
    """In the order of sources."""
    tasks = zip(sources, outputs, strict=True)
    if jobs == 1:
        yield from (_guarded(source, wanted, files) for source, files in tasks)
        return
    pool = _Pool(jobs, wanted)
    try:
        for task in tasks:
            pool.add(task)
            if len(pool) >= AHEAD * jobs:
                yield pool.next()
        while len(pool):
            yield pool.next()
    finally:
        pool.end()


class _Pool:
    """Processes are started afresh: libtorch's threads do not survive a fork."""

    def __init__(self, jobs: int, wanted: Wanted):
        self.jobs, self.wanted = jobs, wanted
        self.waiting: deque[tuple[tuple[str, Outputs], Future]] = deque()
        self.executor = self._started(jobs)

    def __len__(self) -> int:
        return len(self.waiting)

    @staticmethod
    def _started(jobs: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_ignore_interrupts)

    def add(self, task: tuple[str, Outputs]) -> None:
        try:
            self.waiting.append((task, self._submitted(self.executor, task)))
        except BrokenProcessPool:
            self._start_again()
            self.waiting.append((task, self._submitted(self.executor, task)))

    def _submitted(self, executor: ProcessPoolExecutor, task) -> Future:
        return executor.submit(_guarded, task[0], self.wanted, task[1])

    def next(self) -> Row:
        """The row of the source that waits longest. When a process died, nobody knows at which source: this one is
        tried alone."""
        task, future = self.waiting.popleft()
        try:
            return future.result()
        except BrokenProcessPool:
            self._start_again()
            return self._alone(task)

    def _alone(self, task) -> Row:
        with self._started(1) as executor:
            try:
                return self._submitted(executor, task).result()
            except BrokenProcessPool as error:
                return _ended_early(task[0], error)

    def _start_again(self) -> None:
        self.executor.shutdown(cancel_futures=True)
        self.executor = self._started(self.jobs)
        self.waiting = deque(
            (task, future if _is_done(future) else self._submitted(self.executor, task))
            for task, future in self.waiting
        )

    def end(self) -> None:
        self.executor.shutdown(cancel_futures=True)


def _is_done(future: Future) -> bool:
    return future.done() and not future.cancelled() and not isinstance(future.exception(), BrokenProcessPool)


def _guarded(source: str, wanted: Wanted, outputs: Outputs) -> Row:
    try:
        return row_of(source, wanted, outputs)
    except SonicError:
        raise  # an output that cannot be written: no fault of the picture
    except Exception as error:  # noqa: BLE001 (whatever a picture leads to is its row)
        return _ended_early(source, error)


def _ended_early(source: str, error: Exception) -> Row:
    return Row(unreadable(source, f"Save the picture again: judging it ended early ({type(error).__name__})."))


def _ignore_interrupts() -> None:
    """Ctrl-C reaches every process; the one that started the others ends them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
