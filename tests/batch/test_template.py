"""The process that forks workers: killed itself, killed with its parent, and what its children can do."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sonic_nodes.batch.pool import ProcessPool
from sonic_nodes.batch.template import KILL, Template, is_possible
from tests.batch.test_pool import ready_ids, run
from tests.tools.batch_worker import Fake, Threaded

pytestmark = pytest.mark.skipif(not is_possible(), reason="workers are forked on Linux alone")


@pytest.fixture
def forking(tmp_path):
    """make(worker, slots, module) -> a pool of forked processes."""
    made = []

    def make(worker, slots, module="tests.tools.batch_worker"):
        made.append(ProcessPool(worker, slots, str(tmp_path / "worker-{}.log"), Template(module)))
        return made[-1]

    yield make
    for pool in made:
        pool.kill()


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def is_running(pid: int) -> bool:
    """False for a process that has ended, also when its parent has not asked for its exit code."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def wait_until(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()


def test_workers_are_children_of_the_template(forking):
    pool = forking(Fake, ["a", "b"])
    ids = ready_ids(pool)
    template = pool._templates[0].process.pid
    assert {parent_of(pid) for pid in ids.values()} == {template} and parent_of(template) == os.getpid()
    pool.kill()
    wait_until(lambda: not any(map(is_running, [*ids.values(), template])))


def test_a_killed_template_costs_no_job(tmp_path, forking):
    """Its workers go on, and the next one that dies is forked from another template."""
    pool = forking(Fake, ["a", "b"])
    ids = ready_ids(pool)
    os.kill(pool._templates[0].process.pid, signal.SIGKILL)
    pool._templates[0].process.join()
    jobs, tries, _ = run(tmp_path, pool, ["fine", "fine", "die once", "fine", "die once", "fine"])
    assert {job.state for job in jobs} == {"done"} and sorted(tries) == [1, 1, 1, 1, 2, 2]
    assert len(pool._templates) == 2
    pool.kill()
    wait_until(lambda: not any(map(is_running, ids.values())))


def test_a_template_that_cannot_load_still_forks(tmp_path, forking):
    """Each worker says in its log what is wrong, if it needs what is missing."""
    pool = forking(Fake, ["a"], module="tests.tools.there_is_no_such_module")
    jobs, _, _ = run(tmp_path, pool, ["fine"])
    assert jobs[0].state == "done"


def test_ending_while_it_loads_takes_no_time():
    template = Template("sonic_nodes.commands.batch_job")
    assert template.end(KILL, 1) is None
    template.kill()
    template.kill()
    assert template.process.exitcode == -signal.SIGKILL


def test_forked_workers_have_threads(forking):
    """The template has loaded libtorch and the extension; a child of a process that had used them would have one
    thread."""
    pool = forking(Threaded, [3], module="sonic_nodes.commands.batch_job")
    found = []
    ready_ids(pool)
    pool.submit(0, None)
    while not found:
        found += [event.value for event in pool.wait(1.0) if event.kind == "result"]
    assert (found[0]["c"], found[0]["libtorch"], found[0]["sum"]) == (3, 3, 512.0**3)


PARENT = """
import sys, time
from sonic_nodes.batch.pool import ProcessPool
from sonic_nodes.batch.template import Template
from tests.batch.test_pool import ready_ids
from tests.tools.batch_worker import Fake
if __name__ == "__main__":
    template = Template("tests.tools.batch_worker")
    pool = ProcessPool(Fake, ["a", "b"], template=template)
    print(template.process.pid, *ready_ids(pool).values(), flush=True)
    time.sleep(600)
"""


def test_all_end_with_a_killed_parent(tmp_path):
    (tmp_path / "parent.py").write_text(PARENT)
    env = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    parent = subprocess.Popen([sys.executable, tmp_path / "parent.py"], env=env, stdout=subprocess.PIPE, text=True)
    with parent:
        ids = [int(number) for number in parent.stdout.readline().split()]
        assert len(ids) == 3 and all(map(is_running, ids))
        parent.kill()
    wait_until(lambda: not any(map(is_running, ids)))
