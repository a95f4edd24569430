"""What a batch shows of itself while it works: a ten-minute recording among short ones, and a clock that jumps."""

import json
import time

import pytest

from sonic_nodes.batch import report
from sonic_nodes.batch.addresses import Remote
from sonic_nodes.batch.journal import Journal
from sonic_nodes.batch.manifest import Places
from sonic_nodes.batch.pool import Event
from sonic_nodes.batch.runner import Job, run_jobs
from sonic_nodes.commands.batch_checks import Prepared
from sonic_nodes.commands.batch_display import Display

LONG_S, SHORT_S = 600.0, 5.0


class Simulated:
    """Two workers on a clock of their own, which the batch's clock follows: a job takes its cost in seconds and says
    every second how far it is."""

    def __init__(self, clock):
        self.clock, self.running, self.order = clock, {}, []

    def __len__(self):
        return 2

    @property
    def idle(self):
        return [worker for worker in (0, 1) if worker not in self.running]

    def submit(self, worker, task):
        self.running[worker] = [task, 0.0]
        self.order.append(task)

    def wait(self, timeout_s):
        self.clock.now += 1.0
        events = []
        for worker, state in list(self.running.items()):
            state[1] += 1.0
            if state[1] < state[0]:
                events.append(Event("progress", worker, state[1] / state[0]))
            else:
                del self.running[worker]
                facts = dict.fromkeys(("bytes", "sha256", "seconds", "duration_s", "frames", "notes"))
                events.append(Event("result", worker, {"status": "done", **facts}))
        return events


class Clock:
    now = 1000.0


@pytest.fixture
def clock(monkeypatch):
    """The clock that nothing sets, as the test wants it."""
    made = Clock()
    monkeypatch.setattr(report.time, "monotonic", lambda: made.now)
    return made


def display_of(jobs, tmp_path):
    places = Places(str(tmp_path), str(tmp_path), str(tmp_path), str(tmp_path), Remote())
    return Display(Prepared(places, jobs=jobs), str(tmp_path))


def jobs_of(costs):
    return [Job(n, f"k{n}", f"{n}.mp4", "", f"portrait{n % 4}", cost, cost) for n, cost in enumerate(costs)]


def test_a_ten_minute_recording_among_short_ones_is_first_and_the_time_left_is_honest(tmp_path, clock):
    """Makespan within a twentieth of what two workers need at least, and from a tenth on each forecast right within a
    tenth of the whole: two workers go on side by side, so that half of the work is done in half of the time."""
    jobs = jobs_of([SHORT_S] * 60 + [LONG_S] + [SHORT_S] * 60)
    seen, pool, display, started = [], Simulated(clock), display_of(jobs, tmp_path), clock.now
    display.status.path = str(tmp_path / "status.json")
    ticking = display.tick

    def tick():
        ticking()
        status = json.loads((tmp_path / "status.json").read_text("utf-8"))
        seen.append((clock.now - started, status["share"], status["seconds_left"]))

    display.tick = tick
    with Journal(tmp_path) as journal:
        run_jobs(jobs, pool, journal, 2, display)
    assert pool.order[0] == LONG_S and {job.state for job in jobs} == {"done"}
    whole = seen[-1][0]
    assert whole <= 1.05 * (LONG_S + 120 * SHORT_S) / 2
    shares = [share for _, share, _ in seen]
    assert shares == sorted(shares) and shares[-1] == 1.0
    late = [(at, left) for at, share, left in seen if share > 0.1]
    assert len(late) > 500 and all(abs(at + left - whole) < 0.1 * whole for at, left in late)


def test_a_long_job_alone_at_the_end_does_not_stand_still(tmp_path, clock):
    """The bar counts work: with all short ones done it shows the long one's own share."""
    jobs = jobs_of([LONG_S] + [SHORT_S] * 2)
    display = display_of(jobs, tmp_path)
    for job in jobs[1:]:
        job.state = "done"
        display.changed(job, 1)
    jobs[0].state = "running"
    display.changed(jobs[0], 0)
    shown = []
    for share in (0.0, 0.25, 0.5, 1.0):
        jobs[0].share = share
        shown.append(display.done_cost / display.whole)
    assert shown == pytest.approx([(10 + 600 * share) / 610 for share in (0.0, 0.25, 0.5, 1.0)])


def test_a_clock_that_jumps_changes_no_time_left(tmp_path, clock, monkeypatch):
    """The time of day is set back a year in the middle of the batch, and forward by two."""
    status = report.Status(str(tmp_path), 2, 0)
    found = []
    for step, today in enumerate((1.8e9, 1.8e9 - 3.2e7, 1.8e9 + 6.4e7)):
        monkeypatch.setattr(time, "time", lambda today=today: today)
        clock.now += 10.0
        status.write("running", 10.0 * (step + 1), 100.0, [])
        found.append(json.loads((tmp_path / "status.json").read_text("utf-8")))
    assert [each["seconds"] for each in found] == [10.0, 20.0, 30.0]
    assert [each["seconds_left"] for each in found] == [90.0, 80.0, 70.0]
    assert [each["updated"] for each in found] == [1.8e9, 1.8e9 - 3.2e7, 1.8e9 + 6.4e7]
