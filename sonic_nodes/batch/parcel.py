"""A task of a batch as it travels to another machine: its input files go there and its video comes back in pieces of
bounded size, so no folder has to be shared. A worker knows a file by the SHA-256 of its content, and keeps the last
ones.

The machine of the command alone gives videos their names. A worker that was taken for dead, and went on, can therefore
replace nothing.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from ..errors import InputError, OutputError
from ..media.files import atomic_video
from ..media.system_errors import is_disk_full, reason_of
from .journal import digest_of, flush_to_disk
from .runner import INPUT

CHUNK = 4 << 20
MAX_LOG = 256 << 10  # of a job, from its end
STORE_BYTES = 4 << 30  # of input files that a worker keeps


class Upload(Protocol):
    """Of a video that goes to a store, from this machine: a worker has no credentials, and may be taken for dead."""

    def left(self) -> dict | None:
        """The facts of a video that an earlier run has made and not sent."""

    def send(self) -> dict:
        """What the journal keeps of it. Raises OutputError."""


@dataclass(frozen=True)
class Parcel:
    """task: pickled; a worker opens it. inputs: its files on this machine."""

    task: bytes
    inputs: tuple[str, ...]
    output: str | None = None  # of a video, on this machine
    log: str | None = None
    finish: Callable[[str], object] | None = None  # called with the complete video before it gets its name: signs it
    upload: Upload | None = None


@dataclass(frozen=True)
class Content:
    """What a file is known by."""

    sha256: str
    size: int
    name: str  # errors of the worker show it


class Contents:
    """Content of files on this machine, each read once while its size and time of change stay. InputError."""

    def __init__(self):
        self._known: dict[tuple, Content] = {}

    def of(self, path: str) -> Content:
        name = os.path.basename(path)
        try:
            status = os.stat(path)
            version = path, status.st_size, status.st_mtime_ns
            if version not in self._known:
                self._known[version] = Content(digest_of(path), status.st_size, name)
        except OSError as error:
            raise unreadable(name, error) from None
        return self._known[version]


def pieces(path: str, size: int) -> Iterator[tuple[int, bytes]]:
    """(offset, bytes) of a file, one at least. InputError: it cannot be read, or is not as long any more."""
    name = os.path.basename(path)
    try:
        with open(path, "rb") as file:
            for offset in range(0, max(1, size), CHUNK):
                data = file.read(min(CHUNK, size - offset))
                if len(data) != min(CHUNK, size - offset):
                    raise changed(name)
                yield offset, data
    except OSError as error:
        raise unreadable(name, error) from None


class Lost(Exception):
    """What came over the network is not what was sent."""


def unreadable(name: str, error: OSError) -> InputError:
    return InputError(f"Check the disk: {name!r} cannot be read ({reason_of(error)}).")


def changed(name: str) -> InputError:
    return InputError(f"Leave the inputs as they are while the batch works: {name!r} has changed.")


class Store:
    """Input files on a worker, in a folder of its own: `take` them in pieces, `path` of one that is whole. The least
    recently used go first when they exceed `most` bytes, except those that a task asks for together."""

    def __init__(self, folder: str, most: int = STORE_BYTES):
        self.folder, self.most = folder, most
        self._sizes: dict[Content, int] = {}  # of whole files, the last used last

    def missing(self, contents: Iterable[Content]) -> list[Content]:
        """Those that have to be sent. Makes room for them."""
        wanted = dict.fromkeys(contents)
        for content in wanted:
            if content in self._sizes:
                self._sizes[content] = self._sizes.pop(content)
        absent = [content for content in wanted if content not in self._sizes]
        room = self.most - sum(content.size for content in absent) - sum(self._sizes.values())
        for old in [content for content in self._sizes if content not in wanted]:
            if room >= 0:
                break
            room += self._sizes.pop(old)
            shutil.rmtree(self._folder_of(old), ignore_errors=True)
        return absent

    def take(self, content: Content, offset: int, data: bytes) -> None:
        """A piece, in order. InputError when the whole is not what was announced; OSError."""
        os.makedirs(self._folder_of(content), exist_ok=True)
        with open(self.path(content), "ab") as file:
            file.truncate(offset)
            file.write(data)
        if offset + len(data) >= content.size:
            if digest_of(self.path(content)) != content.sha256:
                raise changed(content.name)
            self._sizes[content] = content.size

    def path(self, content: Content) -> str:
        """Under the name that the file has at home."""
        return os.path.join(self._folder_of(content), content.name)

    def _folder_of(self, content: Content) -> str:
        return os.path.join(self.folder, hashlib.sha256(f"{content.sha256}{content.name}".encode()).hexdigest()[:32])


def fetched(parcel: Parcel, facts: dict):
    """A generator that writes the parcel's video: yields the offset of each piece, is sent its bytes, and returns the
    facts of the file as it is now. Nothing takes the video's name unless it is the one that the worker made.

    Raises OutputError, and Lost when what came is something else.
    """
    found = hashlib.sha256()
    with atomic_video(parcel.output) as temporary:
        with open(temporary, "wb") as file:
            for offset in range(0, facts["bytes"], CHUNK):
                data = yield offset
                if len(data) != min(CHUNK, facts["bytes"] - offset):
                    raise Lost("a piece of the video was lost")
                found.update(data)
                file.write(data)
        if found.hexdigest() != facts["sha256"]:
            raise Lost("the video was changed on its way")
        if parcel.finish:
            parcel.finish(temporary)
            facts = facts | of_file(temporary)
        flush_to_disk(temporary)
    flush_to_disk(parcel.output)
    return facts


def of_file(path: str) -> dict:
    """The facts by which the journal knows a file."""
    return {"bytes": os.path.getsize(path), "sha256": digest_of(path)}


def refused(error: str, kind: str = INPUT) -> dict:
    """A result: of a video, or of a check, which reads "error" alone."""
    return {"status": "failed", "kind": kind, "error": error}


def is_full(error: BaseException | None) -> bool:
    """Whether a full disk is behind an error."""
    while error is not None:
        if is_disk_full(error) or (isinstance(error, OutputError) and str(error).startswith("Free disk space")):
            return True
        error = error.__cause__ or error.__context__
    return False
