"""What a cluster runs, as data: its logs, its actors and who reads what. Built by the composition root."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from runtime.actor import Actor
from runtime.cluster.lease import Seat
from runtime.entry import BodyCodec, EntryLimits
from runtime.serving.ticker import TimedActor
from runtime.store.keys import LogSpec


class LogPlan(msgspec.Struct, frozen=True):
    """One log, how its bodies are read, and what an entry may weigh."""

    spec: LogSpec
    codec: BodyCodec
    limits: EntryLimits = EntryLimits()


class ActorPlan(msgspec.Struct, frozen=True):
    """One actor: `build` makes the instance that serves a partition. One that reads no stream is timed."""

    name: str
    group: str
    log: str
    build: Callable[[int], Actor | TimedActor]
    timed: bool = False


class ClusterPlan(msgspec.Struct, frozen=True):
    """Everything that the processes of a cluster run."""

    logs: Sequence[LogPlan]
    actors: Sequence[ActorPlan]

    def __post_init__(self) -> None:
        """Refuse a plan in which an actor would be served by nobody (ValueError)."""
        logs = [plan.spec.name for plan in self.logs]
        if twice := _twice(logs):
            raise ValueError(f"the plan names the log {twice[0]} twice")
        for actor in self.actors:
            if actor.log not in logs:
                raise ValueError(f"actor {actor.name} reads the log {actor.log}; the plan has {', '.join(logs)} only")
        if twice := _twice([actor.name for actor in self.actors]):
            raise ValueError(f"the plan names the actor {twice[0]} twice")
        if twice := _twice([f"{actor.group} on {actor.log}" for actor in self.actors]):
            raise ValueError(f"two actors read as group {twice[0]}: give each a group of its own")

    def groups(self) -> dict[str, list[str]]:
        """The consumer groups of each log."""
        found: dict[str, list[str]] = {plan.spec.name: [] for plan in self.logs}
        for actor in self.actors:
            if not actor.timed:
                found[actor.log].append(actor.group)
        return found

    def names(self) -> tuple[str, ...]:
        """The names of all actors."""
        return tuple(actor.name for actor in self.actors)

    def log(self, name: str) -> LogPlan:
        """The plan of one log."""
        return next(plan for plan in self.logs if plan.spec.name == name)

    def seats(self, serves: Sequence[str] = ()) -> dict[Seat, ActorPlan]:
        """Every seat there is to serve, or those of the named actors only. ValueError: no such name."""
        names = self.names()
        if unknown := [name for name in serves if name not in names]:
            raise ValueError(f"there is no actor {unknown[0]!r} in the plan; there are: {', '.join(names)}")
        return {
            Seat(actor.log, actor.group, partition): actor
            for actor in self.actors
            if not serves or actor.name in serves
            for partition in range(self.log(actor.log).spec.partitions)
        }


def _twice(names: Sequence[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
