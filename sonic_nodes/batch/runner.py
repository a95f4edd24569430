"""Drives a batch: hands jobs of the schedule to the workers of a pool, writes the journal, and tries again what may
succeed. The same for processes of one machine and for a cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..errors import ResourceError
from .journal import DONE, FAILED, START, Journal
from .pool import Event
from .schedule import Item, Schedule

POLL_S = 0.25
# Why a job failed. Only the first two are worth another try.
WORKER, MEMORY, DISK, INPUT, OUTPUT, PROGRAM = "worker", "memory", "disk", "input", "output", "program"


class Pool(Protocol):
    """ProcessPool, or another with its methods."""

    idle: list[int]
    busy: list[int]

    def __len__(self) -> int: ...
    def submit(self, number: int, task: object) -> None: ...
    def wait(self, timeout_s: float) -> list[Event]: ...
    def restart(self, number: int) -> None: ...
    def kill(self) -> None: ...


@dataclass
class Job:
    """One video. What it is made of stands in `task`, which the worker understands."""

    number: int  # of the row in the list
    key: str
    output: str  # relative to the batch's folder
    path: str  # where that is
    group: str
    cost: float  # expected seconds, or any unit that all jobs share
    task: object
    state: str = "waiting"  # then running, done or failed; or skipped, when an earlier batch has done it
    tries: int = 0
    share: float = 0.0
    result: dict = field(default_factory=dict)


class Listener:
    """Told of what happens; does nothing by itself."""

    def changed(self, job: Job, worker: int | None) -> None:
        """A job has another state."""

    def moved(self, job: Job) -> None:
        """A running job has got further: `share`."""

    def tick(self) -> None:
        """Called a few times a second."""


def run_jobs(jobs: Sequence[Job], pool: Pool, journal: Journal, retries: int, listener: Listener) -> None:
    """Until each job is done or has failed. Raises ResourceError when the disk is full: all others would fail, too."""
    Run(jobs, pool, journal, retries, listener).loop()


class Run:
    def __init__(self, jobs: Sequence[Job], pool: Pool, journal: Journal, retries: int, listener: Listener):
        self.jobs, self.pool, self.journal, self.retries, self.listener = jobs, pool, journal, retries, listener
        self.schedule = Schedule(Item(number, job.group, job.cost) for number, job in enumerate(jobs))
        self.running: dict[int, int] = {}  # {worker: index of its job}

    def loop(self) -> None:
        while len(self.schedule) or self.running:
            self.hand_out()
            for event in self.pool.wait(POLL_S):
                self.take(event)
            self.listener.tick()

    def hand_out(self) -> None:
        for worker in self.pool.idle:
            index = self.schedule.next(worker, max(1, len(self.pool)), len(self.running))
            if index is None:
                continue
            job = self.jobs[index]
            job.state, job.share, job.tries = "running", 0.0, job.tries + 1
            self.journal.write(START, job.key, job.output, row=job.number, worker=worker, attempt=job.tries)
            self.running[worker] = index
            self.pool.submit(worker, job.task)
            self.listener.changed(job, worker)

    def take(self, event: Event) -> None:
        index = self.running.get(event.worker)
        if event.kind == "progress" and index is not None:
            self.jobs[index].share = float(event.value)
            self.listener.moved(self.jobs[index])
        elif event.kind == "died":
            self.schedule.leave(event.worker)
            if index is not None:
                del self.running[event.worker]
                self.again_or_failed(index, WORKER, f"Look into the job's log, or choose fewer workers: {event.value}.")
        elif event.kind == "result" and index is not None:
            del self.running[event.worker]
            self.take_result(index, event.worker, event.value)

    def take_result(self, index: int, worker: int, result: dict) -> None:
        job = self.jobs[index]
        if result["status"] == "done":
            self.schedule.ended(index)
            facts = {name: result[name] for name in ("bytes", "sha256", "seconds", "duration_s", "frames", "notes")}
            facts |= {"upload": result["upload"]} if "upload" in result else {}
            self.journal.write(DONE, job.key, job.output, row=job.number, worker=worker, **facts)
            self.end(job, "done", result, worker)
            return
        if result["kind"] == DISK:
            self.journal.write(FAILED, job.key, job.output, row=job.number, kind=DISK, error=result["error"])
            raise ResourceError(f"{result['error']} The same command goes on from here; what is finished stays.")
        if result["kind"] == MEMORY:
            self.schedule.leave(worker)
            self.pool.restart(worker)
        if result["kind"] == MEMORY:
            self.again_or_failed(index, MEMORY, result["error"], alone=True)
        else:
            self.failed(index, result["kind"], result["error"])

    def again_or_failed(self, index: int, kind: str, error: str, alone: bool = False) -> None:
        job = self.jobs[index]
        if job.tries > self.retries:
            self.failed(index, kind, error)
            return
        job.state, job.share = "waiting", 0.0
        self.schedule.back(index, alone)
        self.listener.changed(job, None)

    def failed(self, index: int, kind: str, error: str) -> None:
        job = self.jobs[index]
        self.schedule.ended(index)
        self.journal.write(FAILED, job.key, job.output, row=job.number, kind=kind, error=error, attempts=job.tries)
        self.end(job, "failed", {"kind": kind, "error": error}, None)

    def end(self, job: Job, state: str, result: dict, worker: int | None) -> None:
        job.state, job.share, job.result = state, 1.0, result
        self.listener.changed(job, worker)


def answers(tasks: Sequence[object], pool: Pool, on_answer: Callable[[int, dict], object]) -> None:
    """on_answer(index, the worker's dict) for each task; {"error": text} for one that ended its worker twice."""
    waiting, tries, running = list(range(len(tasks) - 1, -1, -1)), [0] * len(tasks), {}
    while waiting or running:
        for worker in pool.idle:
            if waiting:
                running[worker] = waiting.pop()
                pool.submit(worker, tasks[running[worker]])
        for event in pool.wait(POLL_S):
            index = running.pop(event.worker, None) if event.kind in ("died", "result") else None
            if index is None:
                continue
            tries[index] += 1
            if event.kind == "result":
                on_answer(index, event.value)
            elif tries[index] < 2:
                waiting.append(index)
            else:
                on_answer(index, {"error": f"Save the file again in another program: reading it {event.value}."})
