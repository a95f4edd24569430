"""The pool and what drives it: workers that die, workers that cannot start, lack of memory, and orders of events."""

import os
import signal

import pytest

from sonic_nodes.batch.journal import Journal
from sonic_nodes.batch.pool import MAX_FAILED_STARTS, ProcessPool
from sonic_nodes.batch.runner import DISK, INPUT, MEMORY, PROGRAM, WORKER, Job, Listener, answers, run_jobs
from sonic_nodes.batch.template import Template, is_possible
from sonic_nodes.errors import ResourceError
from tests.tools.batch_worker import Fake


class Record(Listener):
    def __init__(self):
        self.states = []

    def changed(self, job, worker):
        self.states.append((job.number, job.state))


FORKED = pytest.param("forked", marks=pytest.mark.skipif(not is_possible(), reason="workers are forked on Linux alone"))


@pytest.fixture(params=["spawned", FORKED])
def pool(request, tmp_path):
    template = Template("tests.tools.batch_worker") if request.param == "forked" else None
    made = ProcessPool(Fake, ["a", "b"], str(tmp_path / "worker-{}.log"), template)
    yield made
    made.kill()


def run(tmp_path, pool, whats, retries=2):
    """({number: job}, tries of each) after a run."""
    jobs = [
        Job(number, f"k{number}", f"{number}.mp4", "", "g", 1.0, (what, str(tmp_path / f"tries{number}")))
        for number, what in enumerate(whats)
    ]
    with Journal(tmp_path) as journal:
        run_jobs(jobs, pool, journal, retries, listener := Record())
    return jobs, [os.path.getsize(job.task[1]) for job in jobs], listener


def test_only_death_and_memory_are_tried_again(tmp_path, pool):
    whats = ["fine", "die once", "die", INPUT, PROGRAM, MEMORY, "memory once", "fine"]
    jobs, tries, seen = run(tmp_path, pool, whats)
    assert [job.state for job in jobs] == ["done", "done", "failed", "failed", "failed", "failed", "done", "done"]
    assert tries == [1, 2, 3, 1, 1, 3, 2, 1]
    assert [jobs[n].result["kind"] for n in (2, 3, 4, 5)] == [WORKER, INPUT, PROGRAM, MEMORY]
    assert seen.states.count((2, "waiting")) == 2 and seen.states.count((2, "running")) == 3
    assert jobs[2].result["error"].startswith("Look into the job's log")


def test_without_retries_a_death_is_final(tmp_path, pool):
    jobs, tries, _ = run(tmp_path, pool, ["die once", "fine"], retries=0)
    assert [job.state for job in jobs] == ["failed", "done"] and tries == [1, 1]


def ready_ids(pool) -> dict[int, int]:
    """{worker: id of its process} when all of them are ready."""
    found: dict[int, int] = {}
    while len(found) < len(pool):
        found |= {event.worker: event.value for event in pool.wait(1.0) if event.kind == "ready"}
    return found


def test_a_full_disk_stops_the_batch_and_is_no_try_of_the_job(tmp_path, pool):
    """All other jobs would fail, too; the same job is made the next time, since it is not done."""
    with pytest.raises(ResourceError, match="^disk The same command goes on from here"):
        run(tmp_path, pool, ["fine", DISK, *["fine"] * 40])
    with Journal(tmp_path) as journal:
        ends = [end["event"] for end in journal.ends.values()]
    assert ends.count("failed") == 1 and ends.count("done") < 41 and os.path.getsize(tmp_path / "tries1") == 1


@pytest.mark.posix("signals of POSIX")
def test_an_idle_worker_that_is_killed_is_replaced(tmp_path, pool):
    os.kill(ready_ids(pool)[0], signal.SIGKILL)
    jobs, _, _ = run(tmp_path, pool, ["fine"] * 6)
    assert {job.state for job in jobs} == {"done"}


def test_workers_that_never_start_end_the_batch(tmp_path):
    pool = ProcessPool(Fake, ["broken"])
    try:
        with pytest.raises(ResourceError, match=f"exit code 3 {MAX_FAILED_STARTS} times"):
            run(tmp_path, pool, ["fine"])
    finally:
        pool.kill()


def test_a_check_that_kills_its_worker_twice_is_a_bad_row(tmp_path, pool):
    found = {}
    tasks = [(what, str(tmp_path / f"{number}")) for number, what in enumerate(["fine", "die", "die once"])]
    answers(tasks, pool, lambda index, answer: found.update({index: answer}))
    assert "error" in found[1] and found[1]["error"].startswith("Save the file again")
    assert found[0]["status"] == found[2]["status"] == "done"
