"""Windows' rules for files, for tests on Linux: what is open cannot be renamed, replaced or deleted, nor can a folder
be renamed in which a file is open, and a lock is one byte of msvcrt's. On Windows itself the system has these rules.

Sources: MoveFileEx, DeleteFile and "Creating and Opening Files" in Windows' documentation; Python opens files without
FILE_SHARE_DELETE.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from types import SimpleNamespace

from sonic_nodes.media import file_lock, temporary

try:
    import fcntl
except ImportError:  # Windows, which needs no rules from here
    fcntl = None

ACCESS_DENIED, SHARING_VIOLATION = 5, 32


def windows_error(winerror: int, path="", number: int = errno.EACCES) -> OSError:
    """What Python raises on Windows: OSError has no winerror elsewhere."""
    error = OSError(number, f"error {winerror} of Windows", os.fspath(path))
    error.winerror = winerror
    return error


def open_files() -> list[str]:
    """Paths of the regular files that this process has open."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            name = os.readlink(f"/proc/self/fd/{number}")
            if stat.S_ISREG(os.stat(f"/proc/self/fd/{number}").st_mode):
                found.append(name)
        except OSError:
            continue
    return found


def is_open(path) -> bool:
    """The file itself, or one in the folder."""
    whole = os.path.realpath(path)
    return any(name == whole or name.startswith(whole + os.sep) for name in open_files())


class Msvcrt:
    """msvcrt.locking of one byte, by a lock of the file."""

    LK_NBLCK = 2

    @staticmethod
    def locking(descriptor: int, mode: int, count: int) -> None:
        assert (mode, count) == (Msvcrt.LK_NBLCK, 1) and os.lseek(descriptor, 0, os.SEEK_CUR) > 0
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PermissionError(errno.EACCES, "Permission denied") from None


def apply(monkeypatch) -> None:
    """The rules hold until the end of the test; nothing on Windows."""
    if os.name == "nt":
        return
    real = SimpleNamespace(rename=os.rename, replace=os.replace, unlink=os.unlink, mkdir=os.mkdir)

    def mkdir(path, mode=0o777, **options):
        is_ours = os.path.basename(path).startswith(".sonic-")
        assert not is_ours or mode != 0o700, "on Windows what is moved out of a private folder stays private"
        real.mkdir(path, mode, **options)

    def unlink(path, **options):
        if is_open(path):
            raise windows_error(SHARING_VIOLATION, path)
        real.unlink(path, **options)

    def rename(source, target, **options):
        if is_open(source):
            raise windows_error(SHARING_VIOLATION, source)
        if os.path.lexists(target) and os.path.realpath(source) != os.path.realpath(target):
            raise windows_error(183, target, errno.EEXIST)
        real.rename(source, target, **options)

    def replace(source, target, **options):
        if is_open(source):
            raise windows_error(SHARING_VIOLATION, source)
        if is_open(target) or os.path.isdir(target):
            raise windows_error(ACCESS_DENIED, target)
        real.replace(source, target, **options)

    for name, function in (("mkdir", mkdir), ("unlink", unlink), ("remove", unlink), ("rename", rename)):
        monkeypatch.setattr(os, name, function)
    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(shutil, "_use_fd_functions", False)
    monkeypatch.setattr(file_lock, "msvcrt", Msvcrt, raising=False)
    for module in (file_lock, temporary):
        monkeypatch.setattr(module, "HAS_FLOCK", False)
