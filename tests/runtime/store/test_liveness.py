"""beat and lease on a real server: who lives, and who serves what. For liveness only."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from runtime.store import functions
from runtime.store.keys import PROCESS_DESCRIPTIONS, PROCESSES
from tests.support.things import open_things
from tests.support.waiting import until

if TYPE_CHECKING:
    from redis.asyncio import Redis

PLACES = [PROCESSES, PROCESS_DESCRIPTIONS]


async def beat(commands: Redis, process: str, ms: int, about: str = "{}") -> list[Any]:
    """Beat, and give the living."""
    return await functions.call(commands, functions.BEAT, PLACES, [process, ms, about])


async def lease(commands: Redis, process: str, ms: int, **wishes: str) -> list[bytes]:
    """Take or release leases by name; the owners."""
    return (await functions.call(commands, functions.LEASE, list(wishes), [process, ms, *wishes.values()]))[1:]


async def test_a_process_that_beats_is_living_with_its_description(commands: Redis) -> None:
    await open_things(commands)
    await beat(commands, "p1", 60_000, "one")
    assert await beat(commands, "p2", 60_000, "two") == [b"OK", b"p1", b"one", b"p2", b"two"]


async def test_a_process_that_stops_beating_is_gone_after_its_time(commands: Redis) -> None:
    await open_things(commands)
    await beat(commands, "p1", 1, "one")

    async def alone() -> bool:
        return await beat(commands, "p2", 60_000, "two") == [b"OK", b"p2", b"two"]

    await until(alone, what="p1 is gone")
    assert await commands.hkeys(PROCESS_DESCRIPTIONS) == [b"p2"]


async def test_a_process_that_leaves_is_gone_at_once(commands: Redis) -> None:
    await open_things(commands)
    await beat(commands, "p1", 60_000)
    assert await beat(commands, "p1", 0) == [b"OK"]
    assert await commands.dbsize() == 2  # the log of the test and its state


async def test_a_lease_has_one_owner_until_it_is_released_or_ends(commands: Redis) -> None:
    await open_things(commands)
    assert await lease(commands, "p1", 60_000, a="take", b="take") == [b"p1", b"p1"]
    assert await lease(commands, "p2", 60_000, a="take", b="release") == [b"p1", b"p1"]
    assert await lease(commands, "p1", 60_000, a="release", b="take") == [b"", b"p1"]
    assert await lease(commands, "p2", 60_000, a="take") == [b"p2"]


async def test_a_lease_that_is_not_renewed_ends(commands: Redis) -> None:
    await open_things(commands)
    await lease(commands, "p1", 1, a="take")

    async def taken() -> bool:
        return await lease(commands, "p2", 60_000, a="take") == [b"p2"]

    await until(taken, what="the lease of p1 has ended")


async def test_of_many_that_want_a_lease_at_once_one_gets_it(commands: Redis) -> None:
    await open_things(commands)
    answers = await asyncio.gather(*(lease(commands, f"p{n}", 60_000, a="take") for n in range(20)))
    assert len({owner for (owner,) in answers}) == 1
