"""A store that says less than it has confirmed was rolled back: the partition halts, and an operator lets it go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.running import Lister, serving
from tests.support.things import open_things
from tests.support.waiting import until
from tests.support.windows import window

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from runtime.store.clients import StoreAddress

G = "listers"


@window("W29")
async def test_a_position_below_what_was_confirmed_halts_the_partition_and_nothing_is_applied_again(
    commands: Redis, store_address: StoreAddress
) -> None:
    """W29: what a restored copy of the store looks like to a runner that lives on."""
    things = await open_things(commands, G)
    first = await things.add("T1", 3)
    async with serving(store_address, things, Lister()) as served:
        await served.until_rest()
        before = await things.list("seen")
        await commands.hset(things.log.keys.position(G), mapping={"id": first[0], "settled": "1"})
        await things.add("T2", 1)
        detail = await served.until_wait("halted")
        assert "ROLLED BACK" in detail
        assert first[0] in detail
        assert first[2] in detail
        assert await things.list("seen") == before
        assert (await things.halted()).startswith("ROLLED BACK")


async def test_a_halt_by_an_operator_is_no_sign_of_a_rollback(commands: Redis, store_address: StoreAddress) -> None:
    things = await open_things(commands, G)
    await things.add("T1", 3)
    async with serving(store_address, things, Lister()) as served:
        await served.until_rest()
        await commands.hset(things.log.keys.state(), "halted", "maintenance")
        assert "maintenance" in await served.until_wait("halted")
        await commands.hdel(things.log.keys.state(), "halted")

        await things.add("T2", 1)

        async def applied() -> bool:
            return "T2-1" in await things.list("seen")

        await until(applied, what="the runner goes on once the operator lets it")
