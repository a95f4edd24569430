"""The schedule: simulated batches against the bound that no schedule can beat, and its rules one by one."""

import heapq
import random

import pytest

from sonic_nodes.batch.schedule import Item, Schedule

SETUP_S = 6.0  # of a worker that takes a portrait it has not got
START_S = 4.0  # of a worker that is started anew


def simulated(items, workers: int, seed: int, fails: float):
    """(makespan, work done with what was lost, jobs done in order) of a batch with fake durations. fails: the chance
    that a job's worker dies, at a moment spread over the job; a new one is started."""
    chance, schedule = random.Random(seed), Schedule(items)
    free, running, now, work, done = list(range(workers)), [], 0.0, 0.0, []
    has = {}
    while len(schedule) or running:
        for worker in list(free):
            number = schedule.next(worker, workers, len(running))
            if number is None:
                continue
            free.remove(worker)
            item = schedule.items[number]
            lasts = item.cost + (SETUP_S if has.get(worker) != item.group else 0.0)
            has[worker] = item.group
            dies = chance.random() < fails
            lasts = lasts * chance.random() + START_S if dies else lasts
            work += lasts
            heapq.heappush(running, (now + lasts, worker, number, dies))
        now, worker, number, dies = heapq.heappop(running)
        if dies:
            has.pop(worker, None)
            schedule.leave(worker)
            schedule.back(number)
        else:
            schedule.ended(number)
            done.append(number)
        free.append(worker)
    return now, work, done


def batch(count: int, groups: int, seed: int, longest: float = 0.0) -> list[Item]:
    """Short videos: 20 to 120 s of work each, log-normal, and one long one."""
    chance = random.Random(seed)
    costs = [min(120.0, max(20.0, chance.lognormvariate(3.8, 0.5))) for _ in range(count)]
    if longest:
        costs[count // 2] = longest
    return [Item(number, chance.randrange(groups), cost) for number, cost in enumerate(costs)]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("groups", [1, 8, 60, 1000])
def test_a_thousand_jobs_over_fifty_workers_end_within_a_twentieth_of_the_ideal(groups, seed):
    """The bound: all work, the lost included, spread evenly, or the longest job alone."""
    items = batch(1000, groups, seed, longest=600.0)
    makespan, work, done = simulated(items, 50, seed, fails=0.03)
    ideal = max(work / 50, *(item.cost for item in items))
    assert sorted(done) == list(range(1000))
    assert makespan <= 1.05 * ideal, (makespan, ideal)


def test_without_an_order_the_long_job_comes_last():
    """The bound is one that a queue in the order of the list misses."""
    items = batch(1000, 60, 0)
    items[-1] = Item(999, items[-1].group, 600.0)
    free = [0.0] * 50
    for item in items:
        heapq.heapreplace(free, free[0] + item.cost + SETUP_S)
    ideal = sum(item.cost + SETUP_S for item in items) / 50
    assert max(free) > 1.3 * ideal
    assert simulated(items, 50, 0, fails=0.0)[0] <= 1.05 * max(ideal, 606.0)


def test_a_worker_stays_with_its_portrait():
    items = [Item(number, number % 4, 10.0) for number in range(40)]
    schedule = Schedule(items)
    taken = {worker: [schedule.next(worker, 2, 2) for _ in range(20)] for worker in (0, 1)}
    for numbers in taken.values():
        groups = [schedule.items[number].group for number in numbers]
        assert sum(a != b for a, b in zip(groups, groups[1:], strict=False)) <= 3
    assert sorted(taken[0] + taken[1]) == list(range(40))


def test_a_job_that_needs_all_memory_runs_when_no_other_does():
    schedule = Schedule([Item(0, "a", 1.0), Item(1, "a", 1.0)])
    assert (schedule.next(0, 2, 0), schedule.next(1, 2, 1)) == (0, 1)
    schedule.back(0, alone=True)
    assert schedule.next(0, 2, 1) is None and len(schedule) == 1
    schedule.ended(1)
    assert schedule.next(0, 2, 0) == 0 and schedule.next(1, 2, 1) is None
    schedule.ended(0)
    assert len(schedule) == 0


def test_a_hundred_thousand_jobs_of_as_many_portraits_are_shared_out_at_once():
    """No step looks at all groups: the cost of a job's choice does not grow with their number."""
    counts = {}
    for count in (1000, 100_000):
        schedule = Schedule(Item(number, number, 1.0 + number % 7) for number in range(count))
        looked = 0
        original = schedule._left_in

        def counted(group, original=original):
            nonlocal looked
            looked += 1
            return original(group)

        schedule._left_in = counted
        for number in range(count):
            assert schedule.next(number % 50, 50, 50) is not None
        counts[count] = looked / count
    assert counts[100_000] <= 2 * counts[1000]
