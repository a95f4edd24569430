"""Opening a user's file, and writing one whole or not at all: whatever is wrong with its name or place ends in an InputError or OutputError
that says what to do."""
from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import contextmanager, suppress

from ..errors import InputError, OutputError

_DISK_FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))


def is_same_file(path: str | os.PathLike, other: str | os.PathLike) -> bool:
    """Whether both names lead to one file that is there."""
    return os.path.exists(path) and os.path.exists(other) and os.path.samefile(path, other)


@contextmanager
def regular_file(path: str | os.PathLike, name: str):
    """The file opened for reading bytes; `name` is how errors call it. Folders, devices and pipes are refused before they are opened."""
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise InputError(f"Choose a file: {name} is a folder.")
        if not stat.S_ISREG(mode):
            raise InputError(f"Choose a file on disk: {name} is a device or pipe.")
        file = open(path, "rb")  # noqa: SIM115 (closed below)
    except FileNotFoundError:
        raise InputError(f"Check the file's name and folder: {os.fspath(path)!r} does not exist.") from None
    except PermissionError:
        raise InputError(f"Allow this program to read {name}: the system refuses it.") from None
    except (OSError, ValueError) as error:
        raise cannot_be_opened(name, error) from None
    with file:
        yield file


def cannot_be_opened(name: str, error: Exception) -> InputError:
    return InputError(f"Choose another file: {name} cannot be opened ({error}).")


@contextmanager
def whole_file(path: str | os.PathLike):
    """A file open for writing bytes that takes the place of `path` when the block ends without an error, and is gone otherwise."""
    path = os.path.abspath(os.fspath(path))
    if "\0" in path:
        raise OutputError(f"Choose another file name: {path!r} contains a NUL character.")
    temporary = os.path.join(os.path.dirname(path), f".sonic-{secrets.token_hex(8)}")
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            raise OutputError(f"Choose a file name: {path!r} is not a file.")
        with open(temporary, "xb") as file:
            yield file
        os.replace(temporary, path)
    except BrokenPipeError:
        raise       # not this file's: what the block writes elsewhere
    except OSError as error:
        raise cannot_be_written(path, error) from None
    finally:
        with suppress(OSError):
            os.unlink(temporary)


def cannot_be_written(path: str, error: Exception) -> OutputError:
    reason = getattr(error, "strerror", None) or str(error)
    if getattr(error, "errno", None) in _DISK_FULL:
        return OutputError(f"Free disk space or choose another folder: {path!r} does not fit ({reason}).")
    return OutputError(f"Choose a folder that exists and in which you may write: {path!r} cannot be written ({reason}).")
