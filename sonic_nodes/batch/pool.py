"""Worker processes of one machine. A worker that dies loses its job's time only: another takes its place.

Processes are spawned, or forked from a template that has loaded their libraries and started no thread: libtorch's do
not survive a fork. Each has a pipe of its own: a worker that is killed in the middle of a message harms no other. They
ignore the signals that stop the command, because the parent ends them, and end with a parent that was killed.
"""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection

from ..errors import ResourceError
from ..interrupts import deferred, end_with_parent, signals_blocked
from ..media.temporary import remove_all
from .template import Template

MAX_FAILED_STARTS = 3  # in a row, of one worker

Report = Callable[[float], None]
Work = Callable[[object, Report], dict]


@dataclass(frozen=True)
class Event:
    """What `wait` found. kind: "ready"; "progress" with the share done; "result" with the worker's dict; "died" with a
    clause that says how."""

    kind: str
    worker: int
    value: object = None


class ProcessPool:
    """make(slot) is called in each process and returns what does a task: work(task, report) -> dict.

    slots: one for each worker, any value that can be pickled, such as its device
    log: path of a text file that takes what the processes print, "{}" in it for the worker's number
    template: forks the processes, and is killed with them; without one, they are spawned
    """

    def __init__(
        self, make: Callable[[object], Work], slots: list, log: str = os.devnull, template: Template | None = None
    ):
        self._made, self._slots, self._log = pickle.dumps(make), slots, log
        # The last one is in use. Those that were killed stay: their workers would take them for the parent's end.
        self._templates = [template] if template else []
        self._context = multiprocessing.get_context("spawn")
        self._workers = [_Worker(number) for number in range(len(slots))]
        for worker in self._workers:
            self._start(worker)

    def __len__(self) -> int:
        return len(self._workers)

    @property
    def idle(self) -> list[int]:
        return [worker.number for worker in self._workers if worker.is_ready and not worker.is_busy]

    @property
    def busy(self) -> list[int]:
        return [worker.number for worker in self._workers if worker.is_busy]

    def submit(self, number: int, task: object) -> None:
        worker = self._workers[number]
        worker.is_busy = True
        with suppress(OSError):  # it has died: `wait` says so
            worker.pipe.send(task)

    def wait(self, timeout_s: float) -> list[Event]:
        """What happened, at the latest after `timeout_s`."""
        pipes = {worker.pipe: worker for worker in self._workers}
        with deferred():
            found = connection.wait(list(pipes), timeout_s)
        return [event for pipe in found if (event := self._event(pipes[pipe])) is not None]

    def _event(self, worker: _Worker) -> Event | None:
        try:
            kind, value = worker.pipe.recv()
        except (EOFError, OSError):
            return self._ended(worker)
        except Exception as error:  # noqa: BLE001 (half a message of a worker that was killed)
            return self._ended(worker, error)
        if kind == "ready":
            worker.is_ready, worker.failed_starts = True, 0
        elif kind == "result":
            worker.is_busy = False
        return Event(kind, worker.number, value)

    def _ended(self, worker: _Worker, error: Exception | None = None) -> Event:
        if error is not None:
            worker.process.kill()
        worker.process.join()
        how, was_busy = ended_how(worker.process.exitcode), worker.is_busy
        if not worker.is_ready:
            worker.failed_starts += 1
            if worker.failed_starts >= MAX_FAILED_STARTS:
                raise ResourceError(
                    f"Choose fewer workers, or look into {self._log.format(worker.number)!r}: a worker {how} "
                    f"{MAX_FAILED_STARTS} times before it was ready."
                )
        worker.pipe.close()
        self._start(worker)
        return Event("died", worker.number, how if was_busy else None)

    def restart(self, number: int) -> None:
        """Ends an idle worker, whose memory the system gets back, and starts another."""
        worker = self._workers[number]
        worker.process.kill()
        worker.process.join()
        worker.pipe.close()
        self._start(worker)

    def _start(self, worker: _Worker) -> None:
        with deferred(), signals_blocked():
            worker.pipe, other = self._context.Pipe()
            worker.is_ready = worker.is_busy = False
            arguments = self._made, self._slots[worker.number], self._log.format(worker.number)
            worker.process = self._forked(other, arguments) if self._templates else self._spawned(other, arguments)
            other.close()

    def _spawned(self, end, arguments: tuple):
        process = self._context.Process(target=_serve, args=(end, *arguments), daemon=True)
        process.start()
        return process

    def _forked(self, end, arguments: tuple):
        for _ in range(MAX_FAILED_STARTS):
            try:
                return self._templates[-1].start(_serve, arguments, end)
            except OSError:  # it was killed
                self._templates.append(Template(self._templates[-1].module))
        raise ResourceError("Close other programs: the process that starts the workers was ended again and again.")

    def kill(self) -> None:
        """What the processes leave is swept like the left-overs of any killed process."""
        with deferred():
            for worker in self._workers:
                worker.process.kill()
            for worker in self._workers:
                worker.process.join()
                worker.pipe.close()
            for template in self._templates:
                template.kill()


class _Worker:
    def __init__(self, number: int):
        self.number, self.failed_starts = number, 0
        self.process = self.pipe = None
        self.is_ready = self.is_busy = False


def ended_how(exit_code: int | None) -> str:
    """A clause about a process that ended by itself."""
    if exit_code is not None and exit_code < 0:
        with suppress(ValueError):
            return f"was ended by {signal.Signals(-exit_code).name}"
    exit_code = "unknown" if exit_code is None else exit_code  # its parent has ended, too
    return f"ended with exit code {exit_code}"


def _serve(pipe, made: bytes, slot: object, log: str) -> None:
    """The life of a worker process."""
    end_with_parent(remove_all)
    print_to(log)
    try:
        work = pickle.loads(made)(slot)
        pipe.send(("ready", os.getpid()))
        while True:
            task = pipe.recv()
            pipe.send(("result", work(task, lambda share: pipe.send(("progress", share)))))
    except (EOFError, OSError):
        pass  # the parent has ended
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        remove_all()
        os._exit(1)
    finally:
        remove_all()


def print_to(log: str) -> None:
    """Sends what the process and its libraries print to a file, tracebacks of crashes too."""
    with suppress(OSError):
        descriptor = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o666)
        for number in (1, 2):
            os.dup2(descriptor, number)
        os.close(descriptor)
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
        sys.stdout = sys.stderr
        faulthandler.enable(sys.stderr)
