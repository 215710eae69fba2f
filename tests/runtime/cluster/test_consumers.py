"""Consumers come and go with the processes; the groups keep those of the living, and nothing pending is dropped.

Who lives says the registry. A consumer that was only slow is fenced, whether its name is still there or not.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from runtime.answers import Settled
from runtime.cluster.registry import Registry
from runtime.effects import ListPush
from runtime.signals import WaitDeclared
from runtime.store import position
from runtime.store.keys import PROCESS_DESCRIPTIONS
from tests.support.hosts import card, outside, running_host
from tests.support.things import START, Things, open_things
from tests.support.waiting import until
from tests.support.windows import window

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from runtime.store.clients import StoreAddress

pytestmark = pytest.mark.permanent_keys("*")

G = "listers"
NAMES = 1000


async def names_of(things: Things) -> set[str]:
    """The consumers of the group."""
    return {one["name"].decode() for one in await things.client.xinfo_consumers("things", G)}


async def tidied(things: Things, *living: str) -> int:
    """The first of the living tidies."""
    return await position.tidy(things.client, things.keys, G, 0, living[0], living)


async def settle(things: Things, name: str, at: str, count: int = 2) -> str:
    """Read and settle; where it stands then."""
    entries = await things.read(G, name, count)
    seen = ListPush("seen", tuple(entry.event_id for entry in entries))
    answer = await things.settle(G, at, entries, seen)
    assert isinstance(answer, Settled)
    return answer.position


async def test_a_thousand_processes_later_only_the_living_are_consumers_and_nothing_was_dropped(
    commands: Redis,
) -> None:
    """A third dies with entries pending, a third leaves in good order, a third reads on after it was replaced."""
    things = await open_things(commands, G)
    await things.add("T1", NAMES)
    await things.add("T1", 50)
    for n in range(NAMES):
        name = f"pod-{n}"
        at = (await things.resync(G, name, start=True)).position
        await settle(things, name, at, 1)
        if n % 3 == 0:
            await things.read(G, name, 3)
        elif n % 3 == 1:
            await position.clear_start(commands, things.keys, G, 0, name)
        else:
            await things.resync(G, f"heir-{n}", start=True)
            await things.read(G, name, 2)
    last = await things.resync(G, "steady", start=True)
    assert await names_of(things) <= {"steady"}
    await things.read(G, "late zombie", 1)
    await things.resync(G, "steady")
    while (await things.look(G)).backlog:
        last_position = (await things.look(G)).position
        await settle(things, "steady", last_position, 100)
    assert await tidied(things, "steady") == 1
    assert await names_of(things) == {"steady"}
    assert last.settled == NAMES
    assert await things.list("seen") == [f"T1-{n}" for n in range(1, NAMES + 51)]
    assert (await things.look(G)).at_rest


async def test_a_registry_that_saw_a_thousand_processes_knows_the_living_only(commands: Redis) -> None:
    await open_things(commands)
    for n in range(NAMES):
        await Registry(commands, card(f"pod-{n}"), 0.001).beat()
    steady = Registry(commands, card("steady"), 60.0)

    async def alone() -> bool:
        return set(await steady.beat()) == {"steady"}

    await until(alone, what="the others have run out")
    assert await commands.hkeys(PROCESS_DESCRIPTIONS) == [b"steady"]


async def test_a_dead_consumer_with_something_pending_is_kept_until_the_owner_has_taken_it_over(
    commands: Redis,
) -> None:
    things = await open_things(commands, G)
    await things.add("T1", 3)
    await things.resync(G, "steady", start=True)
    await things.read(G, "dead", 2)
    assert await tidied(things, "steady") == 0
    assert await names_of(things) == {"steady", "dead"} or await names_of(things) == {"dead"}
    at = (await things.resync(G, "steady")).position
    await settle(things, "steady", at, 3)
    assert await tidied(things, "steady") == 1
    assert await things.list("seen") == ["T1-1", "T1-2", "T1-3"]


async def test_only_the_owner_tidies_and_never_a_living_consumer(commands: Redis) -> None:
    things = await open_things(commands, G)
    for name in ("steady", "living", "dead"):
        await things.read(G, name)
    await things.resync(G, "steady", start=False)
    assert await position.tidy(commands, things.keys, G, 0, "living", ["living"]) == 0
    await things.client.hset(things.keys.position(G), "started", "steady")
    assert await tidied(things, "steady", "living") == 1
    assert await names_of(things) == {"steady", "living"}


async def test_a_slow_process_whose_consumer_was_deleted_is_fenced_and_its_entries_are_read_again(
    commands: Redis,
) -> None:
    """It was taken for dead with a batch at hand: redis-facts S14."""
    things = await open_things(commands, G)
    await things.add("T1", 4)
    await things.resync(G, "slow", start=True)
    batch = await things.read(G, "slow", 2)
    await things.resync(G, "heir", start=True)
    assert await names_of(things) <= {"heir"}
    late = await things.settle(G, START, batch, ListPush("seen", ("slow",)))
    assert not isinstance(late, Settled)  # GAP: the batch is pending at nobody
    await things.resync(G, "heir")
    at = await settle(things, "heir", START, 4)
    assert not isinstance(await things.settle(G, START, batch, ListPush("seen", ("slow",))), Settled)
    assert await things.list("seen") == ["T1-1", "T1-2", "T1-3", "T1-4"]
    assert (await things.look(G)).position == at


async def test_a_reader_whose_consumer_is_deleted_under_its_blocked_read_loses_nothing(
    store_address: StoreAddress,
) -> None:
    async with outside(store_address) as client, running_host(store_address, name="steady") as one:
        await client.add("T1")
        await client.at_rest()
        assert await client.consumers() == {"steady"}
        await client.commands.xgroup_delconsumer(client.keys.log(), G, "steady")
        await client.add("T1", 2)
        await one.at_rest()
        await client.nothing_lost_nothing_twice()


async def test_a_runner_at_rest_removes_the_consumers_of_the_dead_by_itself(store_address: StoreAddress) -> None:
    async with outside(store_address) as client, running_host(store_address, name="steady") as one:
        await client.add("T1", 2)
        await one.at_rest()
        for n in range(20):
            words = ("XREADGROUP", "GROUP", G, f"gone-{n}", "STREAMS", client.keys.log(), ">")
            await client.commands.execute_command(*words)  # type: ignore[no-untyped-call]

        async def only_steady() -> bool:
            return await client.consumers() == {"steady"}

        await until(only_steady, what="the dead are gone")
        await client.add("T1", 1)
        await client.at_rest()
        await client.nothing_lost_nothing_twice()


@window("W11")
async def test_a_runner_whose_lease_has_run_out_goes_on_only_when_it_has_one_again(
    store_address: StoreAddress,
) -> None:
    """W11: what a process does first after SIGCONT, before its membership has beaten again."""
    async with outside(store_address) as client, running_host(store_address, name="steady") as one:
        await client.add("T1")
        await client.at_rest()
        leases = one.host.membership._leases
        release = asyncio.Event()
        take = leases.take

        async def beaten_later(seats: object) -> object:
            await release.wait()
            return await take(seats)  # type: ignore[arg-type]

        leases.take = beaten_later  # type: ignore[method-assign,assignment]
        await until(lambda: not one.host.membership.leased, what="the lease has run out")
        await client.add("T1", 3)
        await one.signals.wait_for(WaitDeclared, reason="lease")
        assert [look.settled for look in await client.looks()] == [1]
        release.set()
        await client.at_rest()
        await client.nothing_lost_nothing_twice()
