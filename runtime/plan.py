"""What a cluster runs, as data: its logs, its actors and who reads what. Built by the composition root."""

from __future__ import annotations

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

    def groups(self) -> dict[str, list[str]]:
        """The consumer groups of each log."""
        found: dict[str, list[str]] = {plan.spec.name: [] for plan in self.logs}
        for actor in self.actors:
            if not actor.timed:
                found[actor.log].append(actor.group)
        return found

    def log(self, name: str) -> LogPlan:
        """The plan of one log."""
        return next(plan for plan in self.logs if plan.spec.name == name)

    def seats(self, serves: Sequence[str] = ()) -> dict[Seat, ActorPlan]:
        """Every seat there is to serve, or those of the named actors only."""
        return {
            Seat(actor.log, actor.group, partition): actor
            for actor in self.actors
            if not serves or actor.name in serves
            for partition in range(self.log(actor.log).spec.partitions)
        }
