"""Opens a user's file and writes files atomically. Every problem with a name or folder becomes an InputError or
OutputError that begins with the remedy."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import contextmanager, suppress
from typing import BinaryIO

import av

from ..errors import InputError, OutputError, ResourceError, is_out_of_memory
from ..interrupts import deferred
from .file_names import is_device, output_problem, shown_path, system_path
from .system_errors import LOCK_VIOLATION, SHARING_VIOLATION, is_broken_pipe, is_disk_full, reason_of, retried
from .temporary import KeptElsewhere, TemporaryFolder

_FOLDER_ERRORS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EIO)


def is_same_file(path: str | os.PathLike, other: str | os.PathLike) -> bool:
    """Whether both names refer to the same existing file."""
    path, other = system_path(path), system_path(other)
    return os.path.exists(path) and os.path.exists(other) and os.path.samefile(path, other)


class NotRegularFile(OSError):
    """The path is a folder, device, pipe or socket; the text names it."""


def open_regular(path: str | os.PathLike) -> BinaryIO:
    """The regular file at `path`, open for reading bytes. Raises OSError, NotRegularFile for anything else, and
    ValueError for names that the system cannot have.

    Anything else is refused before it is opened: opening waits for ever at a pipe and has effects on devices, and
    reading /dev/zero never ends. What takes the file's place in between is opened without waiting and refused too.
    """
    if is_device(path):
        raise NotRegularFile("a device or pipe")
    path = system_path(path)
    check_regular(os.stat(path).st_mode)
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        check_regular(os.fstat(descriptor).st_mode)
        return open(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def check_regular(mode: int) -> None:
    """Raises NotRegularFile, which says what a path with this st_mode is."""
    if stat.S_ISDIR(mode):
        raise NotRegularFile("a folder")
    if not stat.S_ISREG(mode):
        raise NotRegularFile("a device or pipe")


@contextmanager
def regular_file(path: str | os.PathLike, name: str):
    """The file opened for reading bytes; errors call it `name`. Folders, devices, pipes and sockets are refused, also
    /dev/fd/N of a shell's <(...): readers seek."""
    try:
        file = open_regular(path)
    except NotRegularFile as error:
        raise InputError(f"Choose a file on disk: {name} is {error}.") from None
    except FileNotFoundError:
        raise InputError(f"Check the file's name and folder: {os.fspath(path)!r} does not exist.") from None
    except PermissionError as error:
        if getattr(error, "winerror", None) in (SHARING_VIOLATION, LOCK_VIOLATION):
            raise InputError(f"Close the program that has {name} open, and run again: it lets no other read.") from None
        raise InputError(f"Allow this program to read {name}: the system refuses it.") from None
    except (OSError, ValueError) as error:
        raise unreadable(name, error) from None
    with file:
        yield file


def unreadable(name: str, error: Exception) -> InputError:
    return InputError(f"Choose another file: {name} cannot be opened ({error}).")


@contextmanager
def atomic_write(path: str | os.PathLike, is_last: bool = False):
    """A temporary file open for writing bytes. It replaces `path` when the block ends without an error and is removed
    otherwise. is_last: TemporaryFolder.publish."""
    path = output_path(path)
    temporary, target = None, system_path(path)
    try:
        if os.path.exists(target) and not os.path.isfile(target):
            raise OutputError(f"Choose a file name: {path!r} is not a file.")
        check_replaceable(path)
        temporary = TemporaryFolder(os.path.dirname(path))
        with open(temporary.output, "xb") as file:
            yield file
        temporary.publish(path, is_last)
    except OSError as error:
        if is_broken_pipe(error):
            raise  # from another output of the block
        raise unwritable(path, error) from None
    finally:
        if temporary:
            temporary.remove()


@contextmanager
def new_folders(path: str | os.PathLike):
    """Makes the folder `path` and those above it that are missing. When the block ends with an error, those of them
    that are empty are removed. Raises OSError."""
    path, made = system_path(os.path.abspath(os.fspath(path))), []
    while not os.path.isdir(path) and os.path.dirname(path) != path:  # there is no drive Q:
        made.append(path)
        path = os.path.dirname(path)
    try:
        for folder in reversed(made):
            os.makedirs(folder, exist_ok=True)  # another process may make it at the same time
        yield
    except BaseException:
        with deferred(), suppress(OSError):
            for folder in made:
                os.rmdir(folder)
        raise


def output_path(path: str | os.PathLike) -> str:
    """The absolute path of a new file. OutputError for a name that the system can give to no file."""
    if problem := output_problem(path):
        raise OutputError(f"Choose another file name: {os.fspath(path)!r} {problem}.")
    return os.path.abspath(os.fspath(path))


def check_replaceable(path: str) -> None:
    """OutputError when the existing file at `path` is open in another program that does not let it be replaced, as
    on Windows: this shows before the work. A rename to its own name changes nothing."""
    target = system_path(path)
    try:
        if os.path.lexists(target):
            retried(os.rename, target, target)
    except PermissionError as error:
        remedy = f"{_release(path)}, or choose another name"
        raise OutputError(f"{remedy}: it cannot be replaced ({reason_of(error)}).") from None


def _release(path: str) -> str:
    """The first half of a sentence: what the user does so that a file can be replaced."""
    try:
        is_read_only = not os.stat(system_path(path)).st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)
    except OSError:
        is_read_only = False
    return f"Make {path!r} writable" if is_read_only else f"Close the program that has {path!r} open"


def kept_elsewhere(path: str, error: KeptElsewhere) -> OutputError:
    kept = shown_path(error.kept)
    return OutputError(
        f"{_release(path)} and rename the new file to it: what was made is complete and is in {kept!r}, since {path!r} "
        f"cannot be replaced ({reason_of(error)})."
    )


def unwritable(path: str, error: Exception) -> OutputError:
    reason = reason_of(error)
    if isinstance(error, KeptElsewhere):
        return kept_elsewhere(path, error)
    if is_disk_full(error):
        return OutputError(f"Free disk space or choose another folder: {path!r} does not fit ({reason}).")
    return OutputError(
        f"Choose a folder that exists and in which you may write: {path!r} cannot be written ({reason})."
    )


@contextmanager
def output_errors(path: str):
    """Turns errors of files and encoders into an OutputError about the video `path`. Others pass unchanged."""
    try:
        yield
    except (OSError, MemoryError, av.error.FFmpegError) as error:
        if is_out_of_memory(error):
            raise ResourceError(
                f"Close other programs or choose a smaller picture: memory ran out while {path!r} was written."
            ) from None
        if isinstance(error, KeptElsewhere):
            raise kept_elsewhere(path, error) from None
        raise OutputError(_remedy(error, path)) from None


def _remedy(error: Exception, path: str) -> str:
    reason = reason_of(error)
    number = getattr(error, "errno", None)
    if is_disk_full(error):
        return f"Free disk space or choose another folder: {path!r} does not fit ({reason})."
    if number == errno.ENAMETOOLONG:
        return f"Choose a shorter file name: {path!r} cannot be written ({reason})."
    if isinstance(error, av.error.FFmpegError) and number not in _FOLDER_ERRORS:
        return (
            "Convert the video to H.264 at a constant frame rate first: "
            f"it cannot be written as the MP4 {path!r} ({reason})."
        )
    return f"Choose a folder in which you may write: {path!r} cannot be written ({reason})."


def create_temporary(path: str) -> TemporaryFolder:
    """A folder beside the target with an empty file, `output`. OutputError when the target cannot be written: this
    shows before anything is rendered."""
    folder = os.path.dirname(path)
    if not os.path.isdir(system_path(folder)):
        raise OutputError(f"Create the folder first: there is no folder {folder!r}.")
    try:
        mode = os.stat(system_path(path)).st_mode
        if not stat.S_ISREG(mode):
            raise OutputError(f"Choose a file name for the video: {path!r} is not a file.")
        if not mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
            raise OutputError(f"Choose another file name, or make the file writable: {path!r} is read-only.")
    except FileNotFoundError:
        pass  # the usual case: a new file
    check_replaceable(path)
    temporary = TemporaryFolder(folder, "output.mp4")
    try:
        os.close(os.open(temporary.output, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except BaseException:
        temporary.remove()
        raise
    return temporary


def check_video_path(path: str | os.PathLike) -> None:
    """OutputError when a video cannot be written to `path`: called before work that takes long."""
    path = output_path(path)
    with output_errors(path):
        create_temporary(path).remove()


@contextmanager
def atomic_video(path: str | os.PathLike):
    """The name of an empty temporary file. It replaces `path` when the block ends without an error and is removed
    otherwise. OutputError: the target cannot be written."""
    path = output_path(path)
    with output_errors(path):
        temporary = create_temporary(path)
        try:
            yield temporary.output
            temporary.publish(path)
        finally:
            temporary.remove()


def copy_video(file, path: str | os.PathLike) -> None:
    """Copies an open file byte for byte to `path`, atomically."""
    with atomic_video(path) as temporary, open(temporary, "wb") as target:
        shutil.copyfileobj(file, target, 1 << 20)
