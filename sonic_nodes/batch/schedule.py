"""Which job a worker does next.

Jobs of one group share work (the portrait), so a worker stays with its group, the longest job first. Two rules keep all
workers busy to the end: a worker without a group takes the one with the most work that no other has, or else joins the
one with the most work for each of its workers; and a job so long that it decides when the batch ends is taken first,
whatever its group (the rule of the longest processing time, Graham, SIAM J. Appl. Math. 17, 1969).
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """A job for the schedule. cost: in any unit of time, the same for all."""

    id: int
    group: Hashable
    cost: float


class Schedule:
    """next(worker, ...) until `is_empty`; `back` for jobs whose worker died."""

    def __init__(self, items: Iterable[Item]):
        self.items = {item.id: item for item in items}
        self._waiting: dict[Hashable, list[tuple[float, int]]] = {}  # heaps, the longest first
        self._left: Counter = Counter()  # cost of each group
        self._longest: list[tuple[float, int]] = []
        self._free: list[tuple[float, int, Hashable]] = []  # groups by cost; entries may be out of date
        self._owners: Counter = Counter()
        self._group: dict[Hashable, Hashable] = {}  # of each worker
        self._open: set[int] = set()
        self._alone: list[int] = []  # jobs that need the whole machine
        self._running_alone: int | None = None
        for item in self.items.values():
            self._add(item)
        self._free = [(-cost, number, group) for number, (group, cost) in enumerate(self._left.items())]
        heapq.heapify(self._free)
        self._pushed = len(self._free)

    def __len__(self) -> int:
        """Jobs that wait."""
        return len(self._open) + len(self._alone)

    @property
    def cost(self) -> float:
        """Of the jobs that wait."""
        return sum(cost for cost in self._left.values()) if self._open else 0.0

    def _add(self, item: Item) -> None:
        self._open.add(item.id)
        self._left[item.group] += item.cost
        self._total = getattr(self, "_total", 0.0) + item.cost
        heapq.heappush(self._waiting.setdefault(item.group, []), (-item.cost, item.id))
        heapq.heappush(self._longest, (-item.cost, item.id))

    def next(self, worker: Hashable, workers: int, busy: int) -> int | None:
        """The id of the worker's next job; None when it has to wait. workers: how many there are; busy: how many of
        them have a job now."""
        if self._running_alone is not None:
            return None
        if not self._open:
            return self._next_alone(busy)
        longest = self._top(self._longest)
        if -longest[0] * workers > self._total:
            return self._take(longest[1])
        group = self._group.get(worker)
        if group is None or not self._left_in(group):
            group = self._assign(worker)
        return self._take(self._top(self._waiting[group])[1])

    def _next_alone(self, busy: int) -> int | None:
        if busy or not self._alone:
            return None
        self._running_alone = self._alone.pop(0)
        return self._running_alone

    def _top(self, heap: list[tuple[float, int]]) -> tuple[float, int]:
        while heap[0][1] not in self._open:
            heapq.heappop(heap)
        return heap[0]

    def _left_in(self, group: Hashable) -> bool:
        heap = self._waiting.get(group)
        while heap and heap[0][1] not in self._open:
            heapq.heappop(heap)
        if not heap:
            self._waiting.pop(group, None)
        return bool(heap)

    def _take(self, number: int) -> int:
        item = self.items[number]
        self._open.discard(number)
        self._left[item.group] -= item.cost
        self._total = self._total - item.cost if self._open else 0.0
        return number

    def _assign(self, worker: Hashable) -> Hashable:
        """A group with jobs for a worker that has none."""
        self.leave(worker)
        while self._free:
            _, _, group = heapq.heappop(self._free)
            if not self._owners[group] and self._left_in(group):
                break
        else:
            open_groups = [group for group in list(self._waiting) if self._left_in(group)]
            group = max(open_groups, key=lambda found: self._left[found] / (1 + self._owners[found]))
        self._group[worker] = group
        self._owners[group] += 1
        return group

    def leave(self, worker: Hashable) -> None:
        """The worker has no group any more: it has ended, or needs another."""
        group = self._group.pop(worker, None)
        if group is not None:
            self._owners[group] -= 1
            self._offer(group)

    def _offer(self, group: Hashable) -> None:
        if not self._owners[group] and self._left_in(group):
            self._pushed += 1
            heapq.heappush(self._free, (-self._left[group], self._pushed, group))

    def back(self, number: int, alone: bool = False) -> None:
        """The job waits again. alone: it runs when no other does."""
        self.ended(number)
        if alone:
            self._alone.append(number)
            return
        item = self.items[number]
        self._add(item)
        self._offer(item.group)

    def ended(self, number: int) -> None:
        """Its worker is free."""
        if self._running_alone == number:
            self._running_alone = None
