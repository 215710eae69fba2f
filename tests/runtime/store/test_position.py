"""open, resync, look, mark on a real server: the position is found, never guessed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from runtime.answers import Settled
from runtime.effects import ListPush
from runtime.errors import Halted, LogMismatch
from runtime.store import position
from runtime.store.keys import LogSpec
from tests.support.things import START, THINGS, Things, open_things
from tests.support.windows import window

if TYPE_CHECKING:
    from redis.asyncio import Redis

G = "listers"
FOUR = LogSpec("things", "thing", "thingId", partitions=4)


async def test_a_log_is_made_once_and_found_again(commands: Redis) -> None:
    first = await open_things(commands, G)
    await first.add("T1")
    before = await first.dump()
    again = await open_things(commands, G)
    assert again.log.incarnations == first.log.incarnations
    assert await first.dump() == before


async def test_a_log_with_another_number_of_partitions_is_refused(commands: Redis) -> None:
    await open_things(commands, G, spec=FOUR)
    with pytest.raises(LogMismatch, match="set partitions = 4"):
        await open_things(commands, G, spec=LogSpec("things", "thing", "thingId", partitions=2))


async def test_a_new_group_reads_an_older_log_from_its_beginning(commands: Redis) -> None:
    things = await open_things(commands)
    ids = await things.add("T1", 3)
    await open_things(commands, G)
    assert tuple(entry.id for entry in await things.read(G)) == ids


async def test_a_new_group_on_a_trimmed_log_is_refused(commands: Redis) -> None:
    """It would never see what is gone: it has to replay the archive first."""
    things = await open_things(commands)
    await things.add("T1", 3)
    await commands.xtrim("things", maxlen=1, approximate=False)
    with pytest.raises(Halted, match="entries were removed before it came"):
        await open_things(commands, G)
    assert not await commands.exists("things:position:listers")


@window("W28")
async def test_a_known_group_without_its_position_is_lost(commands: Redis) -> None:
    """W28."""
    things = await open_things(commands, G)
    await commands.delete("things:position:listers")
    with pytest.raises(Halted, match="position record of listers is missing"):
        await open_things(commands, G)
    assert "position record" in await things.halted()
    assert not await commands.exists("things:position:listers")


@window("W26")
async def test_a_log_that_is_gone_is_not_made_again_by_opening_it(commands: Redis) -> None:
    """W26."""
    await open_things(commands, G)
    await commands.delete("things")
    with pytest.raises(Halted, match="is gone, its state is still there"):
        await open_things(commands, G)
    assert not await commands.exists("things")


@window("W28")
async def test_a_position_is_never_set_back_because_the_state_was_lost(commands: Redis) -> None:
    """W28: the state key alone was deleted; the position record still knows."""
    things = await open_things(commands, G)
    await things.add("T1", 3)
    await things.settle(G, START, await things.read(G))
    record = await things.record(G)
    await commands.delete("things:state")
    with pytest.raises(Halted, match="position record of listers is there"):
        await open_things(commands, G)
    assert await things.record(G) == record


async def test_something_else_under_the_name_of_the_log_is_refused(commands: Redis) -> None:
    await commands.set("things", "x")
    with pytest.raises(Halted, match="is a string, not a stream"):
        await open_things(commands, G)


async def settled(commands: Redis, done: int, of: int) -> tuple[Things, tuple[str, ...]]:
    """A log of which the group has settled a part; the ids of all entries."""
    things = await open_things(commands, G)
    ids = await things.add("T1", of)
    if done:
        answer = await things.settle(G, START, await things.read(G, count=done))
        assert isinstance(answer, Settled)
    return things, ids


async def test_resync_hands_out_again_what_was_read_and_not_settled(commands: Redis) -> None:
    things, ids = await settled(commands, 2, of=5)
    await things.read(G, "dead")
    standing = await things.resync(G)
    assert (standing.position, standing.settled, standing.healed) == (ids[1], 2, False)
    assert tuple(entry.id for entry in await things.read(G)) == ids[2:]


@window("W13")
async def test_resync_acknowledges_what_a_set_back_cursor_handed_out_again(commands: Redis) -> None:
    """W13, S2: XGROUP SETID 0 by a zombie."""
    things, ids = await settled(commands, 3, of=3)
    await commands.xgroup_setid("things", G, "0")
    assert len(await things.read(G, "zombie")) == 3
    await things.resync(G)
    look = await things.look(G)
    assert look.at_rest
    assert look.position == ids[-1]


async def test_resync_keeps_the_count_of_entries_read_right(commands: Redis) -> None:
    """B1: lag stays a number."""
    things, _ = await settled(commands, 2, of=5)
    await commands.xgroup_setid("things", G, "0")
    await things.resync(G)
    group = (await commands.xinfo_groups("things"))[0]
    assert (group["entries-read"], group["lag"]) == (2, 3)


@window("W25")
async def test_resync_makes_a_destroyed_group_again_at_its_position(commands: Redis) -> None:
    """W25."""
    things, ids = await settled(commands, 2, of=5)
    await commands.xgroup_destroy("things", G)
    standing = await things.resync(G)
    assert (standing.healed, standing.position) == (True, ids[1])
    assert tuple(entry.id for entry in await things.read(G)) == ids[2:]


@window("W25")
async def test_resync_loses_nothing_of_a_deleted_consumer(commands: Redis) -> None:
    """W25."""
    things, ids = await settled(commands, 2, of=5)
    await things.read(G, "gone")
    await commands.xgroup_delconsumer("things", G, "gone")
    await things.resync(G)
    assert tuple(entry.id for entry in await things.read(G)) == ids[2:]


@window("W26")
async def test_resync_of_a_deleted_log_halts_and_makes_nothing(commands: Redis) -> None:
    """W26."""
    things, _ = await settled(commands, 2, of=5)
    await commands.delete("things")
    with pytest.raises(Halted, match="LOST: the stream is gone"):
        await things.resync(G)
    assert not await commands.exists("things")
    with pytest.raises(Halted, match="HALTED: LOST"):
        await things.resync(G)


@window("W27")
async def test_resync_of_a_trimmed_position_halts(commands: Redis) -> None:
    """W27."""
    things, _ = await settled(commands, 2, of=5)
    await commands.xtrim("things", maxlen=2, approximate=False)
    with pytest.raises(Halted, match="is gone"):
        await things.resync(G)
    assert "listers" in await things.halted()


@window("W28")
async def test_resync_without_a_position_record_halts(commands: Redis) -> None:
    """W28."""
    things, _ = await settled(commands, 2, of=5)
    await commands.delete("things:position:listers")
    with pytest.raises(Halted, match="position record"):
        await things.resync(G)
    assert await commands.exists("things:position:listers") == 0


@window("W12")
async def test_two_runners_that_fight_leave_each_entry_applied_once_and_nothing_pending(
    commands: Redis,
) -> None:
    """W12: both think that they own; the position lets one win each batch."""
    things, ids = await settled(commands, 0, of=60)

    async def fight(name: str) -> None:
        at = (await things.resync(G, name)).position
        while at != ids[-1]:
            entries = await things.read(G, name, count=7)
            answer = await things.settle(G, at, entries, ListPush("seen", tuple(e.id for e in entries)))
            at = answer.position if isinstance(answer, Settled) else (await things.resync(G, name)).position

    async with asyncio.timeout(20), asyncio.TaskGroup() as fighters:
        for name in ("a", "b"):
            fighters.create_task(fight(name))
    await things.resync(G)
    assert tuple(await things.list("seen")) == ids
    assert (await things.look(G)).at_rest


@window("W20")
async def test_a_start_over_the_mark_of_another_process_counts_a_death(commands: Redis) -> None:
    """W20."""
    things, _ = await settled(commands, 0, of=1)
    assert (await things.resync(G, "p1", start=True)).deaths == 0
    assert (await things.resync(G, "p1", start=True)).deaths == 0
    standing = await things.resync(G, "p2", start=True)
    assert (standing.deaths, standing.kills) == (1, 0)
    assert (await things.resync(G, "p3", start=True)).deaths == 2


@window("W20")
async def test_a_death_with_one_entry_alone_counts_against_that_entry(commands: Redis) -> None:
    """W20."""
    things, ids = await settled(commands, 0, of=1)
    for kills, process in enumerate(("p1", "p2", "p3")):
        standing = await things.resync(G, process, start=True)
        assert standing.kills == kills
        assert await position.mark(commands, things.keys, G, 0, START, ids[0], process)
    assert (await things.resync(G, "p4", start=True)).alone == ids[0]


@window("W21")
async def test_a_settled_batch_clears_the_deaths_before_it(commands: Redis) -> None:
    """W21: a death without further ones in the same place means nothing."""
    things, ids = await settled(commands, 0, of=1)
    await things.resync(G, "p1", start=True)
    await position.mark(commands, things.keys, G, 0, START, ids[0], "p1")
    await things.resync(G, "p2", start=True)
    await things.settle(G, START, await things.read(G, "p2"))
    standing = await things.resync(G, "p2")
    assert (standing.deaths, standing.alone, standing.kills) == (0, "", 0)


@window("W21")
async def test_a_runner_that_leaves_in_good_order_is_not_counted_as_dead(commands: Redis) -> None:
    """W21: drain clears the mark."""
    things, _ = await settled(commands, 0, of=1)
    await things.resync(G, "p1", start=True)
    await position.clear_start(commands, things.keys, G, 0, "p1")
    assert (await things.look(G)).started == ""
    assert (await things.resync(G, "p2", start=True)).deaths == 0


async def test_a_late_leave_does_not_clear_the_mark_of_the_next_owner(commands: Redis) -> None:
    things, _ = await settled(commands, 0, of=1)
    await things.resync(G, "p1", start=True)
    await things.resync(G, "p2", start=True)
    await position.clear_start(commands, things.keys, G, 0, "p1")
    assert (await things.look(G)).started == "p2"


async def test_a_zombie_cannot_mark_an_entry(commands: Redis) -> None:
    things, ids = await settled(commands, 2, of=3)
    assert not await position.mark(commands, things.keys, G, 0, ids[0], ids[1], "zombie")
    assert "alone" not in await things.record(G)


async def test_a_start_removes_the_consumers_of_dead_processes_and_loses_nothing(commands: Redis) -> None:
    things, ids = await settled(commands, 0, of=3)
    await things.read(G, "dead")
    await things.resync(G, "me", start=True)
    assert [one["name"] for one in await commands.xinfo_consumers("things", G)] in ([], [b"me"])
    assert tuple(entry.id for entry in await things.read(G)) == ids


async def test_a_look_tells_backlog_oldest_entry_and_what_is_parked(commands: Redis) -> None:
    things, ids = await settled(commands, 2, of=5)
    await things.read(G, count=1)
    look = await things.look(G)
    assert (look.backlog, look.pending, look.oldest, look.delivered) == (3, 1, ids[2], ids[2])
    assert (look.parked, look.retries, look.halted, look.torn, look.at_rest) == (0, 0, "", "", False)


async def test_a_look_writes_nothing(commands: Redis) -> None:
    things, _ = await settled(commands, 2, of=5)
    before = await things.dump()
    await things.look(G)
    assert await things.dump() == before


async def test_a_look_at_a_log_that_is_gone_says_so(commands: Redis) -> None:
    things, _ = await settled(commands, 2, of=5)
    await commands.delete("things")
    with pytest.raises(Halted, match="the stream is gone"):
        await things.look(G)


async def test_an_entity_stays_in_its_partition_and_the_partitions_stand_apart(commands: Redis) -> None:
    things = await open_things(commands, G, spec=FOUR)
    for n in range(20):
        await things.add(f"T{n}")
    lengths = [await commands.xlen(things.keys.log(n)) for n in range(4)]
    assert sum(lengths) == 20
    assert all(lengths)


async def test_the_names_of_one_partition_are_plain_and_those_of_more_carry_its_tag() -> None:
    from runtime.store.keys import Keyspace

    assert Keyspace(THINGS).snapshot("T1") == "thing:T1"
    keys = Keyspace(FOUR)
    tag = f":{{p{keys.partition_of('T1')}}}"
    assert keys.snapshot("T1") == f"thing:T1{tag}"
    assert keys.head("T1").endswith(tag)
