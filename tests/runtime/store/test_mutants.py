"""The checks are the product: a library with one of them taken out breaks what its directed test promises.

Each mutant runs the short story that needs the check, first on the true library (the promise holds), then on
the mutated one (it does not). A mutant whose text is no longer in the library fails by itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest

from runtime.answers import Gap, Settled
from runtime.effects import HashIncrement, ListPush
from runtime.store import functions, position
from runtime.store.append import Appended
from tests.support.things import START, Things, facts, open_things

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis

G = "listers"
Story = Callable[[Things], Awaitable[bool]]


def seen(value: str) -> ListPush:
    """An effect that shows."""
    return ListPush("seen", (value,))


async def a_zombie_cannot_apply_a_batch_again(things: Things) -> bool:
    """I6: the cursor was set back, so the entries are pending once more."""
    await things.add("T1", 2)
    entries = await things.read(G)
    await things.settle(G, START, entries[:1], seen("one"))
    await things.client.xgroup_setid("things", G, "0")
    await things.settle(G, START, (await things.read(G))[:1], seen("one"))
    return await things.list("seen") == ["one"]


async def an_older_position_is_not_enough(things: Things) -> bool:
    """I10: a caller whose position is not the stored one has not seen what stands between."""
    await things.add("T1", 3)
    entries = await things.read(G)
    await things.settle(G, START, entries[:1], seen("one"))
    await things.settle(G, entries[1].id, entries[2:], seen("three"))
    return await things.list("seen") == ["one"]


async def nothing_that_a_lost_read_swallowed_is_skipped(things: Things) -> bool:
    """I6: the first entries never arrived; a consumer was deleted, so nothing is pending below either."""
    await things.add("T1", 3)
    await things.read(G, "lost", count=1)
    await things.client.xgroup_delconsumer("things", G, "lost")
    answer = await things.settle(G, START, await things.read(G), seen("rest"))
    return isinstance(answer, Gap)


async def a_hole_inside_a_batch_is_noticed(things: Things) -> bool:
    """S9."""
    await things.add("T1", 3)
    entries = await things.read(G)
    return isinstance(await things.settle(G, START, [entries[0], entries[2]]), Gap)


async def joined_reads_do_not_set_the_position_back(things: Things) -> bool:
    """I6."""
    ids = await things.add("T1", 3)
    entries = await things.read(G)
    await things.settle(G, START, entries[:2])
    await things.client.xgroup_setid("things", G, START)
    again = await things.read(G, count=1)
    await things.settle(G, ids[1], [entries[2], *again])
    return (await things.look(G)).position == ids[1]


async def the_same_id_with_other_content_is_noticed(things: Things) -> bool:
    """W30."""
    await things.add("T1", 1)
    (entry,) = await things.read(G)
    foreign = things.entries.read((entry.id.encode(), [b"eventId", b"other"]))
    return isinstance(await things.settle(G, START, [foreign]), Gap)


async def a_trimmed_position_halts(things: Things) -> bool:
    """W27."""
    await things.add("T1", 5)
    entries = await things.read(G)
    await things.settle(G, START, entries[:2])
    await things.client.xtrim("things", maxlen=2, approximate=False)
    answer = await things.settle(G, entries[1].id, entries[3:], seen("rest"))
    return not isinstance(answer, Settled) and bool(await things.halted())


async def a_missing_position_is_not_the_beginning(things: Things) -> bool:
    """W28."""
    await things.add("T1", 1)
    entries = await things.read(G)
    await things.client.delete("things:position:listers")
    await things.settle(G, START, entries, seen("one"))
    return await things.list("seen") == []


async def a_settled_batch_is_no_longer_pending(things: Things) -> bool:
    """I9."""
    await things.add("T1", 2)
    await things.settle(G, START, await things.read(G))
    return (await things.look(G)).pending == 0


async def a_wrong_effect_leaves_nothing_behind(things: Things) -> bool:
    """W17: the good effect before it, too."""
    await things.add("T1", 1)
    await things.client.set("word", "x")
    await things.settle(G, START, await things.read(G), seen("one"), HashIncrement("word", {"f": 1}))
    return await things.list("seen") == [] and not await things.halted()


async def a_late_packet_without_entries_is_fenced(things: Things) -> bool:
    """W16."""
    await things.settle(G, START, [], seen("one"), token="a")
    await things.settle(G, START, [], seen("two"), token="b", after="a")
    await things.settle(G, START, [], seen("one"), token="a")
    return await things.list("seen") == ["one", "two"]


async def one_writer_wins_a_version(things: Things) -> bool:
    """I5."""
    await things.append(facts("T1", 0, 1))
    await things.append(facts("T1", 0, 1))
    return int(await things.client.xlen("things")) == 1


async def a_repeated_command_is_recognised(things: Things) -> bool:
    """I3."""
    answers = [await things.append(facts("T1", 0, 1, command="c")) for _ in range(2)]
    first, second = answers
    return isinstance(first, Appended) and isinstance(second, Appended) and second.ids == first.ids


async def a_halted_partition_takes_no_append(things: Things) -> bool:
    """I15."""
    await things.client.hset("things:state", "halted", "by hand")
    try:
        await things.append(facts("T1", 0, 1))
    except Exception:
        return True
    return False


async def a_cursor_that_was_set_back_leaves_nothing_pending_after_resync(things: Things) -> bool:
    """S2, W13."""
    await things.add("T1", 2)
    await things.settle(G, START, await things.read(G))
    await things.client.xgroup_setid("things", G, "0")
    await things.read(G, "zombie")
    await things.resync(G)
    return (await things.look(G)).pending == 0


async def a_healed_group_goes_on_at_its_position(things: Things) -> bool:
    """W25."""
    await things.add("T1", 3)
    await things.settle(G, START, (await things.read(G))[:1])
    await things.client.xgroup_destroy("things", G)
    await things.resync(G)
    return len(await things.read(G)) == 2


async def a_dead_consumer_is_kept_while_something_is_pending_at_it(things: Things) -> bool:
    """S14: the owner takes it over first."""
    await things.add("T1", 1)
    await things.resync(G, "steady", start=True)
    await things.read(G, "dead")
    await position.tidy(things.client, things.keys, G, 0, "steady", ["steady"])
    return (await things.look(G)).pending == 1


async def only_the_owner_tidies(things: Things) -> bool:
    """A zombie knows an old list of the living."""
    await things.resync(G, "owner", start=True)
    await things.read(G, "owner")
    await position.tidy(things.client, things.keys, G, 0, "zombie", ["zombie"])
    return (await things.look(G)).consumers == 1


async def a_death_in_company_counts_against_nobody(things: Things) -> bool:
    """W21."""
    (only,) = await things.add("T1", 1)
    await things.resync(G, "one", start=True)
    await position.mark(things.client, things.keys, G, 0, START, only, "one", count=1, alone=False)
    return (await things.resync(G, "two", start=True)).kills == 0


async def a_death_of_many_together_counts_against_none_of_them(things: Things) -> bool:
    """W20: only a single entry that had the process to itself can be blamed."""
    ids = await things.add("T1", 2)
    await things.resync(G, "one", start=True)
    await position.mark(things.client, things.keys, G, 0, START, ids[1], "one", count=2, alone=True)
    return (await things.resync(G, "two", start=True)).kills == 0


FENCE = "if record[1] ~= expected then return {'FENCED', record[1], record[3] or ''} end"
ENTRY_GONE = "if not two[1] or two[1][1] ~= position then"
MISSING = """\
  if not record[1] then
    halt(state_key, 'LOST: the position record of ' .. group .. ' is missing')
    return {'LOST', 'the position record of ' .. group .. ' is missing'}
  end
  -- Our own token"""
UNFIT = """\
  local wrong = first_unfit(call[3], keys, seen)
  if wrong then return {'INVALID', wrong} end
  return nil, fresh"""
MUTANTS: dict[str, tuple[Story, tuple[tuple[str, str], ...]]] = {
    "no position check": (a_zombie_cannot_apply_a_batch_again, (
        (FENCE, ""), ("refusal = look_behind(log_key, expected, ids[1], call[2])", "refusal = nil"),
    )),
    "position not greater instead of equal": (an_older_position_is_not_enough, (
        (FENCE, "if record[1] > expected then return {'FENCED', record[1], ''} end"),
        ("  if #left > 0 then", "  if false then"),
    )),
    "no first-entry check": (nothing_that_a_lost_read_swallowed_is_skipped, (
        ("  if not behind or behind[1] ~= first_id then", "  if false then"),
        ("  if event_id ~= first_event then", "  if false then"),
    )),
    "no look for a hole": (a_hole_inside_a_batch_is_noticed, (("  if #left > 0 then", "  if false then"),)),
    "two reads joined": (joined_reads_do_not_set_the_position_back, (
        ("  if not rising(ids) then", "  if false then"),
    )),
    "eventId not compared": (the_same_id_with_other_content_is_noticed, (
        ("  if event_id ~= first_event then", "  if false then"),
    )),
    "entry at the position not required": (a_trimmed_position_halts, (
        (ENTRY_GONE, "if two[1] and two[1][1] ~= position then two[2] = two[1] end if false then"),
    )),
    "missing position read as 0-0": (a_missing_position_is_not_the_beginning, (
        (MISSING, "  if not record[1] then record[1] = '0-0' record[2] = '0' end\n  -- Our own token"),
    )),
    "XACK left out": (a_settled_batch_is_no_longer_pending, (
        ("refusal = acknowledge(log_key, group, expected, ids)", "refusal = nil"),
    )),
    "effects not checked before the first write": (a_wrong_effect_leaves_nothing_behind, (
        (UNFIT, "  return nil, fresh"),
    )),
    "no token check of a settle without entries": (a_late_packet_without_entries_is_fenced, (
        ("    if record[3] ~= args[4] then return {'FENCED', record[1], record[3] or ''} end\n", ""),
    )),
    "append ignores the version": (one_writer_wins_a_version, (
        ("  if version ~= unit[U_EXPECTED] then return", "  if false then return"),
    )),
    "append ignores the command id": (a_repeated_command_is_recognised, (
        ("    if first then return {'REPEATED', cmsgpack.unpack(first)} end", ""),
    )),
    "append stores no result": (a_repeated_command_is_recognised, (
        ("  if command then write('SET', command,", "  if false then write('SET', command,"),
    )),
    "append ignores the halt": (a_halted_partition_takes_no_append, (
        ("  if state[2] then return {'HALTED', state[2]} end", ""),
    )),
    "resync without acknowledging": (
        a_cursor_that_was_set_back_leaves_nothing_pending_after_resync,
        (("  clear_settled(log_key, group, record[1])\n", ""),),
    ),
    "tidy drops what is pending": (a_dead_consumer_is_kept_while_something_is_pending_at_it, (
        ("    if row[4] == 0 and goes(row[2]) then", "    if goes(row[2]) then"),
    )),
    "anybody tidies": (only_the_owner_tidies, (
        ("  if started ~= args[2] then return {'FENCED', started or ''} end\n  local living", "  local living"),
    )),
    "deaths in company are counted": (a_death_in_company_counts_against_nobody, (
        ("    if record[2] and record[3] == '1' then redis", "    if record[3] == '1' then redis"),
    )),
    "deaths of many together are counted": (a_death_of_many_together_counts_against_none_of_them, (
        ("    if record[2] and record[3] == '1' then redis", "    if record[2] then redis"),
    )),
    "a healed group begins at the end": (a_healed_group_goes_on_at_its_position, (
        ("redis.call('XGROUP', 'CREATE', log_key, group, position, 'ENTRIESREAD', settled)",
         "redis.call('XGROUP', 'CREATE', log_key, group, '$')"),
    )),
}  # fmt: skip


def mutated(changes: tuple[tuple[str, str], ...]) -> str:
    """The text of the library with these changes, each of which has to fit exactly once."""
    text = functions.library_source()
    for old, new in changes:
        assert text.count(old) == 1, f"this mutant has lost its subject: {old}"
        text = text.replace(old, new)
    return text


@pytest.fixture
async def own(commands: Redis) -> AsyncIterator[Redis]:
    """Give a client whose server gets its true library back afterwards."""
    yield commands
    await functions.load_library(commands)


@pytest.mark.parametrize("name", MUTANTS)
async def test_a_library_without_one_of_its_checks_breaks_its_promise(own: Redis, name: str) -> None:
    story, changes = MUTANTS[name]
    assert await story(await open_things(own, G)), "the true library does not keep it either"
    await own.flushall()
    assert not await story(await open_things(own, G, source=mutated(changes))), f"nobody noticed: {name}"
