"""Standard output and standard error of the command: closed, full, or a pipe without a reader."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from ..errors import OutputError
from ..media.system_errors import reason_of
from ..printable import printable_lines
from ..translation import ENGLISH, terminal_language, translated

NAME = "sonic: "  # before what is no result


def prepare() -> None:
    """Called before anything is opened. Raises OutputError when standard output is closed.

    A closed standard stream leaves its number to the next file that is opened: what C or FFmpeg print would end up in
    it. Those numbers are taken by the null device.
    """
    if sys.__stdout__ is None or sys.__stderr__ is None or sys.__stdin__ is None:
        _take_numbers()
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (as long as the process)
    if sys.stdout is None:
        raise OutputError("Leave standard output open, or send it to a file: it is closed, and results are printed.")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # names may hold what a terminal or code page cannot show


def _take_numbers() -> None:
    with suppress(OSError):
        while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
            os.set_inheritable(number, True)
        os.close(number)


def say(text: str) -> None:
    """Lines for the user on standard error, escaped. A full disk or a closed pipe there stops no run."""
    with suppress(OSError):
        print(in_terminal_language(printable_lines(text)), file=sys.stderr)


def show(text: str) -> None:
    """Prints a result for people on standard output. JSON and paths, which programs read, are printed as they are."""
    print(in_terminal_language(text))


def in_terminal_language(text: str) -> str:
    """A message, which may have the command's name before it, in the language of the terminal."""
    is_named = text.startswith(NAME) and not text.startswith(f"{NAME}error: ")
    return (NAME if is_named else "") + translated(text.removeprefix(NAME) if is_named else text, language())


def language() -> str:
    """As the environment says; English where the terminal cannot show another."""
    found = terminal_language()
    try:
        for stream in (sys.stdout, sys.stderr):
            "\u4e2d\u6587".encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return ENGLISH
    return found


def finish() -> None:
    """Everything printed has reached its place. Raises OSError: at exit, Python would print a traceback."""
    sys.stdout.flush()


def abandon() -> None:
    """What is printed and not written goes to the null device when Python flushes it at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            with suppress(OSError, ValueError, AttributeError):
                os.dup2(null, stream.fileno())
    os.close(null)


def unprintable(error: OSError, is_complete: bool) -> OutputError:
    """is_complete: the command has written its output file."""
    return OutputError(
        "Free disk space, or send the printed result elsewhere: standard output cannot be written "
        f"({reason_of(error)})." + (" The output file is complete." if is_complete else "")
    )
