"""What the system's errors mean for files, where errno does not say it: Windows has one errno for several causes.

Numbers of Windows are those of "System Error Codes" in its documentation; OSError.winerror holds them.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from collections.abc import Callable

WINDOWS = os.name == "nt"
ACCESS_DENIED, SHARING_VIOLATION, LOCK_VIOLATION, USER_MAPPED_FILE = 5, 32, 33, 1224
DIR_NOT_EMPTY = 145  # what was deleted in it stays until the last program has closed it
# A target that is open is reported as "access denied", like one that may never be written.
IN_USE = (ACCESS_DENIED, SHARING_VIOLATION, LOCK_VIOLATION, USER_MAPPED_FILE, DIR_NOT_EMPTY)
DISK_FULL = (39, 112, 1295)  # handle disk full, disk full, quota exceeded
PATIENCE_S = 2.0
FIRST_WAIT_S, LONGEST_WAIT_S = 0.02, 0.25

_DISK_FULL_ERRNO = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))


def is_in_use(error: BaseException) -> bool:
    """Whether Windows says that another program has the file open, or may mean that."""
    return getattr(error, "winerror", None) in IN_USE


def is_disk_full(error: BaseException) -> bool:
    return getattr(error, "errno", None) in _DISK_FULL_ERRNO or getattr(error, "winerror", None) in DISK_FULL


def is_broken_pipe(error: BaseException, windows: bool = WINDOWS) -> bool:
    """Whether the reader of standard output is gone. The C runtime of Windows reports that as EINVAL, like much else:
    there, what is printed must still be refused."""
    if not windows or getattr(error, "errno", None) != errno.EINVAL:
        return isinstance(error, BrokenPipeError)
    return not _takes_more(sys.stdout)


def _takes_more(stream) -> bool:
    """Whether the stream can be written. It may have dropped what was refused: a pipe is tried with a line end."""
    try:
        stream.flush()
    except (OSError, ValueError):
        return False
    try:
        descriptor = stream.fileno()
        is_pipe = stat.S_ISFIFO(os.fstat(descriptor).st_mode)
    except (OSError, ValueError, AttributeError):  # no file of the system
        return True
    try:
        return not is_pipe or os.write(descriptor, b"\n") == 1
    except OSError:
        return False


def reason_of(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error)


def retried(call: Callable, *arguments, patience_s: float | None = None):
    """call(*arguments), again and again for `patience_s` (PATIENCE_S) while `is_in_use`: virus scanners, indexers and
    programs that synchronise folders open each new file of Windows for a moment."""
    deadline, wait_s = time.monotonic() + (PATIENCE_S if patience_s is None else patience_s), FIRST_WAIT_S
    while True:
        try:
            return call(*arguments)
        except OSError as error:
            if not is_in_use(error) or time.monotonic() >= deadline:
                raise
        time.sleep(wait_s)
        wait_s = min(2 * wait_s, LONGEST_WAIT_S)
