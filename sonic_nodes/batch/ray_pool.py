"""The workers of a Ray cluster as the runner's pool.

Ray runs in a process of its own, because its library ends the process that it is in when the cluster's head is gone
for a minute: here that is a sentence, with the journal whole. The process ends with this one, and Ray ends the workers
then.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import pickle
import re
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import connection

from ..errors import InstallError, ResourceError, SonicError, UsageError
from ..interrupts import STOP_SIGNALS, deferred, end_with_parent, signals_blocked
from ..media.temporary import remove_all
from .parcel import Parcel
from .pool import Event, print_to
from .ray_cluster import END_S, Cluster, Needs
from .ray_worker import Make, Placed

REQUIREMENT = "ray>=2.52"
AUTO = "auto"  # the cluster that this machine belongs to
ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}")
SILENT_S = 180.0  # Ray itself gives up after 60 s
NO_WORKER_S = 600.0  # a machine that is switched on again is back by then
ALIVE_S = 2.0
QUICK_S, SLOW_S, EAGER_S = 0.01, 0.2, 1.0  # of a turn; for how long turns are quick after something happened
LOG = "ray.log"
HEAD_GONE = (
    "Start Ray again (`ray start --head`, then the nodes) and give the same command again: the connection to its head "
    "was lost. What is finished stays."
)


def address_of(text: str) -> str:
    """The address of a cluster, as --ray has it. UsageError."""
    if text != AUTO and not ADDRESS.fullmatch(text):
        raise UsageError(
            f"Write --ray=HOST:PORT, or --ray alone at the end of the command: {text!r} is no address of a Ray head."
        )
    return text


def check_installed(find: Callable = importlib.util.find_spec) -> None:
    """InstallError where Ray is absent. It is not imported here."""
    if find("ray") is None:
        raise InstallError(f"Run `python -m pip install '{REQUIREMENT}'` for --ray: Ray is not installed.")


class RayPool:
    """A runner.Pool. make, placed: as in ray_worker.py, functions that can be pickled. parcel_of: makes what travels of
    a task. tell: called with sentences for the user."""

    def __init__(
        self,
        address: str,
        needs: Needs,
        make: Make,
        placed: Placed,
        parcel_of: Callable[[object], Parcel],
        folder: str,
        tell: Callable[[str], object],
        no_worker_s: float = NO_WORKER_S,
    ):
        check_installed()
        self.parcel_of, self.tell, self.no_worker_s = parcel_of, tell, no_worker_s
        self.address, self.is_connected = address, False
        self.log = os.path.join(folder, LOG)
        self.ready: set[int] = set()
        self.working: set[int] = set()
        self.heard = self.had_workers = time.monotonic()
        context = multiprocessing.get_context("spawn")
        with deferred(), signals_blocked():
            self.pipe, other = context.Pipe()
            arguments = other, address, needs, pickle.dumps((make, placed)), self.log
            self.process = context.Process(target=serve, args=arguments, daemon=True)
            self.process.start()
            other.close()

    def __len__(self) -> int:
        return len(self.ready)

    @property
    def idle(self) -> list[int]:
        return sorted(self.ready - self.working)

    @property
    def busy(self) -> list[int]:
        return sorted(self.working)

    def submit(self, number: int, task: object) -> None:
        self.working.add(number)
        self.send("submit", number, self.parcel_of(task))

    def restart(self, number: int) -> None:
        self.forget(number)
        self.send("restart", number)

    def send(self, *message) -> None:
        with suppress(OSError):  # the process has ended: `wait` says so
            self.pipe.send(message)

    def forget(self, number: int) -> None:
        self.ready.discard(number)
        self.working.discard(number)

    def wait(self, timeout_s: float) -> list[Event]:
        """What happened, at the latest after `timeout_s`. ResourceError: the cluster is gone, or has no workers."""
        found: list[Event] = []
        with deferred():
            is_there = connection.wait([self.pipe], timeout_s)
            while is_there:
                found += self.received()
                is_there = self.pipe.poll()
        now = time.monotonic()
        if self.ready or found:
            self.had_workers = now
        if now - self.heard > SILENT_S:
            raise self.head_gone()
        if now - self.had_workers > self.no_worker_s:
            raise ResourceError(
                "Start Ray on a node (`ray start --address=HEAD:PORT`) and give the same command again: for "
                f"{self.no_worker_s / 60:.0f} minutes the cluster had no worker for this batch. What is finished stays."
            )
        return found

    def received(self) -> list[Event]:
        try:
            message = self.pipe.recv()
        except Exception:  # noqa: BLE001 (the end, or half a message)
            raise self.head_gone() from None
        self.heard, self.is_connected = time.monotonic(), True
        return self.events(*message)

    def head_gone(self) -> ResourceError:
        if self.is_connected:
            return ResourceError(HEAD_GONE)
        return not_connected(ConnectionError("it does not answer"), self.address)

    def events(self, kind: str, *rest) -> list[Event]:
        """Of one message."""
        if kind == "failed":
            raise rest[0]
        if kind == "note":
            self.tell(rest[0])
        elif kind == "nodes":
            self.tell(f"The cluster has nodes: {rest[0]}, workers: {rest[1]}.")
        elif kind != "alive":
            number, value = rest
            self.take(kind, number)
            return [Event(kind, number, value)]
        return []

    def take(self, kind: str, number: int) -> None:
        if kind == "ready":
            self.ready.add(number)
        elif kind == "result":
            self.working.discard(number)
        elif kind == "died":
            self.forget(number)

    def kill(self) -> None:
        """Ray ends the workers when their owner is gone."""
        with deferred():
            self.send("end", None)
            self.process.join(END_S)
            self.process.kill()
            self.process.join()
            self.pipe.close()


def serve(pipe, address: str, needs: Needs, made: bytes, log: str) -> None:
    """The life of the process that Ray is in."""
    end_with_parent(remove_all)
    print_to(log)
    try:
        ray = connected(address)
        pipe.send(("alive",))
        gpu = needs.gpu and any(node["Resources"].get("GPU", 0) >= 1 for node in ray.nodes() if node["Alive"])
        needs = Needs(needs.cpus, gpu, needs.most)
        converse(pipe, Cluster(ray, needs, made, lambda *message: pipe.send(message)))
    except (EOFError, BrokenPipeError):
        pass  # the command has ended
    except Exception as error:  # noqa: BLE001 (Ray raises what it likes when its head is gone)
        traceback.print_exc()
        if not isinstance(error, SonicError):
            error = ResourceError(
                f"Look into {log!r}, start Ray again, and give the same command again: Ray failed with "
                f"{type(error).__name__}. What is finished stays."
            )
        with suppress(OSError):
            pipe.send(("failed", error))
    finally:
        remove_all()


def connected(address: str):
    """The module, connected to a cluster. Raises InstallError or ResourceError."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.util.scheduling_strategies

        ray.init(address=address, log_to_driver=False, logging_level="WARNING")
    except Exception as error:  # noqa: BLE001 (Ray raises what it likes)
        traceback.print_exc()
        raise not_connected(error, address) from None
    import signal

    for number in STOP_SIGNALS:  # Ray has put its own handlers there
        signal.signal(number, signal.SIG_IGN)
    return ray


def not_connected(error: Exception, address: str) -> InstallError | ResourceError:
    text = (str(error).strip().splitlines() or [""])[0].rstrip(".")
    whole = "".join(traceback.format_exception(error))  # Ray wraps what it was told
    if isinstance(error, ImportError):
        return InstallError(f"Run `python -m pip install '{REQUIREMENT}'` again: Ray does not load ({text}).")
    if "ersion mismatch" in whole:
        return InstallError(f"Install the same versions of Ray and of Python on all machines: {text}.")
    if "AuthenticationError" in whole or "uthentication token" in whole:
        return ResourceError(
            "Set RAY_AUTH_MODE=token, and give the cluster's token in RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token: the "
            f"cluster at {address} refuses this machine ({text})."
        )
    return ResourceError(
        "Start Ray on this machine (`ray start --head`, or `ray start --address=HEAD:PORT`), or name its head as "
        f"--ray=HOST:PORT: no cluster was found at {address} ({text})."
    )


def converse(pipe, cluster: Cluster) -> None:
    """Until the command ends."""
    eager_until = said = 0.0
    while True:
        while pipe.poll():
            kind, number, *rest = pipe.recv()
            if kind == "end":
                cluster.end()
                return
            (cluster.submit if kind == "submit" else cluster.restart)(number, *rest)
            eager_until = time.monotonic() + EAGER_S
        before = cluster.emitted
        cluster.step(QUICK_S if time.monotonic() < eager_until else SLOW_S)
        now = time.monotonic()
        if cluster.emitted != before:
            eager_until = now + EAGER_S
        if now - said >= ALIVE_S:
            said = now
            pipe.send(("alive",))
