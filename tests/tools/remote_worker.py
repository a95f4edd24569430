"""A worker for tests of sonic_nodes/batch/ray_cluster.py: it copies its input into its video."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass, replace
from pathlib import Path

from sonic_nodes.batch.parcel import Parcel
from sonic_nodes.errors import InstallError


@dataclass(frozen=True)
class Task:
    what: str  # "video", "check" or the kind of a failure
    source: str
    output: str
    log: str


def parcel_of(task: Task) -> Parcel:
    return Parcel(pickle.dumps(task), (task.source,), task.output if task.what != "check" else None, task.log)


def placed(task: Task, places: dict, output: str, log: str) -> Task:
    return replace(task, source=places[task.source], output=output, log=log)


def make(threads: int):
    def work(task: Task, report) -> dict:
        report(0.5)
        data = Path(task.source).read_bytes()
        Path(task.log).write_text(f"{Path(task.source).name} with {threads} threads\n")
        if task.what == "check":
            return {"size": len(data)}
        if task.what != "video":
            return {"status": "failed", "kind": task.what, "error": f"{task.what} it is"}
        video = b"video of " + data
        Path(task.output).write_bytes(video)
        facts = {"bytes": len(video), "sha256": hashlib.sha256(video).hexdigest()}
        return {"status": "done", **facts, **dict.fromkeys(("seconds", "duration_s", "frames", "notes"), 1)}

    return work


def make_nothing(threads: int):
    raise InstallError("Copy the weights.")
