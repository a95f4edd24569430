"""The actor of Ray that does a batch's tasks on one graphics card, or on some processors of a node. It takes what a
task needs and gives back what it made, in pieces; the cluster's side is ray_cluster.py. Nothing here imports Ray."""

from __future__ import annotations

import os
import pickle
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .. import __version__
from ..errors import SonicError
from ..media.system_errors import is_disk_full
from ..media.temporary import TemporaryFolder, remove_all
from .journal import disk_full
from .parcel import CHUNK, MAX_LOG, Content, Store, refused
from .runner import DISK

if TYPE_CHECKING:
    from .pool import Work

# made(threads) -> work(task, report) -> dict
Make = Callable[[int], "Work"]
# placed(task, {path at home: path here}, output, log) -> the same task with the files of this machine
Placed = Callable[[object, dict[str, str], str, str], object]


@dataclass(frozen=True)
class Answer:
    """Of `work`. One call is all that a task takes whose inputs are there and whose video is small."""

    missing: list[Content]
    result: dict = field(default_factory=dict)
    log: str = ""  # its end
    first: bytes = b""  # piece of the video


class RayWorker:
    """Ray runs two calls at a time: `share` answers while `work` works."""

    def __init__(self):
        self.folder, self.work_on, self.placed, self.done = None, None, None, 0.0

    def begin(self, version: str, made: bytes, threads: int) -> dict:
        """Opens (make, placed); {"error"} says what the node lacks."""
        if version != __version__:
            return {"error": f"Install version {version} on {socket.gethostname()}: it has {__version__}."}
        try:
            make, self.placed = pickle.loads(made)
            self.work_on = make(threads)
        except SonicError as error:
            return {"error": f"{error} (On {socket.gethostname()}.)"}
        self.folder = TemporaryFolder(tempfile.gettempdir(), "files")  # of a killed worker, the next one sweeps it
        os.mkdir(self.folder.output)
        self.store = Store(self.folder.output)
        self.video, self.log = (os.path.join(self.folder.path, name) for name in ("video.mp4", "log.txt"))
        return {"host": socket.gethostname(), "process": os.getpid()}

    def take(self, content: Content, offset: int, data: bytes) -> dict:
        """{}, or a result that says why the task cannot be done."""
        try:
            self.store.take(content, offset, data)
        except SonicError as error:
            return refused(str(error))
        except OSError as error:
            if not is_disk_full(error):
                raise
            return refused(str(disk_full(self.store.folder, error)), DISK)
        return {}

    def work(self, task: bytes, contents: dict[str, Content]) -> Answer:
        """Does the task, or says which inputs are missing. contents: {path at home: what is there}."""
        self.done = 0.0
        if missing := self.store.missing(contents.values()):
            return Answer(missing)
        for path in (self.video, self.log):
            if os.path.exists(path):
                os.unlink(path)
        places = {path: self.store.path(content) for path, content in contents.items()}
        result = self.work_on(self.placed(pickle.loads(task), places, self.video, self.log), self.report)
        return Answer([], result, self.written(), self.part(0) if result.get("status") == "done" else b"")

    def report(self, share: float) -> None:
        self.done = share

    def share(self) -> float:
        """How much of the task is done, 0 to 1."""
        return self.done

    def written(self) -> str:
        if not os.path.exists(self.log):
            return ""
        with open(self.log, "rb") as file:
            file.seek(max(0, os.path.getsize(self.log) - MAX_LOG))
            return file.read().decode("utf-8", "replace")

    def end(self) -> None:
        """Deletes all files: portraits and voices are nothing to leave on a machine."""
        remove_all()

    def part(self, offset: int) -> bytes:
        """A piece of the video."""
        with open(self.video, "rb") as file:
            file.seek(offset)
            return file.read(CHUNK)
