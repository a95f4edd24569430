"""A process that has loaded what workers need, and forks them. A worker that takes the place of a killed one then works
at once: PyTorch's start takes a second and a half of a processor. The template computes nothing and starts no thread,
so that nothing is lost in a fork. Linux alone: Windows has no forks, and macOS's libraries do not survive them.

A worker ends with the process that made the template, not with the template: that one may be killed, too.
"""

from __future__ import annotations

import gc
import importlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import reduction
from multiprocessing.connection import Connection

from ..interrupts import STOP_SIGNALS, deferred, signals_blocked

START, JOIN, KILL, LOADED = "start", "join", "kill", "loaded"


def is_possible() -> bool:
    return sys.platform == "linux"


@contextmanager
def quick_imports() -> Iterator[None]:
    """Without the search for garbage, of which imports make none: a fifth of the time of PyTorch's."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Template:
    """Loads `module` in a process of its own, while the caller goes on."""

    def __init__(self, module: str):
        self.module, self._count, self._is_loaded = module, 0, False
        context = multiprocessing.get_context("spawn")
        with deferred(), signals_blocked():
            self._pipe, other = context.Pipe()
            self.process = context.Process(target=_serve, args=(other, module), daemon=True)
            self.process.start()
            other.close()

    def start(self, target: Callable, arguments: tuple, end: Connection) -> Forked:
        """Forks a process that calls target(end, *arguments). Raises OSError when the template has ended."""
        self._count += 1
        self._pipe.send((START, self._count, (target, arguments)))
        reduction.send_handle(self._pipe, end.fileno(), self.process.pid)
        return Forked(self, self._count)

    def end(self, kind: str, number: int) -> int | None:
        """Has a worker killed (KILL), or waits for its end (JOIN), and returns its exit code. None where the template
        has ended, or is still loading and has forked none: such a worker ends when its pipe is closed."""
        try:
            self._is_loaded = self._is_loaded or (self._pipe.poll() and self._pipe.recv() == LOADED)
            if not self._is_loaded:
                return None
            self._pipe.send((kind, number, None))
            return self._pipe.recv()
        except (EOFError, OSError):
            return None

    def kill(self) -> None:
        with deferred():
            self.process.kill()
            self.process.join()
            self._pipe.close()


class Forked:
    """A worker, as a Process of multiprocessing: kill(), join(), exitcode."""

    def __init__(self, template: Template, number: int):
        self.template, self.number, self.exitcode = template, number, None
        self._is_ended = False

    def kill(self) -> None:
        self._end(KILL)

    def join(self) -> None:
        self._end(JOIN)

    def _end(self, kind: str) -> None:
        if not self._is_ended:
            self._is_ended, self.exitcode = True, self.template.end(kind, self.number)


def _serve(pipe: Connection, module: str) -> None:
    """The life of the template."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    with open(os.devnull, "r+b") as nowhere:  # what cannot be loaded, each worker says in its log
        for number in (1, 2):
            os.dup2(nowhere.fileno(), number)
    with suppress(Exception), quick_imports():
        importlib.import_module(module)
    gc.freeze()  # pages that no collection writes to stay shared
    pids: dict[int, int | None] = {}
    with suppress(EOFError, OSError, RuntimeError):  # the parent has ended
        pipe.send(LOADED)
        while True:
            kind, number, value = pipe.recv()
            if kind == START:
                pids[number] = _forked(pipe, reduction.recv_handle(pipe), *value)
            else:
                pipe.send(_exit_code(pids.pop(number, None), kind))


def _forked(pipe: Connection, descriptor: int, target: Callable, arguments: tuple) -> int | None:
    """The id of a new process; None when the system refuses one."""
    try:
        pid = os.fork()
    except OSError:
        pid = None
    if pid != 0:
        os.close(descriptor)
        return pid
    code = 1
    try:
        pipe.close()
        target(Connection(descriptor), *arguments)
        sys.stderr.flush()
        code = 0
    finally:
        os._exit(code)


def _exit_code(pid: int | None, kind: str) -> int | None:
    if pid is None:
        return None
    if kind == KILL:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
