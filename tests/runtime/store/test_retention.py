"""Trimming never passes a reader nor the archive, keeps what settle looks for, and says who stands in the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runtime.answers import Settled
from runtime.errors import Halted
from runtime.store import functions
from runtime.store.position import open_log
from runtime.store.reads import Reads
from runtime.store.retention import Limit, NotArchived, Refused, Retention
from tests.support.store import command
from tests.support.things import START, THINGS, Things, open_things

if TYPE_CHECKING:
    from redis.asyncio import Redis


def retention(things: Things, archivists: str = "archivists") -> Retention:
    return Retention(things.client, Reads(things.client), things.keys, 0, archivists)


async def settled(things: Things, group: str, count: int) -> str:
    """Let a group settle so many entries; its position."""
    standing = await things.resync(group)
    entries = await things.read(group, count=count)
    assert isinstance(await things.settle(group, standing.position, entries), Settled)
    return entries[-1].id


async def ids(things: Things) -> list[str]:
    return [row[0].decode() for row in await command(things.client, "XRANGE", things.name, "-", "+")]


async def operations(client: Redis) -> list[dict[str, str]]:
    rows = await command(client, "XRANGE", "things:operations", "-", "+")
    found = []
    for _, fields in rows:
        flat = fields if isinstance(fields, list) else [part for pair in fields.items() for part in pair]
        texts = [part.decode() for part in flat]
        found.append(dict(zip(texts[::2], texts[1::2], strict=True)))
    return found


FAR = "99999999999999-0"


async def test_a_trim_stops_at_the_slowest_reader_and_says_who_that_is(commands: Redis) -> None:
    things = await open_things(commands, "fast", "slow", "archivists")
    every = await things.add("T1", 20)
    for group, count in (("fast", 20), ("slow", 7), ("archivists", 12)):
        await settled(things, group, count)
    assert await retention(things).limit(FAR) == Limit(every[6], "slow", every[6])
    trimmed = await retention(things).trim(FAR, who="ann", why="too long")
    assert trimmed.removed == 6
    assert await ids(things) == list(every[6:]), "the entry at the position stays"
    assert [(one["who"], one["what"], one["reason"]) for one in await operations(commands)] == [
        ("ann", "trim", "too long")
    ]
    await settled(things, "slow", 13)
    assert (await retention(things).trim(FAR, who="ann", why="more")).limit.slowest == "archivists"
    assert await ids(things) == list(every[11:])


async def test_every_group_goes_on_after_a_trim(commands: Redis) -> None:
    things = await open_things(commands, "one", "archivists")
    await things.add("T1", 20)
    await settled(things, "one", 10)
    await settled(things, "archivists", 10)
    await retention(things).trim(FAR, who="ann", why="x")
    await things.add("T1", 5)
    await settled(things, "one", 100)
    await settled(things, "archivists", 100)
    assert (await things.look("one")).at_rest
    assert await things.halted() == ""


async def test_nothing_goes_that_is_not_older_than_was_asked_for(commands: Redis) -> None:
    things = await open_things(commands, "archivists")
    every = await things.add("T1", 10)
    await settled(things, "archivists", 10)
    assert (await retention(things).trim(every[4], who="ann", why="x")).removed == 4
    assert await ids(things) == list(every[4:])


async def test_a_group_that_has_seen_nothing_holds_everything(commands: Redis) -> None:
    things = await open_things(commands, "new", "archivists")
    await things.add("T1", 10)
    await settled(things, "archivists", 10)
    assert await retention(things).limit(FAR) == Limit(START, "new", START)
    assert (await retention(things).trim(FAR, who="ann", why="x")).removed == 0


async def test_a_log_without_an_archive_is_not_trimmed_unless_that_is_said(commands: Redis) -> None:
    things = await open_things(commands, "one")
    await things.add("T1", 10)
    await settled(things, "one", 10)
    with pytest.raises(NotArchived, match="gone for good"):
        await retention(things).trim(FAR, who="ann", why="x")
    assert len(await ids(things)) == 10
    assert (await retention(things, "").trim(FAR, who="ann", why="x")).removed == 9


async def test_a_halted_log_is_not_trimmed(commands: Redis) -> None:
    things = await open_things(commands, "archivists")
    await things.add("T1", 10)
    await settled(things, "archivists", 10)
    await command(commands, "HSET", things.keys.state(), "halted", "somebody looks")
    with pytest.raises(Halted, match="somebody looks"):
        await retention(things).trim(FAR, who="ann", why="x")


async def test_a_group_that_came_meanwhile_is_seen(commands: Redis) -> None:
    """The function refuses a list of groups that is not the one of that moment."""
    things = await open_things(commands, "archivists")
    await things.add("T1", 10)
    await settled(things, "archivists", 10)
    await open_log(commands, THINGS, ["late"])
    names = [things.keys.log(), things.keys.state(), things.keys.operations(), things.keys.position("archivists")]
    args = [things.log.incarnation(0), FAR, "100", "archivists", "ann", "x", "archivists"]
    assert (await functions.call(commands, functions.TRIM, names, args))[:2] == [b"CHANGED", b"late"]
    assert len(await ids(things)) == 10


async def test_a_long_trim_goes_in_slices_and_tells_how_far_it_is(commands: Redis) -> None:
    things = await open_things(commands, "archivists")
    for _ in range(3):
        await things.add("T1", 1000)
    for _ in range(6):
        await settled(things, "archivists", 500)
    told: list[int] = []
    from runtime.store import retention as module

    before, module.SLICE = module.SLICE, 1000
    try:
        trimmed = await retention(things).trim(FAR, who="ann", why="x", progress=told.append)
    finally:
        module.SLICE = before
    assert trimmed.removed == told[-1] == 2999
    assert len(told) >= 3
    assert told == sorted(told)


async def test_a_group_that_is_served_is_not_retired(commands: Redis) -> None:
    things = await open_things(commands, "old", "archivists")
    await command(commands, "SET", things.keys.lease("old", 0), "p1", "PX", 60_000)
    with pytest.raises(Refused, match="served by process p1"):
        await retention(things).retire("old", who="ann", why="gone")
    with pytest.raises(Refused, match="no group"):
        await retention(things).retire("older", who="ann", why="gone")
    assert (await things.look("old")).position == START


async def test_a_retired_group_holds_nothing_any_more_and_does_not_begin_again_by_itself(commands: Redis) -> None:
    things = await open_things(commands, "old", "archivists")
    every = await things.add("T1", 10)
    await settled(things, "old", 3)
    await settled(things, "archivists", 10)
    assert (await retention(things).limit(FAR)).slowest == "old"
    assert await retention(things).retire("old", who="ann", why="gone") == every[2]
    assert (await retention(things).limit(FAR)).slowest == "archivists"
    assert await command(commands, "EXISTS", things.keys.position("old")) == 0
    assert [group["name"] for group in await commands.xinfo_groups("things")] == [b"archivists"]
    assert [one["what"] for one in await operations(commands)] == ["retire"]
    with pytest.raises(Halted, match=r"retired .* `claimstream replay --group old`"):
        await open_log(commands, THINGS, ["old", "archivists"])


async def test_a_group_with_parked_entries_is_not_retired(commands: Redis) -> None:
    things = await open_things(commands, "old")
    await command(commands, "XADD", things.keys.parked("old"), "*", "group", "old")
    with pytest.raises(Refused, match="1 parked"):
        await retention(things).retire("old", who="ann", why="gone")
