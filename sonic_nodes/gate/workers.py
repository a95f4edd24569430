"""Many sources in parallel processes. A picture that crashes its process becomes a result; the others continue."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from ..errors import SonicError
from .check import unreadable
from .result import Outputs, Request, Result, check_source

AHEAD = 4  # sources for each process in the queue, results included: memory does not grow with their number


def check_sources(sources: Iterable[str], outputs: Iterable[Outputs], request: Request, jobs: int) -> Iterator[Result]:
    """The results in the order of the sources; jobs: number of processes."""
    tasks = zip(sources, outputs, strict=True)
    if jobs == 1:
        yield from (_guarded(source, request, files) for source, files in tasks)
        return
    pool = _Pool(jobs, request)
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
    """A queue of sources. Processes are spawned: libtorch's threads do not survive a fork."""

    def __init__(self, jobs: int, request: Request):
        self.jobs, self.request = jobs, request
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
            self._restart()
            self.waiting.append((task, self._submitted(self.executor, task)))

    def _submitted(self, executor: ProcessPoolExecutor, task) -> Future:
        return executor.submit(_guarded, task[0], self.request, task[1])

    def next(self) -> Result:
        """The result of the first source in the queue. After a crash it is unknown which source caused it, so this one
        runs alone."""
        task, future = self.waiting.popleft()
        try:
            return future.result()
        except BrokenProcessPool:
            self._restart()
            return self._alone(task)

    def _alone(self, task) -> Result:
        with self._started(1) as executor:
            try:
                return self._submitted(executor, task).result()
            except BrokenProcessPool as error:
                return _ended_early(task[0], error)

    def _restart(self) -> None:
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


def _guarded(source: str, request: Request, outputs: Outputs) -> Result:
    try:
        return check_source(source, request, outputs)
    except SonicError:
        raise  # an output cannot be written: that is not the picture's fault
    except Exception as error:  # noqa: BLE001 (any failure is the result of its picture)
        return _ended_early(source, error)


def _ended_early(source: str, error: Exception) -> Result:
    return Result(unreadable(source, f"Save the picture again: judging it ended early ({type(error).__name__})."))


def _ignore_interrupts() -> None:
    """Ctrl-C reaches every process; only the parent acts on it and ends the workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
