"""Doubt: a late resync, a late read, a buffer that was read ahead, an id that is no number; each heals or never was."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from runtime.answers import Gap
from runtime.effects import ListPush
from runtime.store import position
from tests.support.running import BLOCK_MS, Lister, serving
from tests.support.store import command
from tests.support.things import START, Things, open_things
from tests.support.waiting import until
from tests.support.windows import window

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis.asyncio import Redis

    from runtime.effects import Effects
    from runtime.entry import Batch
    from runtime.store.clients import StoreAddress

G = "listers"
BEYOND_DOUBLES = 2**53
"""From here on a double holds every second integer only: this one and the next are equal as numbers of Lua."""


@window("W8")
async def test_a_swallowed_entry_is_a_gap_when_only_the_last_digit_of_its_id_differs(commands: Redis) -> None:
    """W8: a producer sent the same event twice, under ids that are one number in Lua; a lost read had the first."""
    things = await open_things(commands, G)
    for number in (BEYOND_DOUBLES, BEYOND_DOUBLES + 1):
        await command(commands, "XADD", "things", f"{number}-0", "eventId", "same")
    await things.read(G, "lost", count=1)
    await commands.xgroup_delconsumer("things", G, "lost")
    assert isinstance(await things.settle(G, START, await things.read(G)), Gap)
    assert (await things.look(G)).position == START


class Late:
    """A client on whose way to the store others are quicker: just before its first write `meanwhile` happens."""

    def __init__(self, client: Any, meanwhile: Callable[[], Awaitable[None]]) -> None:
        """`client` does the calls."""
        self._client = client
        self._meanwhile = meanwhile
        self._happened = False

    async def execute_command(self, *words: Any, **options: Any) -> Any:
        """Send one command."""
        if not self._happened and words[0] not in ("HGET", "HMGET", "XRANGE"):
            self._happened = True
            await self._meanwhile()
        return await self._client.execute_command(*words, **options)


@window("W13")
async def test_a_resync_that_arrives_late_puts_the_cursor_where_the_position_is_by_then(commands: Redis) -> None:
    """W13: its owner was slow; another one settled everything in between. Nobody else comes to repair it."""
    things = await open_things(commands, G)
    await things.add("T1", 3)

    async def meanwhile() -> None:
        await settled_by_the_heir(things)

    late = Late(commands, meanwhile)
    standing = await position.resync(late, things.log, G, 0, "zombie", start=False)
    look = await things.look(G)
    assert standing.position == look.position == look.delivered
    assert look.pending == 0


async def settled_by_the_heir(things: Things) -> None:
    """Another owner does all that there is."""
    await things.settle(G, START, await things.read(G, "heir"))


async def test_a_resync_goes_over_the_connection_that_reads(commands: Redis, store_address: StoreAddress) -> None:
    """S3: over another one it could overtake a read that is still on its way."""
    things = await open_things(commands, G)
    async with serving(store_address, things, Lister()) as served:
        await served.until_rest()
        reader: Any = served.link._reader
        over: list[str] = []

        def noting(name: str, real: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
            async def call(*words: Any, **options: Any) -> Any:
                if words[:2] == ("FCALL", "cs_resync_1"):
                    over.append(name)
                return await real(*words, **options)

            return call

        for name, client in (("reader", reader._client), ("commands", reader._commands)):
            client.execute_command = noting(name, client.execute_command)
        await commands.xgroup_destroy("things", G)
        await things.add("T1", 1)
        await served.until_rest()
    assert over and set(over) == {"reader"}


@window("W8")
async def test_a_read_that_is_answered_late_is_waited_for(commands: Redis, store_address: StoreAddress) -> None:
    """W8, R4: a read that is given up may take entries along. None is ever given up, so no doubt arises."""
    things = await open_things(commands, G)
    async with serving(store_address, things, Lister()) as served:
        await served.started.wait()
        reader: Any = served.link._reader
        real, late = reader._send, 0

        async def slow_way_back(*words: Any, **options: Any) -> Any:
            nonlocal late
            reply = await real(*words, **options)
            if words[0] == "XREADGROUP" and reply and late < 3:
                late += 1
                await asyncio.sleep(BLOCK_MS / 1000 * 3)  # the link is slow: no condition is waited for here
            return reply

        reader._send = slow_way_back
        for n in range(5):
            await things.add(f"T{n}", 1)
        await served.until_rest()
    assert late >= 1
    assert served.resyncs == ["start"]
    assert await things.list("seen") == [f"T{n}-1" for n in range(5)]


@window("W10")
@pytest.mark.parametrize("doubt", ["fenced", "gap"])
async def test_what_was_read_ahead_is_forgotten_with_the_batch_that_was_refused(
    commands: Redis, store_address: StoreAddress, doubt: str
) -> None:
    """W10: one doubt, one resync; a buffer that outlived it would be a gap, and the one read behind that another."""
    things = await open_things(commands, G)
    ids = await things.add("T1", 40)

    async def read_ahead() -> bool:
        return (await things.look(G)).delivered == ids[7]

    class Unlucky(Lister):
        async def handle(self, batch: Batch) -> Effects:
            first, effects = not self.given, await super().handle(batch)
            if first:
                await until(read_ahead, what="the next batch is in the buffer")
            if first and doubt == "fenced":
                await things.resync(G, "heir")
                await things.settle(G, START, await things.read(G, "heir", count=2), *effects_of("T1-1", "T1-2"))
            elif first:
                await commands.xgroup_delconsumer("things", G, "p1")
            return effects

    async with serving(store_address, things, Unlucky(), batch=4) as served:
        await served.until_rest()
        assert served.resyncs == ["start", doubt]
    assert await things.list("seen") == [f"T1-{n}" for n in range(1, 41)]


def effects_of(*event_ids: str) -> list[ListPush]:
    """What the lister wants for these."""
    return [ListPush("seen", event_ids)]
