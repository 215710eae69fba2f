"""A runner that leaves in good order hands back what it had read ahead: nothing stays pending at nobody."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from runtime.effects import ListPush
from runtime.store import position
from tests.support.running import Lister, serving
from tests.support.things import START, open_things
from tests.support.windows import window

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from runtime.effects import Effects
    from runtime.entry import Batch
    from runtime.store.clients import StoreAddress

pytestmark = pytest.mark.permanent_keys("*")

G = "listers"


class Slow(Lister):
    """Says when its first batch came."""

    def __init__(self) -> None:
        """Nothing came yet."""
        super().__init__()
        self.came = asyncio.Event()

    async def handle(self, batch: Batch) -> Effects:
        """As slow as a batch with many reads."""
        self.came.set()
        await asyncio.sleep(0.05)
        return await super().handle(batch)


@window("W46")
async def test_what_a_drained_runner_had_read_ahead_is_pending_at_nobody(
    commands: Redis, store_address: StoreAddress
) -> None:
    """W46: also when there is no next owner yet, nothing looks as if somebody worked on it."""
    things = await open_things(commands, G)
    await things.add("T1", 10)
    actor = Slow()
    async with serving(store_address, things, actor, batch=2, process="a") as served:
        await actor.came.wait()
        await served.stop()
    look = await things.look(G)
    assert 0 < look.settled < 10
    assert (look.pending, look.delivered, look.started) == (0, look.position, "")
    assert await commands.xinfo_consumers("things", G) == []
    async with serving(store_address, things, Lister(), process="b") as heir:
        await heir.until_rest()
    assert await things.list("seen") == [f"T1-{n}" for n in range(1, 11)]


@window("W13")
async def test_a_late_leave_takes_nothing_from_the_next_owner(commands: Redis) -> None:
    """W13: the cursor and the pending entries are those of the one that started last."""
    things = await open_things(commands, G)
    await things.add("T1", 4)
    await things.resync(G, "old", start=True)
    await things.read(G, "old")
    await things.resync(G, "new", start=True)
    entries = await things.read(G, "new", count=3)
    await position.clear_start(commands, things.keys, G, 0, "old")
    look = await things.look(G)
    assert (look.pending, look.delivered) == (3, entries[-1].id)
    await things.settle(G, START, entries, ListPush("seen", ("three",)))
    assert (await things.look(G)).settled == 3


async def test_leaving_a_group_that_somebody_destroyed_is_no_error(commands: Redis) -> None:
    things = await open_things(commands, G)
    await things.add("T1", 1)
    await things.resync(G, "p1", start=True)
    await commands.xgroup_destroy("things", G)
    await position.clear_start(commands, things.keys, G, 0, "p1")
    assert (await things.resync(G, "p2", start=True)).healed
