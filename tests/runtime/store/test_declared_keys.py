"""On a Redis Cluster: every key that the library touches is declared, and all share the partition's slot.

A server in cluster mode refuses a function the moment that it touches a key which was not declared, if that
lies in another slot; one node that owns all slots is enough to see it. Each call is made here once.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from runtime.answers import Settled
from runtime.effects import HashIncrement, ListPush, Publish, StreamAdd
from runtime.embedded.server import running_server
from runtime.errors import StoreMisused
from runtime.store import functions, position
from runtime.store.append import Appended
from runtime.store.clients import StoreAddress, open_commands
from runtime.store.encoding import pack
from runtime.store.keys import PROCESS_DESCRIPTIONS, PROCESSES, LogSpec
from runtime.store.parking import DeadLetters, park_effects
from runtime.store.reads import Command, Reads
from tests.support.things import START, Things, facts, open_things
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from redis.asyncio import Redis

G = "listers"
TAGGED = LogSpec("things", "thing", "thingId", tagged=True)
NOW = "2026-01-01T00:00:00+00:00"


@pytest.fixture(scope="module")
def node() -> Iterator[StoreAddress]:
    """Give the address of a server in cluster mode that owns every slot; it takes two seconds to see that."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        context = running_server(directives={"cluster-enabled": "yes"})
        server = runner.run(context.__aenter__())
        try:
            address = StoreAddress.parse(server.url)
            runner.run(join(address))
            yield address
        finally:
            runner.run(context.__aexit__(None, None, None))


@pytest.fixture
async def cluster(node: StoreAddress) -> AsyncIterator[Redis]:
    """Give a client of that server, emptied."""
    client = open_commands(node, max_connections=4)
    await client.flushall()
    yield client
    await client.aclose()


async def join(address: StoreAddress) -> None:
    """Give the one node every slot."""
    client = open_commands(address, max_connections=1)
    send: Any = client.execute_command
    await send("CLUSTER", "ADDSLOTSRANGE", 0, 16383)

    async def ready() -> bool:
        return b"cluster_state:ok" in await send("CLUSTER", "INFO")

    await until(ready, what="the cluster is up")
    await client.aclose()


async def with_parked(client: Redis) -> tuple[Things, str]:
    """A log in the cluster with one parked entry, settled; the position."""
    things = await open_things(client, G, spec=TAGGED)
    await things.add("T1")
    await things.resync(G, start=True)
    entries = await things.read(G)
    parks = park_effects(things.keys, G, 0, entries[0], "T1", "broken", 1, NOW, held=False, now=NOW)
    answer = await things.settle(G, START, entries, *parks, token="one")
    assert isinstance(answer, Settled)
    return things, answer.position


async def test_append_and_settle_touch_declared_keys_only(cluster: Redis) -> None:
    things = await open_things(cluster, G, spec=TAGGED)
    name = things.keys.name
    own = HashIncrement(name("total"), {"n": 1})
    assert isinstance(await things.append(facts("T1", 0, 2, own, command="c")), Appended)
    assert isinstance(await things.append(facts("T1", 0, 2, own, command="c")), Appended)
    await things.resync(G, start=True)
    wanted = [ListPush(name("seen"), ("a",)), StreamAdd(name("out"), ("f", "v")), Publish("hint", "x")]
    answer = await things.settle(G, START, await things.read(G), *wanted, facts("T2", 0, 1, own, command="d"))
    assert isinstance(answer, Settled)


async def test_parking_trying_again_and_dropping_touch_declared_keys_only(cluster: Redis) -> None:
    things, at = await with_parked(cluster)
    letters = DeadLetters(cluster, Reads(cluster), things.keys)
    (letter,) = await letters.listed(G)
    assert await letters.retry(G, 0, ["*"], who="ann", why="x") == 1
    await functions.call(cluster, functions.UNRETRY, [things.keys.retries(G)], ["T1"])
    assert await letters.drop(letter, who="ann", why="x")
    held = await things.settle(G, at, [], ListPush(things.keys.name("seen"), ("a",)), after="one")
    assert isinstance(held, Settled)


async def test_looks_marks_resync_and_halts_touch_declared_keys_only(cluster: Redis) -> None:
    things, at = await with_parked(cluster)
    await things.look(G)
    await functions.call(cluster, functions.FORGED, [things.keys.history("T1")], [pack([(1, 1, "1-1")])])
    assert await position.mark(cluster, things.keys, G, 0, at, "1-1", "me")
    await position.clear_start(cluster, things.keys, G, 0, "me")
    await cluster.xgroup_destroy(things.keys.log(), G)
    assert (await things.resync(G, start=True)).healed
    names = [things.keys.state(), things.keys.operations(), things.keys.position(G)]
    for reason in ("stop", ""):
        await functions.call(cluster, functions.HALT, names, ["ann", reason, "note"])


async def test_a_halt_after_a_loss_touches_declared_keys_only(cluster: Redis) -> None:
    things, at = await with_parked(cluster)
    await cluster.xtrim(things.keys.log(), maxlen=0, approximate=False)
    assert not isinstance(await things.settle(G, at, [], after="one"), Settled)
    assert "LOST" in await things.halted()


async def test_beats_and_leases_touch_declared_keys_only(cluster: Redis) -> None:
    things = await open_things(cluster, G, spec=TAGGED)
    await functions.call(cluster, functions.BEAT, [PROCESSES, PROCESS_DESCRIPTIONS], ["p", 1000, "{}"])
    await functions.call(cluster, functions.LEASE, [things.keys.lease(G, 0)], ["p", 1000, "take"])


async def test_reads_need_no_common_slot_and_come_back_in_order(node: StoreAddress, cluster: Redis) -> None:
    """Each goes to the owner of its key; the one that is refused is named."""
    for number in range(20):
        await cluster.hset(f"hash-{number}", "n", str(number))
    client = open_commands(
        msgspec.structs.replace(node, cluster=True, nodes=((node.host, node.port),)), max_connections=2
    )
    try:
        questions: list[Command] = [("HGET", f"hash-{number}", "n") for number in range(20)]
        assert await Reads(client).many(questions) == [str(number).encode() for number in range(20)]
        with pytest.raises(StoreMisused, match=r"WRONGTYPE.*\(asked: GET hash-7\)"):
            await Reads(client).many([*questions, ("GET", "hash-7")])
    finally:
        await client.aclose()


async def test_plain_names_are_refused_as_a_whole_by_a_cluster(cluster: Redis) -> None:
    """C6: without tags the keys of one call lie in several slots."""
    with pytest.raises(StoreMisused):
        await open_things(cluster, G)
    assert await cluster.dbsize() == 0
