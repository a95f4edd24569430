"""A stand-in for the module ray: nodes, actors that are objects of this process, and calls that answer when their turn
has come. Tests decide when nodes leave, processes end and networks break. Time passes only while somebody waits."""

from __future__ import annotations

import itertools
from types import SimpleNamespace


class RayError(Exception):
    pass


class ActorDiedError(RayError):
    pass


class OutOfMemoryError(RayError):
    pass


class NodeAffinitySchedulingStrategy:
    def __init__(self, node_id, soft):
        assert soft is False
        self.node_id = node_id


class Call:
    """An ObjectRef: a call of an actor, made when it is asked for."""

    def __init__(self, actor, name, arguments):
        self.actor, self.name, self.arguments = actor, name, arguments
        self.value, self.is_made = None, False

    def make(self):
        if not self.is_made:
            self.is_made = True
            self.value = self.actor.run(self.name, self.arguments)

    @property
    def is_ready(self) -> bool:
        """Answers, errors too; a call of a process beyond a broken network has none."""
        node = self.actor.node
        if self.actor.is_dead or not node.is_there:
            return True
        if node.is_cut_off or (self.name == "work" and self.actor.ray.holds(self)):
            return False
        return self.name != "begin" or self.actor.has_place()


class Actor:
    def __init__(self, ray, kind, options):
        self.ray, self.options, self.is_dead, self.number = ray, options, False, next(ray.numbers)
        self.node = ray.by_id[options["scheduling_strategy"].node_id]
        self.object = kind()
        ray.actors.append(self)

    def has_place(self) -> bool:
        """Its node has what it needs beside what the actors before it hold."""
        for name, key in (("CPU", "num_cpus"), ("GPU", "num_gpus")):
            held = [a for a in self.ray.actors if a.node is self.node and not a.is_dead and a.number <= self.number]
            if sum(a.options.get(key, 0) for a in held) > self.node.resources.get(name, 0):
                return False
        return True

    def run(self, name, arguments):
        if self.is_dead or not self.node.is_there:
            raise self.ray.kind_of_death(self.ray.text_of_death)
        if name == "begin" and self.node.cannot_start:
            self.is_dead = True
            raise ActorDiedError(self.node.cannot_start)
        self.ray.before(self, name)
        if self.is_dead:
            raise self.ray.kind_of_death(self.ray.text_of_death)
        return getattr(self.object, name)(*arguments)

    def __getattr__(self, name):
        return SimpleNamespace(remote=lambda *arguments: Call(self, name, arguments))


class Node:
    def __init__(self, id, resources):
        self.id, self.resources = id, resources
        self.is_there, self.is_cut_off, self.cannot_start = True, False, ""


class Ray:
    """What of the module a cluster uses. now: seconds that have passed."""

    exceptions = SimpleNamespace(RayError=RayError, ActorDiedError=ActorDiedError)
    util = SimpleNamespace(
        scheduling_strategies=SimpleNamespace(NodeAffinitySchedulingStrategy=NodeAffinitySchedulingStrategy)
    )
    kind_of_death = ActorDiedError
    text_of_death = "The actor died unexpectedly.\n\tclass_name: RayWorker\n\tactor_id: 7\nIts process has ended."

    def __init__(self, *resources):
        self.numbers, self.now, self.actors = itertools.count(), 0.0, []
        self.by_id = {}
        for found in resources:
            self.join(found)
        self.holds = lambda call: False
        self.before = lambda actor, name: None  # called with each call, just before it is made

    def join(self, resources) -> Node:
        node = Node(f"n{len(self.by_id)}", resources)
        self.by_id[node.id] = node
        return node

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def nodes(self):
        return [
            {"NodeID": n.id, "Alive": n.is_there, "NodeManagerAddress": f"172.16.0.{i}", "Resources": n.resources}
            for i, n in enumerate(self.by_id.values())
        ]

    def remote(self, kind):
        return SimpleNamespace(options=lambda **options: SimpleNamespace(remote=lambda: Actor(self, kind, options)))

    def wait(self, calls, num_returns, timeout):
        self.asked = calls
        ready = [call for call in calls if call.is_ready][:num_returns]
        self.now += 0.01 if ready else timeout
        return ready, [call for call in calls if call not in ready]

    def get(self, call):
        call.make()
        return call.value

    def kill(self, actor, no_restart):
        assert no_restart
        actor.is_dead = actor.is_dead or not actor.node.is_cut_off  # what cannot be reached goes on
