"""What an operator does to a partition, and the dead letters that are operated on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runtime.answers import Settled
from runtime.errors import Halted
from runtime.store import functions
from runtime.store.parking import DeadLetters, park_effects, parked_entry
from runtime.store.reads import Reads
from tests.support.things import START, Things, open_things

if TYPE_CHECKING:
    from redis.asyncio import Redis

G = "listers"
WHEN = "2026-01-01T00:00:00+00:00"


async def with_parked(commands: Redis, *entities: str) -> tuple[Things, DeadLetters]:
    """A log whose entries, one for each of `entities`, are all parked."""
    things = await open_things(commands, G)
    for entity in entities:
        await things.add(entity)
    entries = await things.read(G)
    wanted = [
        effect
        for entry in entries
        for effect in park_effects(things.keys, G, 0, entry, entry.entity, "broken", 3, WHEN, held=False, now=WHEN)
    ]
    assert isinstance(await things.settle(G, START, entries, *wanted), Settled)
    return things, DeadLetters(commands, Reads(commands), things.keys)


async def operations(things: Things) -> list[dict[str, str]]:
    """The lines that operators left."""
    rows = await things.client.xrange(things.keys.operations())
    return [{name.decode(): value.decode() for name, value in fields.items()} for _, fields in rows]


async def test_a_parked_entry_tells_where_it_came_from_and_why(commands: Redis) -> None:
    _, letters = await with_parked(commands, "T1")
    (letter,) = await letters.listed(G)
    assert (letter.group, letter.entity, letter.reason, letter.attempts) == (G, "T1", "broken", 3)
    assert (letter.first_failed, letter.last_failed, letter.held) == (WHEN, WHEN, False)
    assert letter.fields["eventId"] == "T1-1"


async def test_a_parked_entry_is_read_back_as_the_entry_that_it_was(commands: Redis) -> None:
    things = await open_things(commands, G)
    raw = [b"eventId", b"\xff\x00", b"data", b"x" * 70_000]
    await things.raw(*raw)
    entries = await things.read(G)
    effects = park_effects(things.keys, G, 0, entries[0], "e", "raw", 1, WHEN, held=True, now=WHEN)
    await things.settle(G, START, entries, *effects)
    rows = await things.client.execute_command("XRANGE", things.keys.parked(G), "-", "+")
    ((parked_id, fields),) = rows
    again = parked_entry(parked_id, fields, things.entries)
    assert (again.entry.id, again.entry.fields, again.held) == (entries[0].id, raw, True)


async def test_another_try_is_asked_for_held_entities_only_and_once(commands: Redis) -> None:
    things, letters = await with_parked(commands, "T1", "T2")
    assert await letters.retry(G, 0, ["T2", "T9"], who="ann", why="repaired") == 1
    assert await letters.retry(G, 0, ["*"], who="ann", why="all") == 2
    assert sorted(await things.list(things.keys.retries(G))) == ["T1", "T2"]
    assert [line["what"] for line in await operations(things)] == ["retry"] * 3
    assert (await things.look(G)).retries == 2


async def test_a_request_for_another_try_is_taken_back(commands: Redis) -> None:
    things, letters = await with_parked(commands, "T1")
    await letters.retry(G, 0, ["T1"], who="ann", why="x")
    await functions.call(commands, functions.UNRETRY, [things.keys.retries(G)], ["T1"])
    assert await things.list(things.keys.retries(G)) == []


async def test_a_dropped_letter_leaves_its_trace_and_lets_its_entity_go(commands: Redis) -> None:
    things, letters = await with_parked(commands, "T1", "T1", "T2")
    first, second, _ = await letters.listed(G)
    assert await letters.drop(first, who="ann", why="a test")
    assert await commands.hgetall(things.keys.held(G)) == {b"T1": b"1", b"T2": b"1"}
    assert await letters.drop(second, who="ann", why="a test")
    assert await commands.hgetall(things.keys.held(G)) == {b"T2": b"1"}
    assert not await letters.drop(second, who="ann", why="twice")
    lines = await operations(things)
    assert [(line["who"], line["what"], line["reason"]) for line in lines] == [("ann", "drop", "a test")] * 2
    assert first.origin_id in lines[0]["subject"]


async def test_a_halted_partition_goes_on_after_it_was_resumed(commands: Redis) -> None:
    things = await open_things(commands, G)
    await things.add("T1")
    names = [things.keys.state(), things.keys.operations(), things.keys.position(G)]
    await functions.call(commands, functions.HALT, names, ["ann", "upgrade", "note"])
    entries = await things.read(G)
    with pytest.raises(Halted, match="upgrade"):
        await things.resync(G)
    assert not isinstance(await things.settle(G, START, entries), Settled)
    reply = await functions.call(commands, functions.HALT, names, ["ann", "", "done"])
    assert reply == [b"OK", b"upgrade"]
    await things.resync(G)
    assert isinstance(await things.settle(G, START, await things.read(G)), Settled)
    assert [line["what"] for line in await operations(things)] == ["halt", "resume"]
