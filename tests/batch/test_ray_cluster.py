"""Workers of a cluster against a stand-in for Ray: what is started where, nodes that come and go, processes that end,
networks that break, and that no video is half, lost or made twice."""

import json
import os
import pickle
from collections import Counter, deque
from dataclasses import replace

import pytest

from sonic_nodes.batch import parcel, ray_cluster
from sonic_nodes.batch.journal import Journal
from sonic_nodes.batch.parcel import Content
from sonic_nodes.batch.parcel import Store as InputStore
from sonic_nodes.batch.ray_cluster import Cluster, Needs, reason
from sonic_nodes.batch.ray_pool import RayPool
from sonic_nodes.batch.runner import DISK, INPUT, MEMORY, OUTPUT, PROGRAM, WORKER, Job, Listener, answers, run_jobs
from sonic_nodes.errors import OutputError
from tests.tools import remote_worker
from tests.tools.remote_worker import Task, parcel_of, placed
from tests.tools.stand_in_ray import OutOfMemoryError, Ray


class DirectPool(RayPool):
    """Without the process between."""

    def __init__(self, ray, needs, make=remote_worker.make):
        self.parcel_of, self.tell, self.ready, self.working = parcel_of, self.take_note, set(), set()
        self.ray, self.messages, self.notes, self.at = ray, deque(), [], {}
        self.cluster = Cluster(ray, needs, pickle.dumps((make, placed)), self.emit, ray.clock, ray.sleep)

    def take_note(self, text):
        self.notes.append(text)

    def emit(self, *message):
        self.messages.append(message)

    def send(self, kind, *rest):
        getattr(self.cluster, kind)(*rest)

    def wait(self, timeout_s):
        for moment in [moment for moment in self.at if moment <= self.ray.now]:
            self.at.pop(moment)()
        self.cluster.step(timeout_s)
        found = []
        while self.messages:
            found += self.events(*self.messages.popleft())
        assert self.ray.now < 10_000, "the batch hangs"
        return found


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Each of a few files travels in several."""
    monkeypatch.setattr(parcel, "CHUNK", 1000)
    monkeypatch.setattr("sonic_nodes.batch.ray_worker.CHUNK", 1000)


def jobs_of(folder, whats):
    jobs = []
    for number, what in enumerate(whats):
        source, output = folder / f"in{number}.bin", folder / f"{number}.mp4"
        source.write_bytes(bytes([number % 256]) * (500 * number + 1))
        task = Task(what, str(source), str(output), str(folder / f"{number}.log"))
        jobs.append(Job(number, f"k{number}", output.name, str(output), "g", 1.0, task))
    return jobs


def run(folder, pool, whats, retries=2):
    jobs = jobs_of(folder, whats)
    with Journal(folder) as journal:
        run_jobs(jobs, pool, journal, retries, Listener())
    return jobs


def records(folder, event):
    lines = (folder / "journal.jsonl").read_text().splitlines()
    return [record["output"] for record in map(json.loads, lines) if record["event"] == event]


def assert_whole(folder, jobs):
    for job in jobs:
        with open(job.path, "rb") as video, open(job.task.source, "rb") as source:
            assert video.read() == b"video of " + source.read()
    assert sorted(records(folder, "done")) == sorted(job.output for job in jobs)  # none twice
    assert not list(folder.glob(".sonic-*"))


def placement(ray):
    return Counter(actor.node.id for actor in ray.actors if not actor.is_dead)


def step_until(pool, condition):
    for _ in range(1000):
        if condition():
            return
        pool.wait(0.1)
    raise AssertionError("it never came")


@pytest.mark.parametrize(
    ("needs", "expected", "threads"),
    [
        (Needs(2, gpu=False), {"n0": 2, "n1": 4, "n2": 1}, [2, 2, 1]),
        (Needs(2, gpu=True), {"n1": 8}, [4, 1, 1]),
        (Needs(2, gpu=False, most=3), {"n0": 1, "n1": 1, "n2": 1}, [2, 2, 1]),
    ],
)
def test_a_card_or_two_processors_are_a_worker(needs, expected, threads):
    """The last node has one processor, and the head of some clusters none."""
    ray = Ray({"CPU": 4}, {"CPU": 8, "GPU": 8}, {"CPU": 1}, {"CPU": 0})
    pool = DirectPool(ray, needs)
    step_until(pool, lambda: len(pool) == sum(expected.values()))
    assert placement(ray) == expected
    assert [node.threads for node in pool.cluster.nodes.values()][:3] == threads
    assert all(actor.options["max_restarts"] == actor.options["max_task_retries"] == 0 for actor in ray.actors)


def test_videos_come_back_whole(tmp_path):
    pool = DirectPool(Ray({"CPU": 2}, {"CPU": 2}), Needs(2, False))
    jobs = run(tmp_path, pool, ["video"] * 9)
    assert {job.state for job in jobs} == {"done"}
    assert_whole(tmp_path, jobs)
    assert (tmp_path / "3.log").read_text() == "in3.bin with 2 threads\n"
    assert "The cluster has nodes: 2, workers: 2." in pool.notes


def test_a_check_has_no_video(tmp_path):
    pool, found = DirectPool(Ray({"CPU": 4}), Needs(2, False)), {}
    tasks = [job.task for job in jobs_of(tmp_path, ["check"] * 5)]
    answers(tasks, pool, lambda index, answer: found.update({index: answer}))
    assert found == {number: {"size": 500 * number + 1} for number in range(5)}


def test_an_input_goes_to_a_worker_once(tmp_path):
    ray, sent = Ray({"CPU": 2}), []
    ray.before = lambda actor, name: sent.append(name)
    jobs = jobs_of(tmp_path, ["video"] * 3)
    for job in jobs:
        job.task = Task("video", jobs[2].task.source, job.path, job.task.log)
    with Journal(tmp_path) as journal:
        run_jobs(jobs, DirectPool(ray, Needs(2, False)), journal, 2, Listener())
    assert sent.count("take") == 2 and sent.count("work") == 4  # 1001 bytes in pieces of 1000; once it is missing
    assert sent.count("part") == 3  # the first piece comes with the answer


def test_only_death_and_memory_are_tried_again(tmp_path):
    jobs = run(tmp_path, DirectPool(Ray({"CPU": 4}), Needs(2, False)), ["video", INPUT, PROGRAM, MEMORY])
    assert [job.state for job in jobs] == ["done", "failed", "failed", "failed"]
    assert [job.tries for job in jobs] == [1, 1, 1, 3]


def test_a_worker_killed_in_mid_job_costs_that_job(tmp_path):
    ray, killed = Ray({"CPU": 2}, {"CPU": 2}), []

    def kill(actor, name):
        if name == "work" and len(killed) < 2:
            killed.append(actor)
            actor.is_dead = True

    ray.before = kill
    jobs = run(tmp_path, DirectPool(ray, Needs(2, False)), ["video"] * 12)
    assert_whole(tmp_path, jobs)
    assert sum(job.tries for job in jobs) == 14


def test_a_job_that_kills_its_workers_fails_at_its_last_try(tmp_path):
    ray = Ray({"CPU": 2})

    def kill(actor, name):
        actor.is_dead = actor.is_dead or name == "work"

    ray.before = kill
    job = run(tmp_path, DirectPool(ray, Needs(2, False)), ["video"])[0]
    assert (job.state, job.tries, job.result["kind"]) == ("failed", 3, WORKER)
    assert "ended on 172.16.0.0 (ActorDiedError: Its process has ended)" in job.result["error"]
    assert not os.path.exists(job.path)


def test_what_ray_ends_for_its_memory_runs_again_alone(tmp_path):
    ray = Ray({"CPU": 4})
    ray.kind_of_death = OutOfMemoryError
    ray.text_of_death = "1 worker(s) were killed due to the node running low on memory. Memory on the node was 7.5GB"

    def kill(actor, name):
        if name == "work" and len([a for a in ray.actors if not a.is_dead]) == 2 and not ray.holds.seen:
            ray.holds.seen = actor.is_dead = True

    class Holds:
        seen = False

        def __call__(self, call):
            return False

    ray.holds, ray.before = Holds(), kill
    jobs = run(tmp_path, DirectPool(ray, Needs(2, False)), ["video"] * 4)
    assert_whole(tmp_path, jobs)
    assert records(tmp_path, "start")[-1] in {job.output for job in jobs if job.tries == 2}


def test_nodes_come_and_go(tmp_path):
    ray = Ray({"CPU": 4})
    pool = DirectPool(ray, Needs(2, False))
    first, second = ray.by_id["n0"], []
    ray.before = lambda actor, name: setattr(ray, "now", ray.now + (1.0 if name == "work" else 0.0))
    pool.at = {
        5.0: lambda: second.append(ray.join({"CPU": 4})),
        15.0: lambda: setattr(first, "is_there", False),
        30.0: lambda: ray.join({"CPU": 2}),
    }
    jobs = run(tmp_path, pool, ["video"] * 60)
    assert_whole(tmp_path, jobs)
    assert not pool.at and sum(job.tries for job in jobs) <= 60 + 2  # two workers were on the first node
    assert {worker.node.id for worker in pool.cluster.workers.values()} == {"n1", "n2"}
    assert pool.notes == [
        f"The cluster has nodes: {nodes}, workers: {workers}." for nodes, workers in ((1, 2), (2, 4), (1, 2), (2, 3))
    ]


def test_a_worker_that_was_taken_for_dead_replaces_nothing(tmp_path):
    """Its network is broken until Ray drops its node; it goes on working there, and finishes too late."""
    ray = Ray({"CPU": 2}, {"CPU": 2})
    pool = DirectPool(ray, Needs(2, False))
    cut_off, kept = ray.by_id["n1"], []
    cut_off.is_cut_off = False

    def hold(call):
        if call.actor.node is cut_off and not kept:
            kept.append(call)
            cut_off.is_cut_off = True
        return False

    ray.holds = hold
    jobs = jobs_of(tmp_path, ["video"] * 6)
    with Journal(tmp_path) as journal:
        pool.at = {60.0: lambda: setattr(cut_off, "is_there", False)}
        run_jobs(jobs, pool, journal, 2, Listener())
    assert ray.now >= 60.0 and len(kept) == 1
    assert_whole(tmp_path, jobs)
    before = {job.path: os.stat(job.path).st_mtime_ns for job in jobs}
    kept[0].actor.object.work(*kept[0].arguments)
    assert before == {job.path: os.stat(job.path).st_mtime_ns for job in jobs}


def test_a_network_that_comes_back_costs_nothing(tmp_path):
    ray = Ray({"CPU": 2})
    pool = DirectPool(ray, Needs(2, False))
    node = ray.by_id["n0"]
    pool.at = {1.0: lambda: setattr(node, "is_cut_off", True), 61.0: lambda: setattr(node, "is_cut_off", False)}
    ray.before = lambda actor, name: setattr(ray, "now", ray.now + (0.5 if name == "work" else 0.0))
    jobs = run(tmp_path, pool, ["video"] * 10)
    assert_whole(tmp_path, jobs)
    assert ray.now > 61.0 and {job.tries for job in jobs} == {1}


def test_a_node_that_cannot_start_is_left_out(tmp_path):
    ray = Ray({"CPU": 2}, {"CPU": 2})
    text = "The actor died because of an error raised in its creation task, ray::RayWorker()\n"
    ray.by_id["n1"].cannot_start = text + "  File \"a.py\", line 1\nModuleNotFoundError: No module named 'sonic_nodes'"
    pool = DirectPool(ray, Needs(2, False))
    ray.before = lambda actor, name: setattr(ray, "now", ray.now + (1.0 if name == "work" else 0.0))
    assert_whole(tmp_path, run(tmp_path, pool, ["video"] * 12))
    notes = [note for note in pool.notes if note.startswith("Repair 172.16.0.1")]
    assert len(notes) == 1 and notes[0].endswith("ModuleNotFoundError: No module named 'sonic_nodes'")
    assert sum(actor.node.id == "n1" for actor in ray.actors) == ray_cluster.MAX_FAILED_STARTS


def test_a_node_with_other_weights_or_another_version_is_left_out(monkeypatch):
    ray = Ray({"CPU": 4})
    pool = DirectPool(ray, Needs(2, False), remote_worker.make_nothing)
    step_until(pool, lambda: pool.notes)
    assert "Copy the weights." in pool.notes[0] and len(pool) == 0
    monkeypatch.setattr("sonic_nodes.batch.ray_worker.__version__", "0.0.9")
    pool = DirectPool(Ray({"CPU": 2}), Needs(2, False))
    step_until(pool, lambda: pool.notes)
    assert "it has 0.0.9" in pool.notes[0]


def test_a_full_disk_of_a_node_is_not_that_of_the_batch(tmp_path):
    ray = Ray({"CPU": 4}, {"CPU": 2})
    pool = DirectPool(ray, Needs(2, False))
    full = ray.by_id["n0"]

    def before(actor, name):
        if name == "work" and actor.node is full:
            actor.object.work_on = lambda task, report: {"status": "failed", "kind": DISK, "error": "Free disk space."}

    ray.before = before
    jobs = run(tmp_path, pool, ["video"] * 6)
    assert_whole(tmp_path, jobs)
    assert any("172.16.0.0" in note and "Free disk space." in note for note in pool.notes)
    assert {worker.node.id for worker in pool.cluster.workers.values()} == {"n1"}


@pytest.mark.parametrize("fault", ["changed", "short", "gone"])
def test_what_is_not_what_was_made_takes_no_name(tmp_path, fault):
    ray = Ray({"CPU": 2})
    pool = DirectPool(ray, Needs(2, False))

    def before(actor, name):
        if name != "part" or fault == "gone" and actor.number > 0:
            return
        if fault == "gone":
            actor.is_dead = True
        else:
            with open(actor.object.video, "r+b") as file:
                file.seek(-3, os.SEEK_END)
                file.truncate() if fault == "short" else file.write(b"END")

    ray.before = before
    *whole, job = run(tmp_path, pool, ["video"] * 3)
    assert {(small.state, small.tries) for small in whole} == {("done", 1)}  # of one piece each
    if fault == "gone":
        assert (job.state, job.tries) == ("done", 2)
    else:
        assert (job.state, job.tries, job.result["kind"]) == ("failed", 3, WORKER)
        assert not os.path.exists(job.path)
    assert not list(tmp_path.glob(".sonic-*"))


class Store:
    """An Upload: the video goes into a dict."""

    def __init__(self, output, kept, error=None):
        self.output, self.kept, self.error = output, kept, error

    def left(self):
        return (
            {"frames": 7, **dict.fromkeys(("seconds", "duration_s", "notes"), 0)}
            if os.path.exists(self.output)
            else None
        )

    def send(self):
        if self.error:
            raise self.error
        with open(self.output, "rb") as file:
            self.kept[os.path.basename(self.output)] = file.read()
        os.unlink(self.output)
        return {"etag": "e"}


def test_videos_go_to_a_store_from_here_alone(tmp_path):
    """One that an earlier run has left is sent, and not made again; one that cannot be sent stays."""
    ray, kept, worked = Ray({"CPU": 4}), {}, []
    pool = DirectPool(ray, Needs(2, False))
    ray.before = lambda actor, name: worked.append(name) if name == "work" else None
    jobs = jobs_of(tmp_path, ["video"] * 4)
    errors = {jobs[2].path: OutputError("Give the rights to write.")}
    pool.parcel_of = lambda task: replace(parcel_of(task), upload=Store(task.output, kept, errors.get(task.output)))
    with open(jobs[1].path, "wb") as file:
        file.write(b"left")
    with Journal(tmp_path) as journal:
        run_jobs(jobs, pool, journal, 2, Listener())
    assert [job.state for job in jobs] == ["done", "done", "failed", "done"]
    assert sorted(kept) == ["0.mp4", "1.mp4", "3.mp4"] and kept["1.mp4"] == b"left" and len(worked) == 6
    assert jobs[2].result["kind"] == OUTPUT and os.path.exists(jobs[2].path)
    assert jobs[0].result["upload"] == {"etag": "e"} and jobs[1].result["frames"] == 7


def test_an_input_that_is_gone_is_the_fault_of_its_row(tmp_path):
    pool = DirectPool(Ray({"CPU": 2}), Needs(2, False))
    jobs = jobs_of(tmp_path, ["video", "video"])
    os.unlink(jobs[0].task.source)
    with Journal(tmp_path) as journal:
        run_jobs(jobs, pool, journal, 2, Listener())
    assert [job.state for job in jobs] == ["failed", "done"] and jobs[0].tries == 1
    assert jobs[0].result["error"].startswith("Check the disk: 'in0.bin' cannot be read")


def test_the_files_of_a_worker_go_with_it(tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "there"))
    pool = DirectPool(Ray({"CPU": 4}), Needs(2, False))
    run(tmp_path, pool, ["video"] * 4)
    assert len(list((tmp_path / "there").glob(".sonic-*"))) == 2
    pool.cluster.end()
    for call in pool.ray.asked:
        call.make()
    assert not list((tmp_path / "there").iterdir())


def test_a_log_that_cannot_be_written_is_the_disks_fault(tmp_path):
    pool = DirectPool(Ray({"CPU": 2}), Needs(2, False))
    jobs = jobs_of(tmp_path, ["video", "video"])
    os.mkdir(jobs[0].task.log)
    with Journal(tmp_path) as journal:
        run_jobs(jobs, pool, journal, 2, Listener())
    assert [job.state for job in jobs] == ["failed", "done"] and jobs[0].result["kind"] == OUTPUT


def test_a_worker_keeps_a_bounded_number_of_bytes(tmp_path):
    store = InputStore(str(tmp_path), most=1000)
    digest = "a11ce"
    for number in range(5):
        data = bytes([number]) * 400
        content = Content(parcel.hashlib.sha256(data).hexdigest(), 400, f"{number}.wav")
        assert store.missing([content]) == [content]
        store.take(content, 0, data)
        assert store.missing([content]) == [] and open(store.path(content), "rb").read() == data
        assert sum(path.stat().st_size for path in tmp_path.rglob("*.wav")) <= 1000
    with pytest.raises(Exception, match="has changed"):
        store.take(Content(digest, 1, "x.wav"), 0, b"x")


def test_the_line_that_says_what_happened():
    ray = Ray()
    assert reason(ray.exceptions.ActorDiedError(ray.text_of_death)) == "ActorDiedError: Its process has ended"
    assert reason(RuntimeError("")) == "RuntimeError"
    assert len(reason(RuntimeError("x" * 5000))) <= 300
