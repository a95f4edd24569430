"""Opening a user's file: whatever is wrong with its name or place ends in an InputError that says what to do."""
from __future__ import annotations

import os
import stat
from contextlib import contextmanager

from ..errors import InputError


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
