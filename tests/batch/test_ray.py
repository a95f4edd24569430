"""`sonic batch --ray` with Ray itself: nodes on the loopback that are killed, join, and lose their head."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.commands.test_batch import FAST, inputs, is_whole, journal, left_overs, videos, wait_for
from tests.tools.ray_nodes import ROOT, Nodes, cluster

__all__ = ["inputs"]

pytestmark = [
    pytest.mark.posix("signals of POSIX, and Linux's list of processes"),
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None,
        reason="Ray is not installed, 240 MB that nothing else needs: python -m pip install ray==2.60.0",
    ),
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are listed in /proc"),
]


@pytest.fixture(scope="module")
def nodes():
    with cluster(2) as found:
        yield found


def start(folder, nodes: Nodes, *options, **environment):
    command = [sys.executable, "-m", "sonic_nodes", "batch", str(folder / "list.csv"), "--out", str(folder / "out")]
    command += [f"--ray={nodes.address}", "--json", *FAST, *options]
    env = nodes.environment | environment
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process) -> tuple[int, dict | None, str]:
    """(exit code, report, what was said) of a command that must end by itself."""
    try:
        out, said = process.communicate(timeout=200)
    finally:
        process.kill()
    return process.returncode, json.loads(out) if out else None, said


def assert_all_made(folder):
    assert videos(folder / "out") == sorted(f"face{f}/voice{v}.mp4" for f in range(2) for v in range(4))
    assert all(is_whole(folder / "out" / name, 0.4) for name in videos(folder / "out"))
    made = [record["output"] for record in journal(folder) if record["event"] == "done"]
    assert sorted(made) == videos(folder / "out") and not left_overs(folder)  # none twice


def test_a_killed_node_and_a_killed_worker_cost_their_jobs_time(inputs, nodes):
    joined = nodes.start()
    process = start(inputs, nodes)
    wait_for(inputs, "done", 1, process)
    nodes.signal(joined)
    wait_for(inputs, "done", 3, process)
    if found := nodes.workers(1):
        os.kill(found[0], signal.SIGKILL)
    code, report, said = finished(process)
    assert (code, report["done"], report["failed"]) == (0, 8, 0), said
    assert_all_made(inputs)
    code, report, said = finished(start(inputs, nodes))
    assert (code, report["skipped"]) == (0, 8), said
    log = (inputs / "out/sonic-batch/logs/000002.log").read_text("utf-8")
    assert "face0.png" in log and "done in" in log
    deadline = time.monotonic() + 30
    while any(nodes.workers(number) for number in (0, 1)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not nodes.workers(0) and not nodes.workers(1)  # they end with the command


def test_another_token_is_refused_in_a_sentence(inputs, nodes):
    code, report, said = finished(start(inputs, nodes, RAY_AUTH_TOKEN="f" * 64))
    assert (code, report) == (5, None) and "sonic: Set RAY_AUTH_MODE=token" in said, said


def test_no_cluster_is_a_sentence(inputs):
    process = start(inputs, Nodes())
    code, report, said = finished(process)
    assert (code, report) == (5, None) and "sonic: Start Ray on this machine" in said, said


def test_a_head_that_is_killed_is_a_sentence_and_the_same_command_goes_on(inputs):
    with cluster(1, patience_s=5) as first:
        process = start(inputs, first)
        wait_for(inputs, "done", 2, process)
        first.signal(0)
        code, report, said = finished(process)
    assert (code, report) == (5, None) and "sonic: Start Ray again" in said, said
    before = [record["output"] for record in journal(inputs) if record["event"] == "done"]
    status = json.loads((inputs / "out/sonic-batch/status.json").read_text("utf-8"))
    assert status["state"] == "stopped" and 2 <= len(before) < 8
    with cluster(1) as second:
        code, report, said = finished(start(inputs, second))
    assert (code, report["skipped"], report["done"]) == (0, len(before), 8 - len(before)), said
    assert_all_made(inputs)
