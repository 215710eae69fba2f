"""An actor is a name, a group and handlers that return what they want; the runtime does the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.actor import Actor, handles
from runtime.effects import Effects, HashIncrement
from runtime.plan import ActorPlan
from tests.support.hosts import LOG, plan_of, running_host
from tests.support.store import command

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from runtime.entry import Entry
    from runtime.store.clients import StoreAddress


class Counter(Actor):
    name = "counter"
    group = "counters"

    @handles("thing.happened")
    def count(self, entry: Entry) -> Effects:
        return [HashIncrement("happened", {entry.entity: 1})]


async def test_an_actor_in_ten_lines_counts_every_event_once(store_address: StoreAddress, commands: Redis) -> None:
    plan = plan_of(ActorPlan("counter", "counters", LOG, lambda partition: Counter()))
    async with running_host(store_address, plan=plan) as cluster:
        await cluster.add("kettle", 3)
        await cluster.add("lamp", 2)
        await cluster.at_rest(group="counters")
    assert await command(commands, "HGETALL", "happened") == {b"kettle": b"3", b"lamp": b"2"}
