"""What cannot be rolled back, and what must go on when nothing fits any more: OOM, rights, half a call."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from runtime.answers import Settled, Settlement, Stopped
from runtime.effects import (
    Delete,
    Effect,
    Expire,
    HashDelete,
    HashIncrement,
    HashSet,
    ListPush,
    ListRemove,
    Publish,
    Put,
    Raise,
    SetAdd,
    SetRemove,
    SortedSetAdd,
    SortedSetIncrement,
    SortedSetRemove,
    StreamAdd,
)
from runtime.embedded.server import running_server
from runtime.errors import Halted, StoreFull, StoreMisused
from runtime.store import functions, position
from runtime.store.append import Appender
from runtime.store.clients import Secret, StoreAddress, open_commands
from runtime.store.keys import PROCESS_DESCRIPTIONS, PROCESSES
from tests.support.store import command
from tests.support.things import START, facts, open_things
from tests.support.windows import window

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis

G = "listers"


@asynccontextmanager
async def own_store() -> AsyncIterator[Redis]:
    """Give a client of a server that the test may fill and configure."""
    async with running_server() as server:
        client = open_commands(StoreAddress.parse(server.url), max_connections=4)
        try:
            yield client
        finally:
            await client.aclose()


@window("W24")
async def test_a_full_store_refuses_appends_and_drains_until_it_takes_them_again() -> None:
    """W24: settle, resync, marks, leases, beats, a process that starts now: all go on."""
    async with own_store() as client:
        things = await open_things(client, G)
        await things.add("T1", 100)
        await client.config_set("maxmemory", "1")
        with pytest.raises(StoreFull):
            await things.add("T1")
        things = await open_things(client, G)
        await things.resync(G, start=True)
        entries = await things.read(G)
        assert await position.mark(client, things.keys, G, 0, START, entries[0].id, "me")
        answer = await things.settle(G, START, entries, ListPush("seen", ("a",)), facts("T2", 0, 1))
        assert isinstance(answer, Settled)
        await client.xgroup_destroy("things", G)
        assert (await things.resync(G)).healed
        await functions.call(client, functions.BEAT, [PROCESSES, PROCESS_DESCRIPTIONS], ["p", 1000, "{}"])
        await functions.call(client, functions.LEASE, [things.keys.lease(G, 0)], ["p", 1000, "take"])
        await things.look(G)
        await client.config_set("maxmemory", "0")
        assert len(await things.add("T1")) == 1


async def test_an_operator_can_halt_and_resume_while_the_store_is_full() -> None:
    async with own_store() as client:
        things = await open_things(client, G)
        await client.config_set("maxmemory", "1")
        names = [things.keys.state(), things.keys.operations(), things.keys.position(G)]
        for reason in ("stop", ""):
            await functions.call(client, functions.HALT, names, ["ann", reason, "note"])


async def limited(client: Redis, *rights: str) -> Redis:
    """Make a user with everything but these rights, and give a client of his."""
    send: Any = client.execute_command
    await send("ACL", "SETUSER", "half", "on", "resetpass", ">word", "~*", "&*", "+@all", *rights)
    address = StoreAddress(
        socket_path=client.connection_pool.connection_kwargs["path"], username="half", password=Secret("word")
    )
    return open_commands(address, max_connections=2)


@window("W17")
async def test_a_settle_that_was_torn_half_way_halts_the_partition_for_everybody() -> None:
    """W17: what no check can foresee: the first effect was written, the second refused."""
    async with own_store() as client:
        things = await open_things(client, G)
        await things.add("T1", 2)
        entries = await things.read(G)
        await end_of_ids(client, "ended")
        torn = await things.settle(G, START, entries, ListPush("seen", ("a",)), StreamAdd("ended", ("f", "v")))
        assert isinstance(torn, Stopped)
        assert torn.answer == "TORN"
        assert await things.list("seen") == ["a"]
        assert (await things.record(G))["id"] == START
        again = await things.settle(G, START, entries, ListPush("seen", ("a",)))
        assert isinstance(again, Stopped)
        assert again.answer == "HALTED"
        with pytest.raises(Halted, match="TORN"):
            await things.resync(G)
        with pytest.raises(Halted, match="TORN"):
            await things.add("T2")
        assert await things.list("seen") == ["a"]
        assert (await things.look(G)).torn


@window("W17")
async def test_a_torn_append_halts_the_partition() -> None:
    """W17: the events are in, an effect is not."""
    async with own_store() as client:
        things = await open_things(client, G)
        await end_of_ids(client, "ended")
        appender = Appender(client, {"things": things.log})
        wanted = msgspec.structs.replace(facts("T1", 0, 1), effects=(StreamAdd("ended", ("f", "v")),))
        for answer in ("TORN", "HALTED: TORN"):
            with pytest.raises(Halted, match=answer):
                await appender.append(wanted)
        assert await client.xlen("things") == 1


EFFECTS: dict[str, Effect] = {
    "hset": HashSet("k", {"f": "v"}),
    "hdel": HashDelete("k", ("f",)),
    "hincrby": HashIncrement("k", {"f": 1}),
    "sadd": SetAdd("k", ("m",)),
    "srem": SetRemove("k", ("m",)),
    "zadd": SortedSetAdd("k", {"m": 1}),
    "zincrby": SortedSetIncrement("k", {"m": 1}),
    "zrem": SortedSetRemove("k", ("m",)),
    "rpush": ListPush("k", ("m",)),
    "lrem": ListRemove("k", ("m",)),
    "set": Put("k", "v"),
    "del": Delete("k"),
    "pexpire": Expire("k", 1000),
    "xadd": StreamAdd("k", ("f", "v")),
    "publish": Publish("c", "m"),
}


@window("W17")
@pytest.mark.parametrize("verb", EFFECTS)
async def test_an_effect_that_its_user_may_not_have_leaves_nothing_of_its_settle(verb: str) -> None:
    """W17: no right is missed in the middle: what comes before the refused effect is not written either."""
    async with own_store() as client:
        things = await open_things(client, G)
        await things.add("T1", 2)
        entries = await things.read(G)
        half = await limited(client, f"-{verb}")
        before = await contents(client)
        first = ListPush("seen", ("a",)) if verb == "set" else Raise("high", 1)
        wanted = Settlement(entries, [first, EFFECTS[verb]])
        with pytest.raises(StoreMisused, match="nothing was written"):
            await things.settler(G, half).settle(START, "t", wanted)
        assert await contents(client) == before
        await half.aclose()
        settled = await things.settle(G, START, entries, EFFECTS[verb])
        assert isinstance(settled, Settled), "whoever may goes on from there"


async def test_a_user_who_may_count_in_a_hash_but_not_set_it_counts() -> None:
    """Sums are written as what comes out, by whoever may; rules of ours have counters that nobody may set."""
    async with own_store() as client:
        things = await open_things(client, G)
        await things.add("T1")
        entries = await things.read(G)
        await client.hset("k", "a", "5")
        counting = await limited(client, "-hset", "(~things* +hset)")
        wanted = Settlement(entries, [HashIncrement("k", {"a": -2, "b": 1})])
        assert isinstance(await things.settler(G, counting).settle(START, "t", wanted), Settled)
        assert await client.hgetall("k") == {b"a": b"3", b"b": b"1"}
        await counting.aclose()


@pytest.mark.parametrize("verb", ["xadd", "set", "rpush", "hset"])
async def test_an_append_that_its_user_may_not_finish_is_not_begun(verb: str) -> None:
    async with own_store() as client:
        things = await open_things(client, G)
        half = await limited(client, f"-{verb}")
        before = await contents(client)
        with pytest.raises(StoreMisused, match=r"may not .*nothing was written"):
            await Appender(half, {"things": things.log}).append(facts("T1", 0, 1, command="c"))
        assert await contents(client) == before
        await half.aclose()


async def contents(client: Redis) -> dict[bytes, bytes]:
    """Every key with what it holds, as the server would dump it."""
    return {key: await command(client, "DUMP", key) async for key in client.scan_iter()}


async def end_of_ids(client: Redis, stream: str) -> None:
    """A stream that takes no further entry: the one error of a write that cannot be seen before."""
    await command(client, "XADD", stream, "18446744073709551615-18446744073709551615", "f", "v")


async def test_a_partition_that_was_repaired_and_resumed_goes_on() -> None:
    async with own_store() as client:
        things = await open_things(client, G)
        await client.hset("things:position:listers", "torn", "x")
        await client.hset("things:state", "halted", "TORN: x")
        names = [things.keys.state(), things.keys.operations(), things.keys.position(G)]
        await functions.call(client, functions.HALT, names, ["ann", "", "repaired by hand"])
        await things.add("T1")
        await things.resync(G)
        assert isinstance(await things.settle(G, START, await things.read(G)), Settled)


async def test_what_comes_behind_a_torn_append_in_the_same_call_is_refused() -> None:
    async with own_store() as client:
        things = await open_things(client, G)
        await end_of_ids(client, "full")
        torn = facts("T2", 0, 1, StreamAdd("full", ("f", "v")))
        with pytest.raises(Halted):
            await Appender(client, {"things": things.log}).append_many([facts("T1", 0, 1), torn, facts("T3", 0, 1)])
        keys = things.keys
        assert await client.exists(keys.head("T1")) == 1
        assert await client.exists(keys.head("T3"), keys.snapshot("T3"), keys.history("T3")) == 0


@window("W17")
async def test_a_user_who_could_not_leave_the_torn_mark_writes_nothing_at_all() -> None:
    """W17: half a call without a mark would be done again."""
    async with own_store() as client:
        things = await open_things(client, G)
        await things.add("T1")
        entries = await things.read(G)
        half = await limited(client, "-hset")
        things.client = half
        with pytest.raises(StoreMisused):
            await things.settle(G, START, entries, ListPush("seen", ("a",)))
        with pytest.raises(StoreMisused):
            await Appender(half, {"things": things.log}).append(facts("T2", 0, 1))
        await half.aclose()
        assert not await client.exists("seen", "thing:T2:head")
        assert await client.xlen("things") == 1


async def test_a_user_who_may_not_acknowledge_is_told_so_instead_of_reading_for_ever() -> None:
    async with own_store() as client:
        things = await open_things(client, G)
        await things.add("T1")
        entries = await things.read(G)
        half = await limited(client, "-xack")
        things.client = half
        with pytest.raises(StoreMisused):
            await things.settle(G, START, entries, ListPush("seen", ("a",)))
        await half.aclose()
        assert not await client.exists("seen")


async def test_the_library_survives_a_flush_and_is_loaded_again_when_it_is_gone() -> None:
    """V6, F29."""
    async with own_store() as client:
        await functions.load_library(client)
        await client.flushall()
        await open_things(client, G)
        send: Any = client.execute_command
        await send("FUNCTION", "FLUSH")
        things = await open_things(client, G)
        assert await things.add("T1")


async def test_every_function_that_python_names_is_in_the_library() -> None:
    async with own_store() as client:
        await functions.load_library(client)
        send: Any = client.execute_command
        (library,) = await send("FUNCTION", "LIST", "LIBRARYNAME", functions.LIBRARY)
        found = {one[b"name"].decode() for one in library[b"functions"]}
        assert found == set(functions.ALL)
