"""Temporary folders beside outputs. Each output is made in one and renamed when it is complete.

A process that is killed leaves its folder behind; the next one that writes beside it deletes the folder. A folder in
use is recognised by a lock on a file in it, which the system drops with the process: names with process ids would not
do, because a folder may be seen from other containers and, on a network share, from other machines. Locks are certain
between processes on one kernel, whose boot id is in the folder's name. Folders of other machines, and those on file
systems without locks, are deleted when nothing in them has changed for a day on the file system's own clock.

On Windows other programs open new files for a moment, and no file that is open can be renamed, replaced or deleted:
renames wait for that (system_errors.py), and an output whose target stays open is kept under a name beside it.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from contextlib import suppress

from ..interrupts import check, complete, deferred
from .file_lock import HAS_FLOCK, machine, try_lock
from .file_names import system_path
from .system_errors import retried

NAME = re.compile(r"\.sonic-([0-9a-f]{8})-[0-9a-f]{16}")
LOCK = "sonic.lock"
NOTE = b"An unfinished output of the command sonic. The next run that writes beside this folder deletes it.\n"
OUTPUT, KEPT = "output", ".kept"
WITHOUT_LOCKS = "0" * 8  # in place of the machine
KEPT_S = 86_400  # folders whose process cannot be seen from here
ATTEMPTS = 100
CLEAR_UP_S = 0.5  # for files that other programs have open; the next run deletes what is left
BINARY = getattr(os, "O_BINARY", 0)

announce = None  # called with the parent of each new folder: a process that watches this one sweeps there

_in_use: set[TemporaryFolder] = set()
_swept: set[str] = set()


class KeptElsewhere(OSError):
    """The output is complete, but could not take its name: it stands at `kept`."""

    def __init__(self, error: OSError, kept: str):
        super().__init__(error.errno, error.strerror or str(error))
        self.kept = kept


class TemporaryFolder:
    """A new folder in `parent`, and a path in it: `output`. Raises OSError when it cannot be made.

    It exists until `remove`; `remove_all` is for what an exception at an unlucky moment leaves.
    """

    def __init__(self, parent: str | os.PathLike, name: str = OUTPUT):
        self.parent, self._descriptor = system_path(os.path.abspath(os.fspath(parent))), None
        self._moved: list[str] = []
        self._name(machine())
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
        self._name(machine())
        _make_private(self.path)
        try:
            self._descriptor = os.open(self._lock, os.O_CREAT | os.O_EXCL | os.O_RDWR | BINARY, 0o600)
            locked = try_lock(self._descriptor)
            if locked is None:
                self._rename_without_locks()
            # file systems of Windows without file numbers would say no, and nothing that is open is deleted there
            same = not HAS_FLOCK or os.path.samestat(os.stat(self._lock), os.fstat(self._descriptor))
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
        self._close()  # Windows renames no folder in which a file is open
        before = self.path, self._lock
        self._name(WITHOUT_LOCKS)
        try:
            retried(os.rename, before[0], self.path)
        except OSError:
            self.path, self._lock = before
            raise
        self._descriptor = os.open(self._lock, os.O_RDWR | BINARY)

    def publish(self, target: str | os.PathLike, is_last: bool = True) -> None:
        """Renames `output` to `target` and removes the folder. is_last: the command has no output after this one, and a
        signal comes too late from here on. Raises OSError; KeptElsewhere when the output has another name now."""
        target = system_path(os.path.abspath(os.fspath(target)))
        with deferred():
            check()
            problem = self._move(target)
            if is_last:
                complete()
            self.remove()
        if problem:
            raise problem

    def _move(self, target: str) -> KeptElsewhere | None:
        try:
            retried(_replace, self.output, target)
        except OSError as error:
            kept = _keep(self.output, target)
            if kept is None:
                raise
            return KeptElsewhere(error, kept)
        return None

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
                retried(os.rename, source, target)
                self._moved.append(target)

    def keep_links(self) -> None:
        retried(os.rename, self.output, self.output + KEPT)
        self._moved.clear()

    def remove(self) -> None:
        with deferred():
            _in_use.discard(self)
            for name in self._moved:
                with suppress(OSError):
                    _unlink(name)
            _delete(self.path, self._close)
            self._close()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _make_private(path: str) -> None:
    """A new folder for this user alone. On Windows it is as open as its parent: what is made in it keeps the folder's
    access list for ever, also when it is renamed, and the video would be private."""
    if HAS_FLOCK:
        os.mkdir(path, 0o700)
    else:
        os.mkdir(path)


def _replace(source: str, target: str) -> None:
    try:
        os.replace(source, target)
    except OSError:
        is_link = os.path.islink(target) or getattr(os.path, "isjunction", lambda path: False)(target)
        if not os.path.isdir(source) or is_link or not os.path.isdir(target):
            raise
        os.rmdir(target)  # Windows does not replace an empty folder
        os.replace(source, target)


def _keep(source: str, target: str) -> str | None:
    """Gives a complete output a free name beside its target, NAME (2).mp4 or a higher number, by a copy where it cannot
    be renamed. None when that fails too."""
    stem, ending = os.path.splitext(target)
    for number in range(2, ATTEMPTS):
        name = f"{stem} ({number}){ending}"
        if os.path.lexists(name):
            continue
        with suppress(OSError):
            retried(os.rename, source, name)
            return name
        with suppress(OSError):
            return _copy(source, name)
        return None
    return None


def _copy(source: str, name: str) -> str:
    try:
        with open(source, "rb") as old, open(name, "xb") as new:
            shutil.copyfileobj(old, new, 1 << 20)
    except OSError:
        with suppress(OSError):
            os.unlink(name)
        raise
    return name


def _unlink(path: str) -> None:
    retried(os.unlink, path, patience_s=CLEAR_UP_S)


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
    own, here = {os.path.basename(folder.path) for folder in list(_in_use)}, machine()
    with suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            found = NAME.fullmatch(entry.name)
            if found and entry.name not in own and entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    _sweep_one(entry.path, found[1] == here, now)


def _sweep_one(path: str, is_of_this_machine: bool, now: float) -> None:
    try:
        descriptor = os.open(os.path.join(path, LOCK), os.O_RDWR | BINARY | getattr(os, "O_NOFOLLOW", 0))
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
        locked = try_lock(descriptor)
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
                _unlink(outside)


def _delete(path: str, close) -> None:
    """The lock goes last: a folder that is half deleted is still recognised. close: Windows deletes no open file."""
    with suppress(OSError):
        _withdraw(path)
        for name in os.listdir(path):
            entry = os.path.join(path, name)
            if name == LOCK:
                continue
            if os.path.isdir(entry) and not os.path.islink(entry):
                retried(shutil.rmtree, entry, patience_s=CLEAR_UP_S)
            else:
                _unlink(entry)
        if not HAS_FLOCK:
            close()
        with suppress(FileNotFoundError):
            _unlink(os.path.join(path, LOCK))
        retried(os.rmdir, path, patience_s=CLEAR_UP_S)
