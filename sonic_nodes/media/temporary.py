"""Temporary folders beside outputs. Each output is made in one and renamed when it is complete.

A process that is killed leaves its folder behind; the next one that writes beside it deletes the folder. A folder in
use is recognised by a lock on a file in it, which the system drops with the process: names with process ids would not
do, because a folder may be seen from other containers and, on a network share, from other machines. Locks are certain
between processes on one kernel, whose boot id is in the folder's name. Folders of other machines, and those on file
systems without locks, are deleted when nothing in them has changed for a day on the file system's own clock.
"""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import re
import secrets
import shutil
from contextlib import suppress

from ..interrupts import check, complete, deferred

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

NAME = re.compile(r"\.sonic-([0-9a-f]{8})-[0-9a-f]{16}")
LOCK = "sonic.lock"
NOTE = b"An unfinished output of the command sonic. The next run that writes beside this folder deletes it.\n"
OUTPUT, KEPT = "output", ".kept"
WITHOUT_LOCKS = "0" * 8  # in place of the machine
KEPT_S = 86_400  # folders whose process cannot be seen from here
ATTEMPTS = 100

announce = None  # called with the parent of each new folder: a process that watches this one sweeps there

_in_use: set[TemporaryFolder] = set()
_swept: set[str] = set()


def _machine() -> str:
    """8 hex digits: the running kernel, which containers share; elsewhere the machine's name."""
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            identity = file.read(64)
    except OSError:
        identity = platform.node().encode()
    return hashlib.sha256(identity).hexdigest()[:8]


def _try_lock(descriptor: int) -> bool | None:
    """True: locked. False: another process holds the lock. None: the file system has no locks."""
    try:
        if fcntl:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        return True
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return None


class TemporaryFolder:
    """A new folder in `parent`, and a path in it: `output`. Raises OSError when it cannot be made.

    It exists until `remove`; `remove_all` is for what an exception at an unlucky moment leaves.
    """

    def __init__(self, parent: str | os.PathLike, name: str = OUTPUT):
        self.parent, self._descriptor = os.path.abspath(os.fspath(parent)), None
        self._moved: list[str] = []
        self._name(_machine())
        _in_use.add(self)
        if announce:
            announce(self.parent)
        try:
            for _ in range(ATTEMPTS):
                if self._create():
                    break
            else:
                raise FileExistsError(f"no temporary folder in {self.parent!r}")
        except BaseException:
            self.remove()
            raise
        self.output = os.path.join(self.path, name)
        sweep(self.parent, os.fstat(self._descriptor).st_mtime)

    def _create(self) -> bool:
        """False when a sweep took the folder before it was locked."""
        self._name(_machine())
        os.mkdir(self.path, 0o700)
        try:
            self._descriptor = os.open(self._lock, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
            locked = _try_lock(self._descriptor)
            if locked is None:
                self._rename_without_locks()
            same = os.path.samestat(os.stat(self._lock), os.fstat(self._descriptor))
        except FileNotFoundError:
            locked = same = False
        if locked is False or not same:
            self._close()
            return False
        os.write(self._descriptor, NOTE)
        return True

    def _name(self, machine: str) -> None:
        self.path = os.path.join(self.parent, f".sonic-{machine}-{secrets.token_hex(8)}")
        self._lock = os.path.join(self.path, LOCK)

    def _rename_without_locks(self) -> None:
        before = self.path
        self._name(WITHOUT_LOCKS)
        os.rename(before, self.path)

    def publish(self, target: str | os.PathLike, is_last: bool = True) -> None:
        """Renames `output` to `target` and removes the folder. is_last: the command has no output after this one, and a
        signal comes too late from here on."""
        with deferred():
            check()
            _replace(self.output, target)
            if is_last:
                complete()
            self.remove()

    def link(self) -> None:
        """Gives each file in the folder `output` its name in `parent` too; FileExistsError where one is taken. Until
        `keep_links`, `remove` takes the names away again, as the next run does when this process is killed."""
        for name in sorted(os.listdir(self.output)):
            source, target = os.path.join(self.output, name), os.path.join(self.parent, name)
            try:
                os.link(source, target)
            except FileExistsError:
                raise
            except OSError:  # FAT has no links
                if os.path.lexists(target):
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target) from None
                os.rename(source, target)
                self._moved.append(target)

    def keep_links(self) -> None:
        os.rename(self.output, self.output + KEPT)
        self._moved.clear()

    def remove(self) -> None:
        with deferred():
            _in_use.discard(self)
            for name in self._moved:
                with suppress(OSError):
                    os.unlink(name)
            _delete(self.path, self._close)
            self._close()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _replace(source: str, target: str | os.PathLike) -> None:
    try:
        os.replace(source, target)
    except OSError:
        if not os.path.isdir(source) or os.path.islink(target):
            raise
        os.rmdir(target)  # Windows does not replace an empty folder
        os.replace(source, target)


def remove_all() -> None:
    """Removes the temporary folders of this process that are left."""
    for folder in list(_in_use):
        folder.remove()


def forget_swept() -> None:
    """A new run: every folder is swept again."""
    _swept.clear()


def sweep_again(parent: str | os.PathLike) -> None:
    """Deletes what processes left that were killed since."""
    parent = os.path.abspath(os.fspath(parent))
    _swept.discard(parent)
    with deferred(), suppress(OSError):
        TemporaryFolder(parent).remove()


def sweep(parent: str, now: float) -> None:
    """Deletes what killed processes left in `parent`, once a run. now: the time on the file system's clock, s."""
    if parent in _swept:
        return
    _swept.add(parent)
    own, machine = {os.path.basename(folder.path) for folder in list(_in_use)}, _machine()
    with suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            found = NAME.fullmatch(entry.name)
            if found and entry.name not in own and entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    _sweep_one(entry.path, found[1] == machine, now)


def _sweep_one(path: str, is_of_this_machine: bool, now: float) -> None:
    try:
        descriptor = os.open(os.path.join(path, LOCK), os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    except FileNotFoundError:
        os.rmdir(path)  # its process was killed before it made the lock; OSError when the folder holds anything
        return
    is_open = True

    def close():
        nonlocal is_open
        if is_open:
            is_open = False
            os.close(descriptor)

    try:
        locked = _try_lock(descriptor)
        is_certain = locked is True and is_of_this_machine
        if locked is not False and _is_ours(path, descriptor) and (is_certain or now - _newest(path) > KEPT_S):
            _delete(path, close)
    finally:
        close()


def _is_ours(path: str, descriptor: int) -> bool:
    """The lock says so. It is empty when the process was killed in between; then the folder holds nothing else."""
    start = os.read(descriptor, len(NOTE) + 1)
    return start == NOTE or (not start and os.listdir(path) == [LOCK])


def _newest(path: str) -> float:
    """The latest modification of anything in the folder, s."""
    paths = [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in [".", *names]]
    return max(os.lstat(name).st_mtime for name in paths)


def _withdraw(path: str) -> None:
    """Removes the names that `link` gave to files of the folder."""
    linked, parent = os.path.join(path, OUTPUT), os.path.dirname(path)
    if not os.path.isdir(linked) or os.path.islink(linked):
        return
    for name in os.listdir(linked):
        outside = os.path.join(parent, name)
        with suppress(OSError):
            if os.path.samestat(os.lstat(os.path.join(linked, name)), os.lstat(outside)):
                os.unlink(outside)


def _delete(path: str, close) -> None:
    """The lock goes last: a folder that is half deleted is still recognised. close: Windows deletes no open file."""
    with suppress(OSError):
        _withdraw(path)
        for name in os.listdir(path):
            entry = os.path.join(path, name)
            if name == LOCK:
                continue
            if os.path.isdir(entry) and not os.path.islink(entry):
                shutil.rmtree(entry, ignore_errors=True)
            else:
                os.unlink(entry)
        if fcntl is None:
            close()
        with suppress(FileNotFoundError):
            os.unlink(os.path.join(path, LOCK))
        os.rmdir(path)
