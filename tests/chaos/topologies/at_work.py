"""A runtime at work on a topology: listers on every partition, a producer that knows what was confirmed, a verdict.

async with at_work(pair.url, partitions=4) as work:
    await work.confirmed_grew(20)
    ...                                # the fault
    await work.stop_producing()
    await work.nothing_confirmed_is_lost()
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from msgspec import structs

from runtime.actor import Actor, handles
from runtime.codec import OpenCodec
from runtime.effects import Effects, ListPush
from runtime.errors import Halted, StoreUnavailable
from runtime.plan import ActorPlan, ClusterPlan, LogPlan
from runtime.store.append import Appended
from runtime.store.clients import ClientOptions, StoreAddress
from runtime.store.keys import Keyspace, LogSpec
from tests.support.hosts import LOG, QUICK, RunningHost, running_host
from tests.support.store import command
from tests.support.things import facts
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from runtime.entry import Entry
    from runtime.store.append import Appender

ENTITIES = tuple(f"T{n}" for n in range(16))
CLIENTS = ClientOptions(block_ms=200, reply_seconds=2.0, connect_seconds=1.0)


def tagged(partitions: int) -> LogSpec:
    """The log of things with tagged names, as a cluster needs them."""
    return LogSpec(LOG, "thing", "thingId", partitions=partitions, tagged=True)


class TaggedLister(Actor):
    """Writes down what it saw, under names of its own partition."""

    name = "lister"
    group = "listers"

    def __init__(self, keys: Keyspace, partition: int) -> None:
        """Serves one partition."""
        self._keys = keys
        self._partition = partition

    @handles("thing.happened")
    async def list(self, entry: Entry) -> Effects:
        """One line per entry."""
        return [ListPush(self._keys.name(f"seen:{entry.entity}", self._partition), (entry.event_id,))]


class Work:
    """A host in this process, and a producer beside it."""

    def __init__(self, one: RunningHost, partitions: int) -> None:
        """Made by `at_work`."""
        self.one = one
        self.keys = Keyspace(tagged(partitions))
        self.appender: Appender = one.store.appender
        self.confirmed: dict[str, int] = dict.fromkeys(ENTITIES, 0)
        self.asked_again = 0
        self.gaps: list[float] = []
        self._last = time.monotonic()
        self._producing: asyncio.Task[None] | None = None
        self._stop = False

    def produce(self) -> None:
        """Append one fact after the other, each until it is confirmed."""
        self._stop = False
        self._last = time.monotonic()
        self._producing = asyncio.create_task(self._produce(), name="producer")

    async def _produce(self) -> None:
        number = 0
        while not self._stop:
            entity = ENTITIES[number % len(ENTITIES)]
            version = self.confirmed[entity]
            unit = facts(entity, version, 1, command=f"{entity}-{version}")
            while not self._stop:
                try:
                    answer = await self.appender.append(unit)
                except StoreUnavailable:
                    self.asked_again += 1
                    await asyncio.sleep(0.02)
                    continue
                assert isinstance(answer, Appended), answer
                assert "replicated" in answer.confirmed
                self._note(entity)
                break
            number += 1
            await asyncio.sleep(0.001)

    def _note(self, entity: str) -> None:
        now = time.monotonic()
        self.gaps.append(now - self._last)
        self._last = now
        self.confirmed[entity] += 1

    @property
    def total(self) -> int:
        """How many were confirmed."""
        return sum(self.confirmed.values())

    async def confirmed_grew(self, by: int = 20, within: float = 30.0) -> None:
        """Wait until so many more were confirmed."""
        wanted = self.total + by

        def enough() -> bool:
            assert self._producing is not None
            if self._producing.done():
                self._producing.result()
            return self.total >= wanted

        await until(enough, within=within, what=f"{by} more appends are confirmed")

    async def stop_producing(self) -> None:
        """Let the append at hand be, known or not."""
        self._stop = True
        if self._producing is not None:
            producing, self._producing = self._producing, None
            await asyncio.wait({producing}, timeout=20.0)
            producing.cancel()
            await asyncio.wait({producing})
            if not producing.cancelled() and (problem := producing.exception()):
                raise problem

    async def seen(self) -> dict[str, list[str]]:
        """What the listers wrote down, by entity."""
        found = {}
        for entity in ENTITIES:
            name = self.keys.name(f"seen:{entity}", self.keys.partition_of(entity))
            found[entity] = [row.decode() for row in await command(self.one.store.commands, "LRANGE", name, 0, -1)]
        return found

    async def nothing_confirmed_is_lost(self, within: float = 30.0) -> None:
        """All that was confirmed is in the log and was handled once, in order; at most one more of each entity."""

        async def rests() -> bool:
            with suppress(StoreUnavailable, Halted):
                return all(look.at_rest for look in await self.one.looks())
            return False

        await until(rests, within=within, what="every partition at rest")
        found = await self.seen()
        for entity, count in self.confirmed.items():
            wanted = [f"{entity}-{n}" for n in range(1, len(found[entity]) + 1)]
            assert found[entity] == wanted, f"twice or out of order: {found[entity]}"
            assert count <= len(found[entity]) <= count + 1, f"{entity}: {count} confirmed, {len(found[entity])} there"


@asynccontextmanager
async def at_work(
    url: str, *, partitions: int, producing: bool = True, confirm_replicas: int | None = None
) -> AsyncIterator[Work]:
    """A host with a lister on every partition, and a producer. `confirm_replicas`: None, what the topology gives."""
    keys = Keyspace(tagged(partitions))
    plan = ClusterPlan(
        [LogPlan(tagged(partitions), OpenCodec())],
        [ActorPlan("lister", "listers", LOG, lambda partition: TaggedLister(keys, partition))],
    )
    options = structs.replace(QUICK, lease=structs.replace(QUICK.lease, ttl_seconds=5.0, margin_seconds=0.5))
    async with running_host(
        StoreAddress.parse(url),
        plan=plan,
        partitions=partitions,
        options=options,
        clients=CLIENTS,
        confirm_replicas=confirm_replicas,
    ) as one:
        work = Work(one, partitions)
        await one.holds(partitions)
        if producing:
            work.produce()
        try:
            yield work
        finally:
            await work.stop_producing()
