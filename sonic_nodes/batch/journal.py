"""The journal of a batch: JSON Lines, each flushed to the disk before the batch goes on. It alone decides what is done.

Only the last line may be torn, by a crash in the middle of a write: it is cut off. A job is done when the journal says
so and the output is there with the bytes that were written.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from contextlib import suppress
from pathlib import Path

from ..errors import OutputError, ResourceError
from ..media.file_lock import try_lock
from ..media.files import unwritable
from ..media.system_errors import is_disk_full, reason_of

NAME, LOCK = "journal.jsonl", "journal.lock"
MAX_LINE = 1 << 20
DONE, FAILED, START = "done", "failed", "start"
BLOCK = 1 << 20
BINARY = getattr(os, "O_BINARY", 0)


class Journal:
    """Context manager: with Journal(folder) as journal. `ends` is {(key, output): last record of "done" or "failed"};
    output is the path relative to the batch's folder.

    Raises OutputError when another batch has the journal, or when it cannot be written.
    """

    def __init__(self, folder: str | os.PathLike):
        self.path, self.lock_path = Path(folder, NAME), Path(folder, LOCK)
        self.ends: dict[tuple[str, str], dict] = {}
        self.ignored = 0  # lines that are no records: somebody edited the file
        self._lock = self._file = None

    def __enter__(self) -> Journal:
        try:
            self._lock = os.open(self.lock_path, os.O_CREAT | os.O_RDWR | BINARY, 0o666)
            self._take_lock()
            self._file = os.open(self.path, os.O_CREAT | os.O_RDWR | BINARY, 0o666)
            self._read()
        except BaseException as error:
            self.__exit__()
            if isinstance(error, OSError):
                raise unwritable(str(self.path), error) from None
            raise
        return self

    def __exit__(self, *_error) -> None:
        for descriptor in (self._file, self._lock):
            if descriptor is not None:
                os.close(descriptor)
        self._file = self._lock = None

    def _take_lock(self) -> None:
        locked = try_lock(self._lock)
        if locked is None:
            raise OutputError(
                f"Choose a folder on a local disk with --state: the file system of {str(self.path)!r} has no locks."
            )
        if not locked:
            raise OutputError(
                f"Wait for the other batch, or choose another folder with --state: one works with {str(self.path)!r}."
            )

    def _read(self) -> None:
        """Reads the records and cuts off a torn last line."""
        whole = 0
        with open(os.dup(self._file), "rb") as file:
            while line := file.readline(MAX_LINE):
                if not line.endswith(b"\n"):
                    if len(line) < MAX_LINE:
                        break
                    self.ignored += 1
                else:
                    self._take(line)
                whole = file.tell()
            size = os.fstat(file.fileno()).st_size
        if whole < size:
            os.ftruncate(self._file, whole)
        os.lseek(self._file, 0, os.SEEK_END)

    def _take(self, line: bytes) -> None:
        try:
            record = json.loads(line)
            event, place = record["event"], (record["key"], record["output"])
        except (ValueError, KeyError, TypeError, RecursionError):
            self.ignored += 1
            return
        if event in (DONE, FAILED) and all(isinstance(part, str) for part in place):
            self.ends[place] = record

    def write(self, event: str, key: str, output: str, **facts) -> None:
        """Adds a record; it is on the disk afterwards. Raises ResourceError for a full disk, OutputError otherwise."""
        record = {"event": event, "key": key, "output": output, "time": round(time.time(), 3), **facts}
        line = json.dumps(record).encode() + b"\n"
        before = os.lseek(self._file, 0, os.SEEK_CUR)
        try:
            written = os.write(self._file, line)
            while written < len(line):
                written += os.write(self._file, line[written:])
            os.fsync(self._file)
        except OSError as error:
            with suppress(OSError):  # the next batch cuts it off
                os.ftruncate(self._file, before)
            if is_disk_full(error):
                raise disk_full(str(self.path), error) from None
            raise unwritable(str(self.path), error) from None
        if event in (DONE, FAILED):
            self.ends[key, output] = record

    def is_done(self, key: str, output: str, path: str) -> bool:
        """Whether the journal has the job as done and `path` is what it wrote."""
        end = self.ends.get((key, output))
        if not end or end["event"] != DONE:
            return False
        try:
            return os.path.getsize(path) == end.get("bytes") and digest_of(path) == end.get("sha256")
        except OSError:
            return False


def disk_full(path: str, error: OSError) -> ResourceError:
    return ResourceError(
        f"Free disk space and give the same command again: {path!r} does not fit ({reason_of(error)}). What is "
        "finished stays."
    )


def digest_of(path: str | os.PathLike) -> str:
    """SHA-256 of a file, hexadecimal. Raises OSError."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            found.update(block)
    return found.hexdigest()


def flush_to_disk(path: str | os.PathLike) -> None:
    """The file and its name survive a power failure. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR | BINARY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if os.name == "nt":
        return  # folders cannot be opened there
    folder = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
