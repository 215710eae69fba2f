"""Reads of a batch: what the client library would send and give, each reply with its question, whatever goes wrong."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from redis.asyncio.connection import Connection
from redis.exceptions import DataError, ResponseError
from redis.exceptions import TimeoutError as StoreTimeoutError

from runtime.errors import OutcomeUnknown, StoreMisused
from runtime.store.clients import StoreAddress, open_commands
from runtime.store.reads import Reads
from runtime.store.wire import REPLIES_A_TIMER, Wire, in_one_round_trip
from tests.support.store import command
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis

    from runtime.store.reads import Command

COMMANDS: tuple[tuple[Any, ...], ...] = (
    ("GET", "k"),
    (b"GET", b"\x00\xff\r\n"),
    ("SET", "schlüssel", "ß" * 3000, "PX", 10**18),
    ("ZADD", "z", 1.5, "a", -0.0, "b", 1e22, "c", 1e-7, "d", float("inf"), "e", 2**70, "f"),
    ("XINFO STREAM", "s"),
    (b"XINFO GROUPS", "s"),
    ("HSET", "h", "empty", "", "big", b"x" * 200_000),
    ("SET", "k", bytearray(b"bytes")),
    ("SET", "k", memoryview(b"bytes")),
    ("PING",),
)

QUESTIONS: tuple[Command, ...] = (
    ("EXISTS", "hash"), ("GET", "text"), ("GET", "nothing"), ("HGET", "hash", "a"), ("HGET", "nothing", "a"),
    ("HGETALL", "hash"), ("HGETALL", "nothing"), ("HKEYS", "hash"), ("HLEN", "hash"), ("HMGET", "hash", "a", "z"),
    ("LLEN", "list"), ("LRANGE", "list", 0, -1), ("MEMORY USAGE", "hash"), ("MGET", "text", "nothing"), ("PING",),
    ("SCARD", "set"), ("SISMEMBER", "set", "m"), ("SMEMBERS", "set"), ("STRLEN", "text"), ("TTL", "text"),
    ("TYPE", "zset"), ("XINFO STREAM", "log"), ("XINFO GROUPS", "log"), ("XINFO CONSUMERS", "log", "g"),
    ("XLEN", "log"), ("XPENDING", "log", "g"), ("XRANGE", "log", "-", "+"), ("XRANGE", "nothing", "-", "+"),
    ("XREVRANGE", "log", "+", "-", "COUNT", 1), ("ZCARD", "zset"), ("ZRANGE", "zset", 0, -1),
    ("ZRANGE", "zset", 0, -1, "WITHSCORES"), ("ZRANGEBYSCORE", "zset", "-inf", "+inf"), ("ZREVRANGE", "zset", 0, -1),
    ("ZSCORE", "zset", "m"), ("ZSCORE", "zset", "nobody"), ("DBSIZE",),
)  # fmt: skip
"""Each verb that may be asked for, with a key that is there; and without where the reply has another shape then."""


@pytest.fixture
async def alone(store_address: StoreAddress, commands: Redis) -> AsyncIterator[Redis]:
    """A client of one connection that waits 0.5 s for a reply: the next call takes what the last one left behind."""
    del commands  # empties the store
    client = open_commands(store_address, max_connections=1, reply_seconds=0.5)
    yield client
    await client.aclose()


async def filled(client: Redis) -> None:
    for words in (
        ("SET", "text", "one"),
        ("HSET", "hash", "b", "2", "a", "1"),
        ("RPUSH", "list", "x", "y"),
        ("SADD", "set", "m", "n"),
        ("ZADD", "zset", 1.5, "m", 2, "n"),
        ("XGROUP", "CREATE", "log", "g", "0", "MKSTREAM"),
        ("XADD", "log", "1-1", "f", "v"),
        ("XADD", "log", "2-1", "f", "v", "g", "w"),
        ("XREADGROUP", "GROUP", "g", "me", "COUNT", 1, "STREAMS", "log", ">"),
    ):
        await command(client, *words)


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: str(words[0]))
async def test_a_command_goes_over_the_wire_as_the_client_library_packs_it(
    commands: Redis, words: tuple[Any, ...]
) -> None:
    ours = await commands.connection_pool.get_connection()  # type: ignore[no-untyped-call]
    try:
        assert isinstance(ours, Wire)
        theirs = b"".join(map(bytes, Connection().pack_command(*words)))
        assert b"".join(map(bytes, ours.pack_command(*words))) == theirs
        assert b"".join(map(bytes, ours.pack_commands([words, words]))) == theirs * 2
        for nothing in (None, True, [1]):
            with pytest.raises(DataError, match="Convert to"):
                ours.pack_command("SET", "k", nothing)
    finally:
        await commands.connection_pool.release(ours)


async def test_each_read_is_answered_in_a_batch_as_the_client_library_answers_it_alone(commands: Redis) -> None:
    await filled(commands)
    reads = Reads(commands)
    expected = [await reads.one(*words) for words in QUESTIONS]
    together = await reads.many(QUESTIONS)
    for words, alone, batched in zip(QUESTIONS, expected, together, strict=True):
        assert type(batched) is type(alone), words
        if words[0] != "XINFO CONSUMERS":  # it says how long each was idle
            assert batched == alone, words
    assert list(together[QUESTIONS.index(("HGETALL", "hash"))]) == [b"b", b"a"], "in the order of the server"


async def test_a_read_that_is_refused_is_named_and_the_others_are_not_taken_for_it(alone: Redis) -> None:
    await filled(alone)
    reads = Reads(alone)
    with pytest.raises(StoreMisused, match=r"WRONGTYPE.*\(asked: HGET text\)"):
        await reads.many([("GET", "text"), ("HGET", "text", "a"), ("LLEN", "list")])
    assert await reads.many([("LLEN", "list"), ("GET", "text")]) == [2, b"one"]
    replies = await in_one_round_trip(alone, [("GET", "text"), ("XRANGE", "text", "-", "+"), ("LLEN", "list")])
    assert (replies[0], replies[2]) == (b"one", 2)
    assert isinstance(replies[1], ResponseError)


async def test_a_write_is_no_read_and_nothing_of_its_batch_is_sent(alone: Redis) -> None:
    with pytest.raises(ValueError, match="SET is no read"):
        await Reads(alone).many([("GET", "text"), ("SET", "text", "two")])
    assert await Reads(alone).many([("EXISTS", "text")]) == [0]


async def test_a_batch_whose_replies_stop_half_way_leaves_none_to_the_next_one(alone: Redis) -> None:
    """The first reply is there, the second never comes: the connection goes, and with it the third."""
    await filled(alone)
    with pytest.raises(StoreTimeoutError, match="after 1 of 3"):
        await in_one_round_trip(alone, [("GET", "text"), ("BLPOP", "nothing", 30), ("LLEN", "list")])
    assert await Reads(alone).many([("GET", "nothing"), ("TYPE", "text")]) == [None, b"string"]


async def test_a_batch_that_is_given_up_half_way_leaves_no_reply_to_the_next_one(
    store_address: StoreAddress, commands: Redis
) -> None:
    await filled(commands)
    client = open_commands(store_address, max_connections=1, reply_seconds=30)
    try:
        batch = asyncio.ensure_future(
            in_one_round_trip(client, [("GET", "text"), ("BLPOP", "nothing", 30), ("LLEN", "list")])
        )

        async def blocked() -> bool:
            return int((await commands.info("clients"))["blocked_clients"]) > 0

        await until(blocked, what="the server waits in the middle of the batch")
        batch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await batch
        assert await Reads(client).many([("GET", "nothing"), ("TYPE", "text")]) == [None, b"string"]
    finally:
        await client.aclose()


async def test_a_server_that_says_nothing_is_an_unknown_outcome_in_time(alone: Redis, commands: Redis) -> None:
    await command(alone, "PING")
    await command(commands, "CLIENT", "PAUSE", 1000, "ALL")
    with pytest.raises(OutcomeUnknown, match="no reply"):
        await Reads(alone).many([("GET", "a"), ("GET", "b")])


async def test_a_long_batch_may_take_longer_than_one_reply(store_address: StoreAddress, commands: Redis) -> None:
    """Two waits of 1.1 s with a limit of 2: it counts anew after so many replies."""
    del commands
    client = open_commands(store_address, max_connections=1, reply_seconds=2.0)
    slow: list[tuple[Any, ...]] = [("BLPOP", "nothing", 1.1), *[("PING",)] * REPLIES_A_TIMER]
    try:
        replies = await in_one_round_trip(client, slow * 2)
        assert len(replies) == 2 * len(slow)
    finally:
        await client.aclose()


async def test_entries_that_are_read_raw_are_those_that_are_read_shaped(alone: Redis) -> None:
    await command(alone, "XADD", "log", "1-1", "a", "1", "b", "2", "a", "twice")
    await command(alone, "XADD", "log", "1-2", "c", "3")
    ask: list[Command] = [("XRANGE", "log", "-", "+"), ("XRANGE", "nothing", "-", "+")]
    raw, nothing = await Reads(alone).many(ask, raw=True)
    assert nothing == []
    assert raw == [[b"1-1", [b"a", b"1", b"b", b"2", b"a", b"twice"]], [b"1-2", [b"c", b"3"]]]
    shaped, _ = await Reads(alone).many(ask)
    assert [(one, dict(zip(fields[::2], fields[1::2], strict=True))) for one, fields in raw] == shaped
