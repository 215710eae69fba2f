"""Hosts for tests: a generic actor, a plan for it, quick options, and `running_host(...)` in this process.

    async with running_host(address, partitions=4) as one:
        await one.add("T1", 3)
        await one.at_rest()

`tests.support.worker_program` runs the same as a process of its own, for the tests that kill and pause.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

from runtime.actor import Actor, handles
from runtime.backoff import BackoffOptions
from runtime.clock import SystemClock
from runtime.cluster.lease import LeaseOptions
from runtime.cluster.registry import ProcessCard
from runtime.codec import OpenCodec
from runtime.effects import Effects, ListPush
from runtime.floor import ServingOptions
from runtime.host import Host
from runtime.host_options import HostOptions
from runtime.plan import ActorPlan, ClusterPlan, LogPlan
from runtime.serving.runner import RunnerOptions
from runtime.signals import Bus
from runtime.store.append import Appended, Appender
from runtime.store.clients import ClientOptions, StoreAddress, open_commands
from runtime.store.keys import LogSpec
from runtime.store.opening import OpenStore, StoreOptions, open_store
from runtime.store.position import look, open_log
from runtime.store.reader import ReadOptions
from runtime.telemetry.progress import ProgressOptions
from runtime.testing.signal_log import SignalLog
from tests.support.store import command
from tests.support.things import facts
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from redis.asyncio import Redis

    from runtime.answers import Look
    from runtime.entry import Entry
    from runtime.supervision import ChildSpec

LOG = "things"
ENTITIES = tuple(f"T{n}" for n in range(24))


class Lister(Actor):
    """Writes down what it saw, per entity and in order: lost, twice and disorder all show in one list."""

    name = "lister"
    group = "listers"

    @handles("thing.happened")
    async def list(self, entry: Entry) -> Effects:
        """One line per entry."""
        await self.before(entry)
        return [ListPush(seen_key(entry.entity), (entry.event_id,))]

    async def before(self, entry: Entry) -> None:
        """Whatever a test wants to happen first."""


def seen_key(entity: str, group: str = "listers") -> str:
    """Where a lister writes what it saw of an entity."""
    return f"seen:{group}:{entity}"


def spec(partitions: int = 1) -> LogSpec:
    """The log of things."""
    return LogSpec(LOG, "thing", "thingId", partitions=partitions)


def plan_of(*actors: ActorPlan, partitions: int = 1) -> ClusterPlan:
    """These actors on the log of things."""
    return ClusterPlan([LogPlan(spec(partitions), OpenCodec())], actors)


def lister(build: Callable[[int], Actor] = lambda _: Lister()) -> ActorPlan:
    """The plan of the one lister, or of another actor in its place."""
    return ActorPlan("lister", "listers", LOG, build)


# Quick where a test waits for it; long enough where only a machine that does other work would come to it.
QUICK_CLIENTS = ClientOptions(block_ms=100, reply_seconds=2.0, connect_seconds=2.0)
QUICK_LEASE = LeaseOptions(ttl_seconds=2.0, beat_seconds=0.1, margin_seconds=0.1)
QUICK_SERVING = ServingOptions(
    read=ReadOptions(batch=50),
    runner=RunnerOptions(tick_seconds=0.05, halted_poll_seconds=0.2),
    backoff=BackoffOptions(first_seconds=0.01, cap_seconds=0.2),
    stop_seconds=10.0,
)
QUICK = HostOptions(
    lease=QUICK_LEASE,
    serving=QUICK_SERVING,
    progress=ProgressOptions(stall_after_seconds=10.0),
    sample_seconds=0.1,
    watchdog=False,
)


class RunningHost:
    """A host at work in this process, its store and everything that it said."""

    def __init__(self, host: Host, store: OpenStore, signals: SignalLog, task: asyncio.Task[None]) -> None:
        """Made by `running_host`."""
        self.host = host
        self.store = store
        self.signals = signals
        self.task = task

    @property
    def held(self) -> set[int]:
        """The partitions that it serves now."""
        return {seat.partition for seat in self.host.membership.held}

    async def add(self, entity: str, count: int = 1) -> None:
        """Append facts about an entity."""
        await add(self.store.appender, self.store.commands, entity, count)

    async def looks(self, group: str = "listers") -> list[Look]:
        """Where a group stands, by partition."""
        keys = self.store.logs[LOG].keys
        every = range(keys.spec.partitions)
        return [await look(self.store.commands, keys, group, partition) for partition in every]

    async def at_rest(self, group: str = "listers", within: float = PATIENCE) -> None:
        """Wait until nothing is left to do and nothing is pending."""
        await until(lambda: all_at_rest(self.looks(group)), within=within, what="all partitions at rest")

    async def holds(self, count: int) -> None:
        """Wait until it serves so many partitions."""
        await until(lambda: len(self.held) == count, what=f"it serves {count} partitions")

    async def holds_some(self) -> None:
        """Wait until it serves anything."""
        await until(lambda: self.held, what="it serves some partition")

    async def parked_is_empty(self, group: str = "listers") -> None:
        """Wait until no entry of a group is parked any more."""

        async def empty() -> bool:
            return not any(look.parked for look in await self.looks(group))

        await until(empty, what="nothing is parked")

    async def seen(self, entities: Iterable[str] = ENTITIES) -> dict[str, list[str]]:
        """What the listers saw, by entity."""
        return await seen(self.store.commands, entities)

    async def stop(self) -> None:
        """Drain and wait for the end; raises what the host raised."""
        self.host.stop()
        await self.task


async def all_at_rest(looks: object) -> bool:
    """Is every look at rest?"""
    found: list[Look] = await looks  # type: ignore[misc]  # an awaitable of looks
    return all(one.at_rest for one in found)


async def add(appender: Appender, client: Redis, entity: str, count: int = 1) -> None:
    """Append facts `<entity>-1 ...` behind whatever version the entity has."""
    keys = appender._logs[LOG].keys
    version = int(await command(client, "GET", keys.head(entity)) or 0)
    answer = await appender.append(facts(entity, version, count, command=uuid4().hex))
    assert isinstance(answer, Appended)


async def seen(client: Redis, entities: Iterable[str] = ENTITIES) -> dict[str, list[str]]:
    """What the listers saw, by entity."""
    found = {}
    for entity in entities:
        rows = await command(client, "LRANGE", seen_key(entity), 0, -1)
        found[entity] = [row.decode() for row in rows]
    return found


def expected(counts: dict[str, int]) -> dict[str, list[str]]:
    """What has to be seen of so many facts each: every one, once, in order."""
    return {entity: [f"{entity}-{n}" for n in range(1, count + 1)] for entity, count in counts.items()}


def card(name: str = "", serves: Sequence[str] = ()) -> ProcessCard:
    """The card of a new incarnation."""
    return ProcessCard(name or uuid4().hex[:12], "here", 1, "0", "2026-01-01T00:00:00Z", tuple(serves))


@asynccontextmanager
async def opened(
    address: StoreAddress,
    plan: ClusterPlan,
    *,
    clients: ClientOptions = QUICK_CLIENTS,
    bus: Bus | None = None,
    confirm_replicas: int | None = None,
) -> AsyncIterator[OpenStore]:
    """The store, opened for a plan and closed again."""
    specs = [log.spec for log in plan.logs]
    options = StoreOptions(clients=clients, confirm_replicas=confirm_replicas)
    store = await open_store(address, specs, plan.groups(), options=options, bus=bus)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def running_host(
    address: StoreAddress,
    *,
    plan: ClusterPlan | None = None,
    partitions: int = 1,
    name: str = "",
    serves: Sequence[str] = (),
    options: HostOptions = QUICK,
    clients: ClientOptions = QUICK_CLIENTS,
    keepers: Sequence[ChildSpec] = (),
    services: Sequence[ChildSpec] = (),
    wait: bool = True,
    confirm_replicas: int | None = None,
) -> AsyncIterator[RunningHost]:
    """A host that is up (unless `wait` is False); drained at the end if it still runs."""
    plan = plan or plan_of(lister(), partitions=partitions)
    bus, signals, up = Bus(), SignalLog(), asyncio.Event()
    bus.subscribe(signals)
    async with opened(address, plan, clients=clients, bus=bus, confirm_replicas=confirm_replicas) as store:
        host = Host(
            store, plan, card(name, serves), options=options, bus=bus, clock=SystemClock(),
            keepers=keepers, services=services,
        )  # fmt: skip
        task = asyncio.create_task(host.run(up.set), name="host under test")
        running = RunningHost(host, store, signals, task)
        try:
            if wait:
                await until(lambda: up.is_set() or task.done(), what="the host is up")
                if task.done():
                    task.result()
            yield running
        finally:
            host.stop()
            if not task.done():
                await asyncio.wait({task}, timeout=PATIENCE)
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
                raise AssertionError(f"the host did not stop within {PATIENCE:g} s")


class Outside:
    """A client of the cluster that is no part of it: appends and looks, while processes come and go."""

    def __init__(self, commands: Redis, appender: Appender) -> None:
        """Made by `outside`."""
        self.commands = commands
        self.appender = appender
        self.keys = appender._logs[LOG].keys
        self.added: dict[str, int] = {}

    async def add(self, entity: str, count: int = 1) -> None:
        """Append facts, and remember how many there have to be."""
        await add(self.appender, self.commands, entity, count)
        self.added[entity] = self.added.get(entity, 0) + count

    async def looks(self) -> list[Look]:
        """Where the listers stand, by partition."""
        every = range(self.keys.spec.partitions)
        return [await look(self.commands, self.keys, "listers", partition) for partition in every]

    async def at_rest(self, within: float = PATIENCE) -> None:
        """Wait until nothing is left to do and nothing is pending."""
        await until(lambda: all_at_rest(self.looks()), within=within, what="all partitions at rest")

    async def nothing_lost_nothing_twice(self) -> None:
        """Everything that was added was seen, once and in order."""
        found, wanted = await seen(self.commands, self.added), expected(self.added)
        wrong = {entity: found[entity] for entity in wanted if found[entity] != wanted[entity]}
        assert not wrong, f"lost, twice or out of order: {wrong}, instead of {self.added}"

    async def owners(self, group: str = "listers") -> list[str]:
        """Who holds the lease of each partition; '' for nobody."""
        names = [self.keys.lease(group, partition) for partition in range(self.keys.spec.partitions)]
        return [(await command(self.commands, "GET", name) or b"").decode() for name in names]

    async def consumers(self, group: str = "listers") -> set[str]:
        """The consumers of a group, over all partitions."""
        found: set[str] = set()
        for partition in range(self.keys.spec.partitions):
            rows = await command(self.commands, "XINFO", "CONSUMERS", self.keys.log(partition), group)
            for row in rows:
                found.add((row.get(b"name") or row["name"]).decode())
        return found

    async def connections(self, prefix: str = "cs:listers:") -> list[str]:
        """The names of the connections to the server that begin so."""
        rows: bytes = await command(self.commands, "CLIENT", "LIST")
        return sorted(word[5:] for word in rows.decode().split() if word.startswith(f"name={prefix}"))


@asynccontextmanager
async def outside(address: StoreAddress, partitions: int = 1) -> AsyncIterator[Outside]:
    """Make or find the log of things, and give a client of it."""
    plan = plan_of(lister(), partitions=partitions)
    async with opened(address, plan):
        pass  # makes the log and loads the library
    client = open_commands(address, max_connections=4, reply_seconds=5.0, client_name="cs:outside")
    try:
        log = await open_log(client, spec(partitions), [])
        yield Outside(client, Appender(client, {LOG: log}))
    finally:
        await client.aclose()
