"""Many sources in parallel processes. A picture that crashes its process becomes a result; the others continue."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError  # Python 3.10 has one of its own
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress

from ..errors import SonicError, is_address_space_limited, is_out_of_memory
from ..interrupts import deferred, end_with_parent, signals_blocked
from ..media.temporary import remove_all
from .check import unreadable
from .result import Outputs, Request, Result, check_source, out_of_memory

POLL_S = 0.1
WINDOWS = os.name == "nt"
MAX_JOBS = 61 if WINDOWS else 256  # Windows waits for 64 handles at a time; ProcessPoolExecutor needs three of them
# How a process of Windows ends: abort() with and without a fast fail, STATUS_NO_MEMORY, STATUS_COMMITMENT_LIMIT
WINDOWS_MEMORY_EXITS = (3, 0xC0000409, 0xC0000017, 0xC000012D)
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
    except BaseException:
        pool.kill()
        raise
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
        context = multiprocessing.get_context("spawn")
        with deferred(), signals_blocked():  # its semaphores start multiprocessing's resource tracker
            return ProcessPoolExecutor(jobs, mp_context=context, initializer=end_with_parent, initargs=(remove_all,))

    def add(self, task: tuple[str, Outputs]) -> None:
        try:
            self.waiting.append((task, self._submitted(self.executor, task)))
        except BrokenProcessPool:
            self._restart()
            self.waiting.append((task, self._submitted(self.executor, task)))

    def _submitted(self, executor: ProcessPoolExecutor, task) -> Future:
        with deferred(), signals_blocked():  # submit starts the processes
            return executor.submit(_guarded, task[0], self.request, task[1])

    def next(self) -> Result:
        """The result of the first source in the queue. After a crash it is unknown which source caused it, so this one
        runs alone."""
        task, future = self.waiting.popleft()
        try:
            return _waited(future)
        except BrokenProcessPool:
            self._restart()
            return self._alone(task)

    def _alone(self, task) -> Result:
        with self._started(1) as executor:
            before = set(multiprocessing.active_children())
            future = self._submitted(executor, task)
            (process,) = set(multiprocessing.active_children()) - before
            try:
                return _waited(future)
            except BrokenProcessPool as error:
                process.join()
                return _out_of_memory(task[0]) if _was_killed(process.exitcode) else _ended_early(task[0], error)

    def _restart(self) -> None:
        self.executor.shutdown(cancel_futures=True)
        self.executor = self._started(self.jobs)
        self.waiting = deque(
            (task, future if _is_done(future) else self._submitted(self.executor, task))
            for task, future in self.waiting
        )

    def end(self) -> None:
        self.executor.shutdown(cancel_futures=True)

    def kill(self) -> None:
        """What the processes leave is swept like the left-overs of any killed process."""
        with deferred():
            self.executor.shutdown(wait=False, cancel_futures=True)
            processes = multiprocessing.active_children()
            for process in processes:
                process.kill()
            for process in processes:
                process.join()


def _waited(future: Future) -> Result:
    """The result; a signal stops the wait, but not within a lock of the future, which would stay locked."""
    while True:
        with deferred(), suppress(TimeoutError, FutureTimeoutError):
            return future.result(POLL_S)


def _is_done(future: Future) -> bool:
    return future.done() and not future.cancelled() and not isinstance(future.exception(), BrokenProcessPool)


def _guarded(source: str, request: Request, outputs: Outputs) -> Result:
    try:
        return check_source(source, request, outputs)
    except SonicError:
        raise  # an output cannot be written: that is not the picture's fault
    except Exception as error:  # noqa: BLE001 (any failure is the result of its picture)
        return _out_of_memory(source) if is_out_of_memory(error) else _ended_early(source, error)


def _ended_early(source: str, error: Exception) -> Result:
    return Result(unreadable(source, f"Save the picture again: judging it ended early ({type(error).__name__})."))


def _out_of_memory(source: str) -> Result:
    text = (
        f"Close other programs, or choose fewer --jobs: memory ran out while {os.path.basename(source)!r} was judged."
    )
    return out_of_memory(source, text)


def _was_killed(exit_code: int | None) -> bool:
    """By the system, which does so for want of memory: SIGKILL, and abort() after std::bad_alloc."""
    if is_address_space_limited():
        return True
    by_signal = (-signal.SIGABRT, -getattr(signal, "SIGKILL", signal.SIGABRT))
    return exit_code in (WINDOWS_MEMORY_EXITS if WINDOWS else by_signal)
