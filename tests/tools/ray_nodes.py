"""A Ray cluster of several nodes on one machine: `ray start` for each, on addresses of the loopback that are their own,
with a token. Nodes are ended as a power failure would, each with its processes alone; Linux only."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAD = "127.0.0.2"  # Ray takes 127.0.0.1 for the machine's own address
START_S = 90.0
STORE_BYTES = 80 << 20  # of objects that travel; Ray asks for 75 MB


def environment(token: str, patience_s: int) -> dict[str, str]:
    ours = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token, "RAY_USAGE_STATS_ENABLED": "0"}
    ours |= {"RAY_gcs_rpc_server_reconnect_timeout_s": str(patience_s), "PYTHONPATH": str(ROOT)}
    return os.environ | ours | {"OMP_WAIT_POLICY": "passive"}


class Nodes:
    """The first node is the head. `address` is what --ray takes, `environment` what a command needs. patience_s: after
    which a head that does not answer is given up; 60 is Ray's own."""

    def __init__(self, cpus: int = 1, patience_s: int = 60):
        self.cpus, self.port = cpus, free_port()
        self.folder = tempfile.mkdtemp(prefix="ray", dir="/tmp")  # the names of its sockets may have 107 bytes
        self.environment = environment(secrets.token_hex(32), patience_s)
        self.nodes: list[subprocess.Popen] = []

    @property
    def address(self) -> str:
        return f"{HEAD}:{self.port}"

    def start(self) -> int:
        """Adds a node, the head first, and returns its number once it runs."""
        number = len(self.nodes)
        place = ["--head", f"--port={self.port}", "--include-dashboard=false"] if not number else []
        place += [f"--address={self.address}"] if number else [f"--temp-dir={self.folder}"]
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *place]
        command += [f"--node-ip-address=127.0.0.{2 + number}", f"--num-cpus={self.cpus}", "--disable-usage-stats"]
        command += [f"--object-store-memory={STORE_BYTES}", "--include-log-monitor=false"]
        said = Path(self.folder, f"node{number}.txt")
        with open(said, "wb") as file:
            node = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=file, stderr=file, start_new_session=True
            )
        self.nodes.append(node)
        deadline = time.monotonic() + START_S
        while b"Ray runtime started" not in said.read_bytes():
            if node.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(said.read_text("utf-8", "replace"))
            time.sleep(0.1)
        return number

    def signal(self, number: int, signum: int = signal.SIGKILL) -> None:
        """To all processes of a node."""
        for process in self.processes(number):
            with suppress(ProcessLookupError):
                os.kill(process, signum)
        if signum == signal.SIGKILL:
            self.nodes[number].wait()

    def processes(self, number: int) -> list[int]:
        """Those of the node's session."""
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                if int(path.read_text("utf-8").rsplit(")", 1)[1].split()[3]) == self.nodes[number].pid:
                    found.append(int(path.parent.name))
        return found

    def workers(self, number: int) -> list[int]:
        """Actors of a batch."""
        found = []
        for process in self.processes(number):
            with suppress(OSError):
                if b"RayWorker" in Path(f"/proc/{process}/cmdline").read_bytes():
                    found.append(process)
        return found

    def end(self) -> None:
        for number in range(len(self.nodes)):
            self.signal(number)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def cluster(count: int, cpus: int = 1, patience_s: int = 60) -> Iterator[Nodes]:
    found = Nodes(cpus, patience_s)
    try:
        for _ in range(count):
            found.start()
        yield found
    finally:
        found.end()


def free_port() -> int:
    with socket.socket() as made:
        made.bind((HEAD, 0))
        return made.getsockname()[1]
