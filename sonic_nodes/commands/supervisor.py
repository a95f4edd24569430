"""Runs the command in a child process where address space is limited (`ulimit -v`).

Libraries end the process themselves when address space runs out: glibc ("cannot allocate memory for thread-local
data"), libgomp ("Thread creation failed"), C++ (std::bad_alloc), OpenBLAS. No exception reaches Python then, or Python
has no memory left to print one. The parent, which has loaded nothing, says what happened and removes what is left.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from ..errors import ResourceError, is_address_space_limited
from ..interrupts import STOP_SIGNALS
from ..media import temporary
from .streams import say

try:
    import resource
except ImportError:  # Windows
    resource = None

PR_SET_PDEATHSIG = 1  # prctl(2)
POLL_S = 0.25
STARVED_BYTES, STARVED_S = 16 << 20, 5.0
STOP_S = 10.0  # a stopped command clears up in less
SENTENCE = (
    "Close other programs, choose a smaller input or raise the memory limit (ulimit -v): memory ran out, and a library "
    "ended the run."
)

_stopped: list[tuple[int, float]] = []  # (signal, when) that were passed on


def is_needed() -> bool:
    return sys.platform == "linux" and is_address_space_limited()


def supervised(run: Callable[[], int]) -> int:
    """The exit code of run() in a child. Signals are passed on to it; it dies with this process."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        return _reporting(run, writer)
    os.close(writer)
    for number in STOP_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, _: _pass_on(number, child))
    told = _listen(reader, child)
    os.waitpid(child, 0)
    *folders, code = told.split("\n")
    if code.startswith("="):
        return int(code[1:])
    for folder in {*folders, code} - {""}:
        temporary.sweep_again(folder)
    if _stopped:
        return 128 + _stopped[0][0]
    say(f"sonic: {SENTENCE}")
    return ResourceError.exit_code


def _pass_on(number: int, child: int) -> None:
    _stopped.append((number, time.monotonic()))
    os.kill(child, number)


def _listen(reader: int, child: int) -> str:
    """What the child tells, until it ends. It is killed when it does not stop, and when it starves: Python still runs
    without memory, a thousand times slower."""
    told, starved_since = b"", None
    while True:
        if select.select([reader], [], [], POLL_S)[0]:
            piece = os.read(reader, 1 << 16)
            if not piece:
                return os.fsdecode(told).strip("\n")
            told += piece
        now = time.monotonic()
        starved_since = (starved_since or now) if _left_bytes(child) < STARVED_BYTES else None
        if (starved_since and now - starved_since > STARVED_S) or (_stopped and now - _stopped[0][1] > STOP_S):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


def _left_bytes(child: int) -> int:
    """Address space that the child may still map."""
    try:
        with open(f"/proc/{child}/statm", "rb") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
    except (OSError, IndexError):
        return STARVED_BYTES
    return resource.getrlimit(resource.RLIMIT_AS)[0] - used


def _reporting(run: Callable[[], int], writer: int) -> int:
    """In the child: names the folders of outputs, then the exit code."""
    parent = os.getppid()
    with suppress(Exception):
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)

    def tell(text: str) -> None:
        os.write(writer, os.fsencode(text) + b"\n")

    temporary.announce = tell
    try:
        code = run()
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001 (the parent prints the sentence)
        os._exit(1)
    tell(f"={code or 0}")
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    if code == ResourceError.exit_code:
        os._exit(code)  # without memory, clearing up the interpreter prints tracebacks
    return code
