"""Every verb of the closed list on a real server: what it does; a wrong one is refused before any write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runtime.answers import Invalid, Settled
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
from runtime.store import functions
from runtime.store.encoding import pack
from tests.support.things import START, Things, open_things
from tests.support.waiting import PATIENCE
from tests.support.windows import window

if TYPE_CHECKING:
    from redis.asyncio import Redis

G = "listers"


async def applied(commands: Redis, *effects: Effect) -> Things:
    """Settle one entry with these effects, which have to pass."""
    things = await open_things(commands, G)
    await things.add("T1")
    answer = await things.settle(G, START, await things.read(G), *effects)
    assert isinstance(answer, Settled), answer
    return things


async def refused(commands: Redis, *effects: Effect) -> str:
    """Settle one entry with these effects, which have to be refused with nothing written; the reason.

    A good effect stands before them, so that a refusal that comes too late shows.
    """
    things = await open_things(commands, G)
    await things.add("T1")
    await things.resync(G)
    entries = await things.read(G)
    before = await things.dump()
    answer = await things.settle(G, START, entries, SetAdd("good", ("m",)), *effects)
    assert isinstance(answer, Invalid), answer
    assert await things.dump() == before
    return answer.why


async def refused_raw(commands: Redis, op: list[Any]) -> str:
    """The same for an operation that the effects' own classes would not make."""
    things = await open_things(commands, G)
    before = await things.dump()
    keys = [
        "things", "things:state", "things:position:listers", "things:parked:listers", "things:held:listers",
        "things:retries:listers", "k",
    ]  # fmt: skip
    packed = pack([[], "", [["sadd", 7, "good"], op], [[1, 2, things.log.incarnation(0)]], [], [], []])
    reply = await functions.call(commands, functions.SETTLE, keys, [G, START, "token", "", packed])
    assert reply[0] == b"INVALID", reply
    assert await things.dump() == before
    return str(reply[1].decode())


async def test_hash_fields_are_set_and_removed(commands: Redis) -> None:
    await applied(commands, HashSet("k", {"a": "1", "b": b"\x00"}), HashDelete("k", ("a", "none")))
    assert await commands.hgetall("k") == {b"b": b"\x00"}


async def test_hash_fields_are_counted_up_and_down(commands: Redis) -> None:
    await commands.hset("k", "a", "5")
    await applied(commands, HashIncrement("k", {"a": -7, "b": 999_999_999_999_999}))
    assert await commands.hgetall("k") == {b"a": b"-2", b"b": b"999999999999999"}


async def test_counting_and_setting_one_field_by_turns_comes_out_as_one_after_the_other(commands: Redis) -> None:
    await commands.hset("k", mapping={"a": "5", "other": "1"})
    turns = [
        HashIncrement("k", {"a": 1, "b": -3}), HashIncrement("k", {"a": 999_999_999_999_000}), HashSet("k", {"a": "7"}),
        HashIncrement("k", {"a": -8, "c": 0}), HashDelete("k", ("b",)), HashIncrement("k", {"b": 100_000_000_000_000}),
    ]  # fmt: skip
    await applied(commands, *turns)
    found = {b"a": b"-1", b"b": b"100000000000000", b"c": b"0", b"other": b"1"}
    assert await commands.hgetall("k") == found


async def test_set_members_are_added_and_removed(commands: Redis) -> None:
    await applied(commands, SetAdd("k", ("a", "b")), SetRemove("k", ("a",)))
    assert await commands.smembers("k") == {b"b"}


async def test_scores_are_set_raised_and_removed(commands: Redis) -> None:
    await applied(
        commands,
        SortedSetAdd("k", {"a": 1, "b": "2.5", "c": "-3"}),
        SortedSetIncrement("k", {"a": 4}),
        SortedSetRemove("k", ("c",)),
    )
    assert await commands.zrange("k", 0, -1, withscores=True) == [[b"b", 2.5], [b"a", 5.0]]


async def test_list_values_are_pushed_and_the_first_of_each_removed(commands: Redis) -> None:
    await applied(commands, ListPush("k", ("a", "b", "a")), ListRemove("k", ("a",)))
    assert await commands.lrange("k", 0, -1) == [b"b", b"a"]


async def test_a_string_is_put_with_and_without_an_end(commands: Redis) -> None:
    await applied(commands, Put("k", "v"), Put("short", "v", ttl_ms=60_000))
    assert await commands.pttl("k") == -1
    assert 0 < await commands.pttl("short") <= 60_000


async def test_a_floor_is_raised_and_never_lowered(commands: Redis) -> None:
    await applied(commands, Raise("k", 7), Raise("k", 5), Raise("j", 3), Raise("j", 9))
    assert await commands.mget("k", "j") == [b"7", b"9"]


async def test_a_key_is_removed(commands: Redis) -> None:
    await commands.set("k", "v")
    await applied(commands, Delete("k"), Delete("none"))
    assert not await commands.exists("k")


async def test_keys_that_go_side_by_side_are_all_gone_and_what_is_written_between_them_stays(commands: Redis) -> None:
    """They go by one command up to a thousand, in the order of the effects."""
    names = [f"k{number}" for number in range(2_500)]
    await commands.mset(dict.fromkeys(names, "v"))
    around = [Put("early", "v"), Delete("early"), Put("late", "v")]
    await applied(commands, *around, *map(Delete, names[:1_200]), Put("k0", "new"), *map(Delete, names[1_200:]))
    assert await commands.mget("early", "late", "k0") == [None, b"v", b"new"]
    assert await commands.exists(*names) == 1


async def test_a_key_is_given_an_end(commands: Redis) -> None:
    await applied(commands, Put("k", "v"), Expire("k", 60_000))
    assert 0 < await commands.pttl("k") <= 60_000


async def test_entries_are_added_to_a_stream_that_is_kept_short(commands: Redis) -> None:
    await applied(commands, *(StreamAdd("k", ("f", "v"), keep=100) for _ in range(1000)))
    assert 100 <= await commands.xlen("k") < 1000


async def test_a_hint_is_published(commands: Redis) -> None:
    async with commands.pubsub() as listening:
        await listening.subscribe("hints")
        await listening.get_message(timeout=PATIENCE)
        await applied(commands, Publish("hints", "look again"))
        message = await listening.get_message(ignore_subscribe_messages=True, timeout=PATIENCE)
    assert message is not None
    assert message["data"] == b"look again"


EACH = [
    HashSet("k", {"f": "v"}),
    HashDelete("k", ("f",)),
    HashIncrement("k", {"f": 1}),
    SetAdd("k", ("m",)),
    SetRemove("k", ("m",)),
    SortedSetAdd("k", {"m": 1}),
    SortedSetIncrement("k", {"m": 1}),
    SortedSetRemove("k", ("m",)),
    ListPush("k", ("v",)),
    ListRemove("k", ("v",)),
    Put("k", "v"),
    Raise("k", 1),
    StreamAdd("k", ("f", "v")),
]


@window("W17")
@pytest.mark.parametrize("effect", EACH, ids=lambda effect: type(effect).__name__)
async def test_a_key_of_another_type_is_refused_before_any_write(commands: Redis, effect: Effect) -> None:
    """W17: also by the first of the effects, because a good one stands before it."""
    if isinstance(effect, (ListPush, ListRemove)):
        await commands.set("k", "v")
    else:
        await commands.rpush("k", "v")
    assert "not a" in await refused(commands, effect)


@window("W17")
@pytest.mark.parametrize("effect", EACH, ids=lambda effect: type(effect).__name__)
async def test_two_kinds_on_one_key_in_one_call_are_refused_before_any_write(commands: Redis, effect: Effect) -> None:
    """W17: the key is not there yet, the first effect makes it."""
    first = SetAdd("k", ("m",)) if isinstance(effect, (ListPush, ListRemove)) else ListPush("k", ("v",))
    assert "not a" in await refused(commands, first, effect)


@pytest.mark.parametrize("effect", EACH, ids=lambda effect: type(effect).__name__)
async def test_a_removed_key_may_become_another_kind_in_the_same_call(commands: Redis, effect: Effect) -> None:
    await commands.set("k", "x")
    await applied(commands, Delete("k"), effect)


@window("W17")
@pytest.mark.parametrize(
    "op",
    [
        ["flushall", 7],
        ["hset", 7],
        ["hset", 7, "f"],
        ["hset", 7, "f", 5],
        ["hset", 99, "f", "v"],
        ["hdel", 7],
        ["hincr", 7, "f"],
        ["hincr", 7, "f", "1.5"],
        ["hincr", 7, "f", "x"],
        ["hincr", 7, "f", "007"],
        ["hincr", 7, "f", "-0"],
        ["hincr", 7, "f", "+1"],
        ["hincr", 7, "f", ""],
        ["hincr", 7, "f", "1000000000000000"],
        ["sadd", 7],
        ["srem", 7],
        ["zadd", 7, "1"],
        ["zadd", 7, "x", "m"],
        ["zadd", 7, "inf", "m"],
        ["zadd", 7, "nan", "m"],
        ["zadd", 7, "1e5", "m"],
        ["zadd", 7, "1.", "m"],
        ["zincr", 7, "", "m"],
        ["zrem", 7],
        ["rpush", 7],
        ["lrem", 7],
        ["set", 7, "v"],
        ["set", 7, "v", "-1"],
        ["set", 7, "v", "00"],
        ["set", 7, "v", "x"],
        ["raise", 7, "v", "0"],
        ["raise", 7, "1", "-1"],
        ["del", 7, "x"],
        ["expire", 7],
        ["expire", 7, "0"],
        ["expire", 7, "-5"],
        ["xadd", 7, "0"],
        ["xadd", 7, "0", "f"],
        ["xadd", 7, "-1", "f", "v"],
        ["xadd", 7, "00", "f", "v"],
        ["publish", 0, "channel"],
    ],
    ids=lambda op: " ".join(map(str, [op[0], *op[2:]])),
)
async def test_a_malformed_effect_is_refused_before_any_write(commands: Redis, op: list[Any]) -> None:
    """W17: verb, arity, numbers; as the store itself would refuse them after the first write."""
    assert await refused_raw(commands, op)


async def test_counting_a_field_that_holds_no_integer_is_refused(commands: Redis) -> None:
    for text in ("x", "1.5", "007", "", " 1"):
        await commands.hset("k", "f", text)
        assert "holds no integer" in await refused(commands, HashIncrement("k", {"ok": 1, "f": 1}))


async def test_counting_a_field_that_was_set_to_a_word_in_the_same_call_is_refused(commands: Redis) -> None:
    await commands.hset("k", "f", "1")
    why = await refused(commands, HashSet("k", {"f": "word"}), HashIncrement("k", {"f": 1}))
    assert "holds no integer" in why


async def test_counting_a_field_that_was_removed_in_the_same_call_begins_at_nothing(commands: Redis) -> None:
    await commands.hset("k", "f", "word")
    await applied(commands, HashDelete("k", ("f",)), HashIncrement("k", {"f": 2}))
    assert await commands.hget("k", "f") == b"2"


async def test_no_counter_can_overflow(commands: Redis) -> None:
    """HINCRBY would fail half way at 2^63; a counter may have 15 digits, where Lua still counts exactly."""
    await commands.hset("k", "f", "999999999999999")
    assert "outgrow 15 digits" in await refused(commands, HashIncrement("k", {"f": 1}))
    much = [HashIncrement("j", {"f": 900_000_000_000_000})] * 2
    assert "outgrow 15 digits" in await refused(commands, *much)


async def test_raising_what_is_no_integer_is_refused(commands: Redis) -> None:
    await commands.set("k", "word")
    assert "holds no integer" in await refused(commands, Raise("k", 1))
    assert "holds no integer" in await refused(commands, Put("j", "word"), Raise("j", 1))
