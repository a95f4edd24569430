"""Locks on open files, which the system drops with the process, and the name of the machine on which they are certain.

On POSIX they are advisory (flock); on Windows the byte at LOCKED_BYTE, behind the end of the file, can be used by no
other handle, and the file cannot be deleted, renamed or moved with its folder while it is open.
"""

from __future__ import annotations

import errno
import hashlib
import os
import socket

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

HAS_FLOCK = fcntl is not None
LOCKED_BYTE = 1 << 20  # virus scanners and programs that copy the folder read what is before it


def machine() -> str:
    """8 hex digits: the running kernel, which containers share; elsewhere the machine's name. (platform.node would ask
    Windows' management service for the version of the system, which takes a second.)"""
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            identity = file.read(64)
    except OSError:
        identity = socket.gethostname().encode("utf-8", "surrogatepass")
    return hashlib.sha256(identity).hexdigest()[:8]


def try_lock(descriptor: int) -> bool | None:
    """True: locked. False: another process holds the lock. None: the file system has no locks."""
    if not HAS_FLOCK:
        return _try_lock_byte(descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return None


def _try_lock_byte(descriptor: int) -> bool | None:
    os.lseek(descriptor, LOCKED_BYTE, os.SEEK_SET)  # msvcrt locks at the file's position
    try:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        return True
    except OSError as error:  # EACCES where the byte is locked; EINVAL where the system's function is not supported
        return None if error.errno == errno.EINVAL else False
    finally:
        os.lseek(descriptor, 0, os.SEEK_SET)
