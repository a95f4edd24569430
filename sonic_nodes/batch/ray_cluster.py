"""Workers on the nodes of a Ray cluster, one on each graphics card or on some processors: nodes come and go, workers
die and are replaced, and each task is a conversation of short calls. Ray itself is passed in.

Ray restarts nothing here (max_restarts, max_task_retries are 0), since the runner decides what is tried again.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from .. import __version__
from ..errors import OutputError, SonicError
from ..media.files import unwritable
from .parcel import Contents, Lost, Parcel, fetched, is_full, of_file, pieces, refused
from .ray_worker import Answer, RayWorker
from .runner import DISK, INPUT, MEMORY, OUTPUT

NODES_S = 2.0  # between two looks at the nodes
SHARE_S = 1.0  # between two questions how far a task is
UPLOADS = 4  # at a time
END_S = 5.0  # for workers to clear up
MAX_FAILED_STARTS = 3  # in a row, on one node
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0  # before a worker is started again on a node where one failed
MAX_REASON = 300  # characters
FACT = re.compile(r"(class_name|actor_id|pid|name|namespace|ip): ")  # lines of ActorDiedError
# What Ray says of a worker that was ended because its node ran out of memory
OUT_OF_MEMORY = ("OutOfMemoryError", "NODE_OUT_OF_MEMORY", "running low on memory")


@dataclass(frozen=True)
class Needs:
    """Of one worker. cpus: processors, where it has no card. gpu: it has a graphics card. most: workers in all."""

    cpus: int
    gpu: bool
    most: int | None = None


@dataclass
class Node:
    id: str
    address: str
    slots: int
    threads: int  # of a worker
    failed_starts: int = 0
    start_after: float = 0.0
    is_left_out: bool = False


@dataclass(eq=False)
class Worker:
    number: int
    node: Node
    actor: object
    talk: Generator | None = None
    waits_for: object = None  # what `talk` goes on with: a reference of Ray, or a Future of this process
    asked: object = None  # and of the question how far the task is
    asked_at: float = 0.0
    is_ready: bool = False
    is_busy: bool = False


class Cluster:
    """ray: the module. emit: called with ("ready" or "died" or "result" or "progress", number, value), as Event has
    them, and with ("note", sentence), ("nodes", nodes, workers).

    made: pickled (make, placed) of ray_worker.py
    """

    def __init__(
        self, ray, needs: Needs, made: bytes, emit: Callable[..., object], clock=time.monotonic, sleep=time.sleep
    ):
        self.ray, self.needs, self.made, self.send, self.clock, self.sleep = ray, needs, made, emit, clock, sleep
        self.emitted = 0
        self.kind = ray.remote(RayWorker)
        self.nodes: dict[str, Node] = {}
        self.workers: dict[int, Worker] = {}
        self.contents = Contents()
        self.threads = ThreadPoolExecutor(UPLOADS)
        self.looked_at, self.count = float("-inf"), 0
        self.told: tuple[int, int] | None = None

    def emit(self, *message) -> None:
        self.emitted += 1
        self.send(*message)

    def submit(self, number: int, parcel: Parcel) -> None:
        worker = self.workers.get(number)
        if worker is None:
            self.emit("died", number, "left the cluster")
            return
        worker.is_busy, worker.asked_at = True, self.clock()
        self.go_on(worker, self.job(worker, parcel))

    def restart(self, number: int) -> None:
        """Ends an idle worker, whose memory the system gets back; another takes its place."""
        if number in self.workers:
            self.drop(self.workers[number])

    def end(self) -> None:
        """Has the workers delete their files, as far as they answer soon."""
        calls = [worker.actor.end.remote() for worker in self.workers.values() if worker.is_ready]
        if calls:
            self.ray.wait(calls, num_returns=len(calls), timeout=END_S)

    def step(self, timeout_s: float) -> None:
        """One turn: nodes that came and went, answers that arrived, at the latest after `timeout_s`."""
        if self.clock() - self.looked_at >= NODES_S:
            self.look()
            self.looked_at = self.clock()
        for worker in [worker for worker in self.workers.values() if isinstance(worker.waits_for, Future)]:
            if worker.waits_for.done():
                self.uploaded(worker, worker.waits_for)
        waiting = {
            worker.waits_for: worker
            for worker in self.workers.values()
            if worker.waits_for is not None and not isinstance(worker.waits_for, Future)
        }
        asked = {worker.asked: worker for worker in self.workers.values() if worker.asked is not None}
        refs = [*waiting, *asked]
        if not refs:
            self.sleep(timeout_s)
            return
        ready, _ = self.ray.wait(refs, num_returns=len(refs), timeout=0)
        if not ready:
            ready, _ = self.ray.wait(refs, num_returns=1, timeout=timeout_s)
        for ref in ready:
            worker = waiting.get(ref) or asked[ref]
            if self.workers.get(worker.number) is not worker:
                continue  # it has died in this turn
            if ref == worker.waits_for:
                self.answered(worker, ref)
            else:
                self.share(worker, ref)
        self.ask()

    def look(self) -> None:
        """Takes nodes as they are now, and starts the workers that are missing."""
        found = {node["NodeID"]: node for node in self.ray.nodes() if node["Alive"]}
        for id in [id for id in self.nodes if id not in found]:
            for worker in [worker for worker in self.workers.values() if worker.node.id == id]:
                self.died(worker, f"left the cluster with {worker.node.address}")
            del self.nodes[id]
        for id, facts in found.items():
            if id not in self.nodes:
                self.nodes[id] = self.node_of(id, facts)
        self.start_missing()
        ready = [worker for worker in self.workers.values() if worker.is_ready]
        told = len({worker.node.id for worker in ready}), len(ready)
        if told != self.told and (self.told or told[0]):
            self.told = told
            self.emit("nodes", *told)

    def node_of(self, id: str, facts: dict) -> Node:
        cpus = int(facts["Resources"].get("CPU", 0))
        if self.needs.gpu:
            slots = int(facts["Resources"].get("GPU", 0))
            threads = max(1, cpus // max(1, slots))
        else:
            threads = max(1, min(self.needs.cpus, cpus))
            slots = cpus // threads
        return Node(id, str(facts["NodeManagerAddress"]), slots, threads)

    def start_missing(self) -> None:
        """One at a time on the node that has the fewest, until all have what they can hold or there are `most`."""
        counts = Counter(worker.node.id for worker in self.workers.values())
        while self.needs.most is None or len(self.workers) < self.needs.most:
            now = self.clock()
            open_nodes = [
                node
                for node in self.nodes.values()
                if not node.is_left_out and counts[node.id] < node.slots and node.start_after <= now
            ]
            if not open_nodes:
                return
            node = min(open_nodes, key=lambda node: counts[node.id])
            counts[node.id] += 1
            self.start(node)

    def start(self, node: Node) -> None:
        affinity = self.ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node_id=node.id, soft=False)
        resources = {"num_gpus": 1, "num_cpus": 0} if self.needs.gpu else {"num_cpus": node.threads}
        options = {"max_concurrency": 2, "max_restarts": 0, "max_task_retries": 0, **resources}
        actor = self.kind.options(scheduling_strategy=affinity, **options).remote()
        worker = Worker(self.count, node, actor)
        self.count += 1
        self.workers[worker.number] = worker
        self.go_on(worker, self.begin(worker))

    def begin(self, worker: Worker):
        """The first conversation."""
        answer = yield worker.actor.begin.remote(__version__, self.made, worker.node.threads)
        if "error" in answer:
            self.leave_out(worker.node, answer["error"])
            self.drop(worker)
            return
        worker.is_ready, worker.node.failed_starts = True, 0
        self.emit("ready", worker.number, None)
        self.looked_at = float("-inf")

    def job(self, worker: Worker, parcel: Parcel):
        """The conversation of a task: what it reads goes there, it works, its video comes back."""
        try:
            result = yield from self.outcome(worker, parcel)
            if parcel.upload and result.get("status") == "done":
                result |= {"upload": (yield self.threads.submit(parcel.upload.send))}
        except SonicError as error:
            kind = OUTPUT if isinstance(error, OutputError) else INPUT
            result = refused(str(error), DISK if is_full(error) else kind)
        worker.is_busy, worker.asked = False, None
        self.emit("result", worker.number, result)

    def outcome(self, worker: Worker, parcel: Parcel):
        """The result, with the video in its place."""
        left = (yield self.threads.submit(parcel.upload.left)) if parcel.upload else None
        if left:
            return {"status": "done", **of_file(parcel.output), **left}
        contents = {path: self.contents.of(path) for path in parcel.inputs}
        answer = yield worker.actor.work.remote(parcel.task, contents)
        if answer.missing:
            problem = yield from self.sent(worker, contents, answer.missing)
            if problem:
                return self.refused(worker, problem)
            answer = yield worker.actor.work.remote(parcel.task, contents)
            if answer.missing:
                raise Lost("its inputs are gone")
        append(parcel.log, answer.log)
        if answer.result.get("status") != "done":
            return self.refused(worker, answer.result)
        return (yield from self.taken(worker, parcel, answer))

    def sent(self, worker: Worker, contents: dict, missing: list):
        """Sends inputs. Returns {}, or why the task cannot be done."""
        paths = {content: path for path, content in contents.items()}
        for content in missing:
            for offset, data in pieces(paths[content], content.size):
                problem = yield worker.actor.take.remote(content, offset, data)
                if problem:
                    return problem
        return {}

    def refused(self, worker: Worker, result: dict) -> dict:
        """A result without a video. A full disk over there is not one here: the job goes elsewhere."""
        if result.get("kind") == DISK:
            self.give_up(worker.node, result["error"])
            raise Lost(result["error"])
        return result

    def taken(self, worker: Worker, parcel: Parcel, answer: Answer):
        """The result with the video in its place."""
        writing = fetched(parcel, answer.result)
        try:
            offset, data = next(writing), answer.first
            while True:
                offset = writing.send(data)
                data = yield worker.actor.part.remote(offset)
        except StopIteration as end:
            return end.value
        finally:
            writing.close()

    def go_on(self, worker: Worker, talk: Generator) -> None:
        worker.talk = talk
        self.turn(worker, lambda: next(talk))

    def answered(self, worker: Worker, ref) -> None:
        talk = worker.talk
        try:
            value = self.ray.get(ref)
        except self.ray.exceptions.RayError as error:
            self.failed(worker, error)
            return
        self.turn(worker, lambda: talk.send(value))

    def uploaded(self, worker: Worker, future: Future) -> None:
        talk, error = worker.talk, future.exception()
        self.turn(worker, lambda: talk.throw(error) if error else talk.send(future.result()))

    def turn(self, worker: Worker, advance: Callable[[], object]) -> None:
        """One step of a conversation; whatever it cannot deal with ends the worker."""
        worker.waits_for = None
        try:
            worker.waits_for = advance()
        except StopIteration:
            worker.talk = None
        except Lost as error:
            self.died(worker, f"was given up on {worker.node.address}: {error}")
        except self.ray.exceptions.RayError as error:
            self.failed(worker, error)

    def failed(self, worker: Worker, error: Exception) -> None:
        text = reason(error)
        if not worker.is_ready:
            self.start_failed(worker.node, text)
        if worker.is_busy and any(words in f"{type(error).__name__}: {error}" for words in OUT_OF_MEMORY):
            worker.is_busy = False
            result = refused(f"Choose fewer workers, or nodes with more memory: {worker.node.address} had none left.")
            self.emit("result", worker.number, result | {"kind": MEMORY})
            self.drop(worker)
            return
        self.died(worker, f"ended on {worker.node.address} ({text})")

    def start_failed(self, node: Node, text: str) -> None:
        node.failed_starts += 1
        node.start_after = self.clock() + min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (node.failed_starts - 1))
        if node.failed_starts >= MAX_FAILED_STARTS:
            self.leave_out(node, text)

    def leave_out(self, node: Node, text: str) -> None:
        if not node.is_left_out:
            node.is_left_out = True
            self.emit("note", f"Repair {node.address}, and start Ray there again: it is left out. {text}")

    def give_up(self, node: Node, text: str) -> None:
        """Nothing more is done on the node. A worker that is in the middle of this call is left to its caller."""
        self.leave_out(node, text)
        for worker in [worker for worker in self.workers.values() if worker.node is node]:
            if worker.talk is None or not worker.talk.gi_running:
                self.died(worker, f"was given up on {node.address}: {text}")

    def died(self, worker: Worker, how: str) -> None:
        was_busy = worker.is_busy
        self.drop(worker)
        self.emit("died", worker.number, how if was_busy else None)

    def drop(self, worker: Worker) -> None:
        """Ends a worker, or what is left of it where it cannot be reached."""
        self.workers.pop(worker.number, None)
        self.looked_at = float("-inf")  # there is room for another
        if worker.talk is not None and not worker.talk.gi_running:
            worker.talk.close()
        worker.talk = worker.waits_for = worker.asked = None
        try:
            self.ray.kill(worker.actor, no_restart=True)
        except self.ray.exceptions.RayError:
            pass  # it has ended

    def ask(self) -> None:
        """How far the tasks are."""
        now = self.clock()
        for worker in self.workers.values():
            if worker.is_busy and worker.asked is None and now - worker.asked_at >= SHARE_S:
                worker.asked, worker.asked_at = worker.actor.share.remote(), now

    def share(self, worker: Worker, ref) -> None:
        worker.asked = None
        try:
            value = float(self.ray.get(ref))
        except self.ray.exceptions.RayError:
            return  # the call that works says the same
        if worker.is_busy:
            self.emit("progress", worker.number, value)


def append(path: str | None, text: str) -> None:
    if path and text:
        try:
            with open(path, "a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
        except OSError as error:
            raise unwritable(path, error) from None


def reason(error: BaseException) -> str:
    """What an error of Ray says in one line: the last one of a traceback, else the first one that is no list of facts
    about the actor."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not FACT.match(line.strip())]
    if not lines:
        return type(error).__name__
    is_traceback = any(line.startswith("File ") for line in lines)
    line = lines[-1] if is_traceback or len(lines) < 2 else lines[1]
    return f"{type(error).__name__}: {line}"[:MAX_REASON].rstrip(".")
