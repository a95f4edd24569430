"""Signals that stop the command `sonic`: all of them go the way of Ctrl-C, and never in the middle of a rename.

Only the command line installs the handlers (`stop_signals`), for the time of one command; in ComfyUI nothing here
changes a signal. A signal raises Stopped, a KeyboardInterrupt, in the main thread. Python drops an exception that is
raised in a destructor or in a callback from C, so the signal is also remembered: `check` raises it again before an
output takes its name. A second signal, more than SAME_EVENT_S after the first, ends the process at once, even while C
is busy: a thread waits for it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection

# SIGBREAK: Ctrl-Break on Windows, and a console window that is closed
NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
STOP_SIGNALS = tuple(getattr(signal, name) for name in NAMES if hasattr(signal, name))
# Windows' events that end the process (HandlerRoutine in its documentation): a closed console, a log-off, a shutdown
CLOSING_EVENTS = (2, 5, 6)
CLOSING_SIGNAL = getattr(signal, "SIGBREAK", signal.SIGTERM)
CLOSING_S = 4.0  # of the 5 s after which Windows ends the process
SAME_EVENT_S = 0.5  # a terminal that closes, `timeout` and `make` send the same signal twice


class Stopped(KeyboardInterrupt):
    """A signal asked the command to stop."""

    def __init__(self, number: int):
        super().__init__(f"signal {number}")
        self.exit_code = 128 + number


@dataclass
class _State:
    number: int | None = None  # the first signal of this command
    is_raised: bool = False
    is_complete: bool = False  # the outputs have their names: only printing remains
    deferrals: int = 0

    def reset(self) -> None:
        self.__init__(deferrals=1)


_state = _State()


def received() -> int | None:
    """The number of the signal that stops this command, or None."""
    return None if _state.is_complete else _state.number


def check() -> None:
    """Raises Stopped when a signal has arrived, also when its exception was lost."""
    if (number := received()) is not None:
        raise Stopped(number)


def accept() -> None:
    """Begins the part of `stop_signals` that may be interrupted; raises Stopped when a signal has arrived already."""
    _state.deferrals = 0
    check()


def complete() -> None:
    """The command's outputs have their names: a signal comes too late from here on, until the command ends."""
    _state.is_complete = True


def is_complete() -> bool:
    return _state.is_complete


@contextmanager
def deferred() -> Iterator[None]:
    """Within the block a signal waits; it is raised at the end. For renames and clearing up. Nothing in other threads,
    which signals do not interrupt."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _state.deferrals += 1
    try:
        yield
    finally:
        _state.deferrals -= 1
    if not _state.deferrals and not _state.is_raised:
        _state.is_raised = received() is not None
        check()


def _stop(number: int, _frame) -> None:
    if _state.number is not None or _state.is_complete:
        return  # the thread in `_end_at_once` acts on a second signal
    _state.number = number
    if not _state.deferrals:
        _state.is_raised = True
        raise Stopped(number)


@contextmanager
def stop_signals(clear_up: Callable[[], object], ignore_after: bool = False) -> Iterator[None]:
    """Within the block the signals stop the command: Stopped is raised from `accept` on, until `complete`. An ignored
    SIGHUP (nohup) stays ignored.

    clear_up      called by a second signal, before the process ends
    ignore_after  the process ends with this command: signals no longer change its exit code
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _state.reset()
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    before = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    try:
        for number in before:
            signal.signal(number, _stop)
        with _end_at_once(clear_up), _console_handler(clear_up):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if ignore_after else handler or signal.SIG_DFL)


@contextmanager
def _end_at_once(clear_up: Callable[[], object]) -> Iterator[None]:
    """A thread that ends the process at the second signal. Python passes it the numbers through a socket."""
    try:
        receiver, sender = socket.socketpair()
        sender.setblocking(False)
        threading.Thread(target=_watch, args=(receiver, clear_up), name="sonic-signals", daemon=True).start()
    except (OSError, RuntimeError, MemoryError):  # no more descriptors or threads: Ctrl-C works without it
        yield
        return
    before = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        sender.close()


def _watch(receiver: socket.socket, clear_up: Callable[[], object]) -> None:
    first = None
    with receiver:
        while number := receiver.recv(1):
            if number[0] not in STOP_SIGNALS:
                continue
            first = first or time.monotonic()
            if time.monotonic() - first > SAME_EVENT_S:
                with suppress(Exception):
                    clear_up()
                os._exit(128 + number[0])


@contextmanager
def _console_handler(clear_up: Callable[[], object]) -> Iterator[None]:
    """Stops the command when the console is closed, and keeps the process until the command has cleared up: Windows
    ends it when a handler of such an event returns, and the C runtime's returns at once."""
    console = _console()
    if console is None:
        yield
        return
    ended = threading.Event()
    handler = console.HANDLER(lambda event: _on_console_event(event, ended, clear_up))
    console.SetConsoleCtrlHandler(handler, True)
    try:
        yield
    finally:
        ended.set()
        console.SetConsoleCtrlHandler(handler, False)


def _on_console_event(event: int, ended: threading.Event, clear_up: Callable[[], object]) -> bool:
    """In a thread of the system's. True: no other handler is called."""
    if event not in CLOSING_EVENTS:
        return False
    signal.raise_signal(CLOSING_SIGNAL)
    if not ended.wait(CLOSING_S):
        with suppress(Exception):
            clear_up()
    return True


def _console():
    """Windows' functions of consoles; None elsewhere."""
    if os.name != "nt":
        return None
    import ctypes
    from types import SimpleNamespace

    handler = ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint32)
    call = ctypes.WinDLL("kernel32").SetConsoleCtrlHandler
    call.argtypes, call.restype = (handler, ctypes.c_int), ctypes.c_int
    return SimpleNamespace(HANDLER=handler, SetConsoleCtrlHandler=call)


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Processes started in the block never see the signals that stop the command: the parent ends them. A terminal
    sends a signal to all processes, and those would print an error each. On Windows nothing is blocked, since a Ctrl-C
    to this process would be lost, not delayed: a process ignores signals from `end_with_parent` on."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with_parent(clear_up: Callable[[], object]) -> None:
    """Called first in each process of multiprocessing: a parent that was killed cannot end its processes. Signals are
    ignored here, on Windows too."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    with suppress(RuntimeError):  # no memory for a thread
        threading.Thread(target=_watch_parent, args=(clear_up,), name="sonic-parent", daemon=True).start()


def _watch_parent(clear_up: Callable[[], object]) -> None:
    connection.wait([multiprocessing.parent_process().sentinel])
    with suppress(Exception):
        clear_up()
    os._exit(1)
