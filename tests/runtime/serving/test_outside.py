"""Actors with effects outside the store, and with work that is due by time, on a real server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.actor import Actor
from runtime.effects import Effects, HashIncrement, HashSet, ListPush
from tests.support.running import Lister, serving
from tests.support.things import open_things
from tests.support.waiting import until
from tests.support.windows import window

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from runtime.entry import Batch
    from runtime.store.clients import StoreAddress

G = "listers"


@window("W36")
async def test_the_mark_of_an_attempt_is_in_the_store_before_the_outside_call(
    commands: Redis, store_address: StoreAddress
) -> None:
    """W36: what was tried is known even when the process dies inside the call."""
    things = await open_things(commands, G)
    await things.add("T1", 2)
    marks: list[object] = []

    class Calls(Actor):
        name = "caller"
        group = G

        async def handle(self, batch: Batch) -> Effects:
            return [HashSet("tried", {entry.event_id: "1" for entry in batch.entries})]

        async def perform(self, batch: Batch) -> Effects:
            marks.append(await commands.hgetall("tried"))
            return [ListPush("seen", tuple(entry.event_id for entry in batch.entries))]

    async with serving(store_address, things, Calls()) as served:
        await served.until_rest()
    assert marks == [{b"T1-1": b"1", b"T1-2": b"1"}]
    assert await things.list("seen") == ["T1-1", "T1-2"]


@window("W37")
async def test_a_zombie_is_fenced_before_its_outside_call(commands: Redis, store_address: StoreAddress) -> None:
    """W37: its mark is a settle without entries; another one was settled since, at the same position."""
    things = await open_things(commands, G)
    await things.add("T1", 1)
    called: list[str] = []

    class Calls(Actor):
        name = "caller"
        group = G
        first = True

        async def handle(self, batch: Batch) -> Effects:
            if self.first:
                self.first = False
                standing = await things.resync(G, "heir", start=True)
                await things.settle(G, standing.position, [], HashSet("tried", {"by": "heir"}), after=standing.token)
            called.append("handled")
            return [HashSet("tried", {"by": "zombie"})]

        async def perform(self, batch: Batch) -> Effects:
            called.append((await things.client.hget("tried", "by")).decode())
            return ()

    async with serving(store_address, things, Calls()) as served:
        await served.until_rest()
    assert "fenced" in served.resyncs
    assert called == ["handled", "handled", "zombie"]  # once fenced, then again as the owner that it is


async def test_what_is_due_by_time_is_done_without_any_entry(commands: Redis, store_address: StoreAddress) -> None:
    things = await open_things(commands, G)

    class Ticks(Lister):
        async def tick(self, partition: int) -> Effects:
            return [HashIncrement("ticks", {str(partition): 1})]

    async with serving(store_address, things, Ticks(), block_ms=20):

        async def three() -> bool:
            return int(await commands.hget("ticks", "0") or 0) >= 3

        await until(three, what="three ticks")
