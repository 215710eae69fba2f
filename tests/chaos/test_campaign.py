"""A seeded campaign: processes are killed and paused, the store is killed and paused, while events come in.

Verdict by counts: everything that was confirmed was seen once, in order, nothing is pending. Ordinary run: one seed,
a few seconds; `pytest -m chaos`: many. A failure names its seed.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

import pytest

from runtime.embedded.server import running_server
from runtime.errors import StoreUnavailable
from runtime.store.append import Appended
from runtime.store.clients import StoreAddress
from tests.support.hosts import Outside, outside
from tests.support.things import facts
from tests.support.worker_program import Worker, WorkerOrder, worker

if TYPE_CHECKING:
    from runtime.embedded.server import EmbeddedServer

PARTITIONS = 4


class Producer:
    """Appends until told to stop; asks again with the same command id when an answer was lost."""

    def __init__(self, client: Outside, chance: random.Random) -> None:
        """Entities `T0` to `T11`."""
        self.client = client
        self.chance = chance
        self.stopping = False

    async def run(self) -> None:
        """Append as fast as the store answers, with a breath in between."""
        number = 0
        while not self.stopping:
            entity = f"T{self.chance.randrange(12)}"
            await self.append(entity, f"command-{number}")
            number += 1
            await asyncio.sleep(0.002)

    async def append(self, entity: str, command: str) -> None:
        """One or two facts, however often it takes."""
        count, added = self.chance.randint(1, 2), self.client.added
        unit = facts(entity, added.get(entity, 0), count, command=command)
        while True:
            with suppress(StoreUnavailable):
                answer = await self.client.appender.append(unit)
                assert isinstance(answer, Appended), answer
                added[entity] = added.get(entity, 0) + count
                return
            await asyncio.sleep(0.05)


class Nemesis:
    """What happens to the cluster, by seed."""

    def __init__(self, server: EmbeddedServer, chance: random.Random) -> None:
        """Two workers; a dead one is followed by the next."""
        self.server = server
        self.chance = chance
        self.url = server.url
        self.workers: list[tuple[Worker, AsyncExitStack]] = []
        self.born = 0
        self.done: dict[str, int] = {}

    async def birth(self) -> None:
        """One more worker."""
        stack = AsyncExitStack()
        name = f"worker-{self.born}"
        self.born += 1
        order = WorkerOrder(url=self.url, name=name, partitions=PARTITIONS, slow_seconds=0.0005)
        self.workers.append((await stack.enter_async_context(worker(order)), stack))

    async def strike(self) -> None:
        """One fault."""
        fault = self.chance.choice([self.kill, self.pause, self.drain, self.pause_store, self.kill_store])
        self.done[fault.__name__] = self.done.get(fault.__name__, 0) + 1
        await fault()

    async def kill(self) -> None:
        """A worker dies; another one comes."""
        one, stack = self.workers.pop(self.chance.randrange(len(self.workers)))
        one.kill()
        await stack.aclose()
        await self.birth()

    async def drain(self) -> None:
        """A worker leaves in good order; another one comes."""
        one, stack = self.workers.pop(self.chance.randrange(len(self.workers)))
        one.drain()
        assert await one.ended(15.0) == 0, one.errors()
        await stack.aclose()
        await self.birth()

    async def pause(self) -> None:
        """A worker sleeps beyond its lease, and wakes up."""
        one, _ = self.chance.choice(self.workers)
        one.pause()
        await asyncio.sleep(1.3)  # the lease is 1 s
        one.wake()

    async def pause_store(self) -> None:
        """The store does not answer for longer than a reply may take."""
        os.kill(self.server.store.server_pid, signal.SIGSTOP)
        await asyncio.sleep(1.2)
        os.kill(self.server.store.server_pid, signal.SIGCONT)

    async def kill_store(self) -> None:
        """The store dies and comes back with everything that it confirmed."""
        os.kill(self.server.store.server_pid, signal.SIGKILL)
        await self.server.wait()
        await self.server.restart()

    async def end(self) -> None:
        """Nobody is left."""
        for _, stack in self.workers:
            await stack.aclose()


async def campaign(seed: int, strikes: int) -> None:
    """Run one seed."""
    chance = random.Random(seed)
    async with (
        running_server(appendfsync="always") as server,
        outside(StoreAddress.parse(server.url), PARTITIONS) as client,
    ):
        nemesis, producer = Nemesis(server, chance), Producer(client, chance)
        producing = asyncio.create_task(producer.run(), name="producer")
        try:
            await nemesis.birth()
            await nemesis.birth()
            for _ in range(strikes):
                await nemesis.strike()
                await asyncio.sleep(chance.uniform(0.0, 0.4))
            producer.stopping = True
            await producing
            await client.at_rest(30.0)
            await client.nothing_lost_nothing_twice()
            assert sum(client.added.values()) > 10 * strikes, "too little happened to say anything"
            assert [look.parked for look in await client.looks()] == [0] * PARTITIONS
        except BaseException as problem:
            problem.add_note(f"seed {seed}, faults {nemesis.done}")
            raise
        finally:
            producing.cancel()
            await asyncio.wait({producing})
            await nemesis.end()


@pytest.mark.slow
async def test_nothing_is_lost_or_doubled_while_processes_and_store_fail() -> None:
    await campaign(seed=3, strikes=5)


@pytest.mark.chaos
@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", range(20))
async def test_nothing_is_lost_or_doubled_in_a_long_run_of_failures(seed: int) -> None:
    await campaign(seed, strikes=25)
