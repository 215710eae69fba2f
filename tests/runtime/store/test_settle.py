"""settle on a real server: each answer, and that a refusal writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.answers import Fenced, Gap, GuardFailed, Invalid, Settled, Settlement, Stopped
from runtime.effects import HashIncrement, HashSet, ListPush, SetAdd, StreamAdd
from tests.support.things import START, Things, facts, open_things
from tests.support.windows import window

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from runtime.entry import Entry

G = "listers"


async def read(commands: Redis, count: int = 3) -> tuple[Things, list[Entry]]:
    """A log of `count` facts, all of them read by the group."""
    things = await open_things(commands, G)
    await things.add("T1", count)
    return things, await things.read(G)


async def test_a_settle_applies_effects_moves_the_position_and_acknowledges(commands: Redis) -> None:
    things, entries = await read(commands)
    answer = await things.settle(G, START, entries, ListPush("seen", ("a",)), facts("T2", 0, 1))
    assert answer == Settled(position=entries[-1].id, settled=3, retries=0)
    assert await things.list("seen") == ["a"]
    assert await commands.get("thing:T2:head") == b"1"
    look = await things.look(G)
    assert (look.position, look.settled, look.pending, look.backlog) == (entries[-1].id, 3, 0, 1)


async def test_a_batch_of_one_is_settled(commands: Redis) -> None:
    things, entries = await read(commands, 1)
    assert isinstance(await things.settle(G, START, entries), Settled)
    assert (await things.look(G)).at_rest


async def test_a_batch_of_five_hundred_with_effects_is_settled(commands: Redis) -> None:
    things, entries = await read(commands, 500)
    wanted = [HashSet(f"view:{entry.id}", {"is": "there"}) for entry in entries]
    assert await things.settle(G, START, entries, *wanted) == Settled(entries[-1].id, 500, 0)
    assert (await things.look(G)).at_rest
    assert await commands.exists(*(one.key for one in wanted)) == 500


async def test_bytes_of_any_value_come_through_an_effect_as_they_are(commands: Redis) -> None:
    things, entries = await read(commands)
    values = [bytes(range(256)), b"", b"\xff" * 31, b"\xff" * 32, b"\xff" * 256, b"\xff" * 70_000]
    await things.settle(G, START, entries, ListPush("raw", tuple(values)))
    assert await commands.lrange("raw", 0, -1) == values


@window("W10", "W11", "W16")
async def test_a_settle_from_an_older_position_is_fenced_and_writes_nothing(commands: Redis) -> None:
    """W10, W11, W16: a zombie, or a packet that arrives late."""
    things, entries = await read(commands)
    await things.settle(G, START, entries[:1], token="first")
    before = await things.dump()
    answer = await things.settle(G, START, entries[:1], ListPush("seen", ("a",)))
    assert answer == Fenced(position=entries[0].id, token="first")
    assert await things.dump() == before


@window("W8")
async def test_a_batch_that_does_not_begin_behind_the_position_is_a_gap(commands: Redis) -> None:
    """W8: a lost read swallowed the first entries."""
    things, entries = await read(commands)
    before = await things.dump()
    answer = await things.settle(G, START, entries[1:], ListPush("seen", ("a",)))
    assert answer == Gap(START, f"next is {entries[0].id}, not {entries[1].id}")
    assert await things.dump() == before


@window("W30")
async def test_another_entry_under_the_same_id_is_a_gap(commands: Redis) -> None:
    """W30: after a rollback the same id carries other content."""
    things, entries = await read(commands, 1)
    before = await things.dump()
    foreign = things.entries.read((entries[0].id.encode(), [b"eventId", b"other", *entries[0].fields[2:]]))
    answer = await things.settle(G, START, [foreign], ListPush("seen", ("a",)))
    assert answer == Gap(START, f"another entry stands at {entries[0].id}")
    assert await things.dump() == before


@window("W31")
async def test_an_event_id_that_is_no_text_does_not_block_the_group(commands: Redis) -> None:
    """W31: a foreign producer writes raw bytes; compared byte by byte."""
    things = await open_things(commands, G)
    await things.raw("eventId", b"\xff\xfe", "x", "y")
    assert isinstance(await things.settle(G, START, await things.read(G)), Settled)


@window("W31")
async def test_an_entry_without_an_event_id_does_not_block_the_group(commands: Redis) -> None:
    """W31."""
    things = await open_things(commands, G)
    await things.raw("x", "y")
    assert isinstance(await things.settle(G, START, await things.read(G)), Settled)


async def test_a_hole_inside_a_batch_is_a_gap_without_effects(commands: Redis) -> None:
    """S9: 1, 2, 5 of 5."""
    things, entries = await read(commands, 5)
    holed = [entries[0], entries[1], entries[4]]
    answer = await things.settle(G, START, holed, ListPush("seen", ("a",)))
    assert answer == Gap(START, f"the batch skips {entries[2].id}")
    assert await things.list("seen") == []
    await things.resync(G)
    assert [entry.id for entry in await things.read(G)] == [entry.id for entry in entries]


async def test_a_batch_that_is_not_in_the_order_of_the_log_is_a_gap(commands: Redis) -> None:
    """I6: two reads were joined after the cursor was set back; the position would go down."""
    things, entries = await read(commands, 5)
    await things.settle(G, START, entries[:4])
    await commands.xgroup_setid("things", G, entries[0].id)
    again = await things.read(G, count=1)
    answer = await things.settle(G, entries[3].id, [entries[4], *again], ListPush("seen", ("a",)))
    assert answer == Gap(entries[3].id, "the batch is not in the order of the log")
    assert await things.list("seen") == []


async def test_ids_of_any_length_are_in_the_order_of_their_numbers(commands: Redis) -> None:
    """L6: beyond 2^53 too, where Lua's numbers can no longer tell them apart."""
    things = await open_things(commands, G)
    ids = ["9-9", "9-10", "10-0", "10-9007199254740992", "10-9007199254740993", "9007199254740993-1"]
    for entry_id in ids:
        await things.client.execute_command("XADD", "things", entry_id, "eventId", "x")
    entries = await things.read(G)
    assert isinstance(await things.settle(G, START, entries[:4]), Settled)
    assert isinstance(await things.settle(G, ids[3], entries[4:]), Settled)
    assert (await things.look(G)).at_rest


@window("W25")
async def test_entries_that_are_not_pending_are_a_gap(commands: Redis) -> None:
    """W25: the consumer was deleted, and its pending entries with it."""
    things, entries = await read(commands)
    await commands.xgroup_delconsumer("things", G, "me")
    answer = await things.settle(G, START, entries, ListPush("seen", ("a",)))
    assert answer == Gap(START, "not all of the batch was pending")
    assert await things.list("seen") == []


@window("W25")
async def test_a_settle_for_a_group_that_was_destroyed_is_a_gap(commands: Redis) -> None:
    """W25: the position stands, so resync can make the group again."""
    things, entries = await read(commands)
    await commands.xgroup_destroy("things", G)
    assert isinstance(await things.settle(G, START, entries, ListPush("seen", ("a",))), Gap)
    assert await things.list("seen") == []


@window("W33")
async def test_a_follow_up_on_an_entity_that_moved_on_is_a_conflict_and_writes_nothing(
    commands: Redis,
) -> None:
    """W33."""
    things, entries = await read(commands)
    await things.add("T2", 2)
    before = await things.dump()
    answer = await things.settle(G, START, entries, ListPush("seen", ("a",)), facts("T2", 1, 1))
    assert answer == GuardFailed(key="thing:T2:head", version=2)
    assert await things.dump() == before


async def test_two_follow_ups_on_one_entity_count_on_each_other(commands: Redis) -> None:
    things, entries = await read(commands)
    assert isinstance(await things.settle(G, START, entries, facts("T2", 0, 1), facts("T2", 1, 1)), Settled)
    assert await commands.get("thing:T2:head") == b"2"


@window("W22")
async def test_entries_are_not_parked_behind_an_entity_that_is_no_longer_held(commands: Redis) -> None:
    """W22: an operator let it go meanwhile."""
    things, entries = await read(commands)
    before = await things.dump()
    assert await things.settle(G, START, entries, held=["T1"]) == GuardFailed("held T1", 0)
    assert await things.dump() == before


@window("W22")
async def test_a_parked_entry_is_not_taken_again_twice(commands: Redis) -> None:
    """W22: two runners, or a lost reply."""
    things, entries = await read(commands)
    parked, held = things.keys.parked(G), things.keys.held(G)
    await things.settle(G, START, entries, StreamAdd(parked, ("a", "b")), HashIncrement(held, {"T1": 1}), token="one")
    parked_id = (await things.client.xrange(parked))[0][0].decode()
    at, again = entries[-1].id, ListPush("seen", ("again",))
    first = await things.settle(G, at, [], again, released=[(parked_id, "T1")], token="two", after="one")
    second = await things.settle(G, at, [], again, released=[(parked_id, "T1")], token="three", after="two")
    assert isinstance(first, Settled)
    assert second == GuardFailed(f"parked {parked_id}", 0)
    assert await things.list("seen") == ["again"]
    assert not await commands.exists(held)


@window("W32")
async def test_a_command_of_an_earlier_settle_is_not_done_again_but_the_batch_is_settled(
    commands: Redis,
) -> None:
    """W32: a raw entry that its producer sent twice."""
    things, entries = await read(commands)
    await things.settle(G, START, entries[:1], facts("T2", 0, 1, command="c"))
    answer = await things.settle(G, entries[0].id, entries[1:], facts("T2", 0, 1, command="c"))
    assert isinstance(answer, Settled)
    assert await commands.get("thing:T2:head") == b"1"


@window("W32")
async def test_a_command_that_stands_twice_in_one_settle_is_done_once(commands: Redis) -> None:
    """W32: both copies of the raw entry came in one batch."""
    things, entries = await read(commands)
    both = (facts("T2", 0, 1, command="c"), facts("T2", 1, 1, command="c"))
    assert isinstance(await things.settle(G, START, entries, *both), Settled)
    assert await commands.get("thing:T2:head") == b"1"


async def test_an_effect_on_the_log_or_the_position_is_refused(commands: Redis) -> None:
    things, entries = await read(commands)
    before = await things.dump()
    for key in ("things", "things:state", "things:position:listers"):
        answer = await things.settle(G, START, entries, HashSet(key, {"id": "9-9"}))
        assert isinstance(answer, Invalid)
    assert await things.dump() == before


async def test_more_effects_than_one_settle_may_have_are_invalid_and_not_the_end_of_the_runner(
    commands: Redis,
) -> None:
    things, entries = await read(commands)
    answer = await things.settle(G, START, entries, *(SetAdd(f"s{n}", ("m",)) for n in range(5001)))
    assert answer == Invalid("5,001 effects in one settle, the limit is 5,000")
    answer = await things.settle(G, START, entries, SetAdd("s", tuple(map(str, range(7001)))))
    assert isinstance(answer, Invalid)


async def test_an_argument_that_is_no_text_is_invalid_and_not_the_end_of_the_runner(commands: Redis) -> None:
    things, entries = await read(commands)
    for value in (None, object(), 5, "\ud800"):
        answer = await things.settle(G, START, entries, HashSet("h", {"f": value}))  # type: ignore[dict-item]
        assert isinstance(answer, Invalid), value


async def test_a_follow_up_in_an_unknown_log_is_invalid_and_not_the_end_of_the_runner(
    commands: Redis,
) -> None:
    things, entries = await read(commands)
    assert isinstance(await things.settle(G, START, entries, facts("T1", 3, 1, log="others")), Invalid)


@window("W27")
async def test_a_position_whose_entry_was_trimmed_is_lost_and_halts(commands: Redis) -> None:
    """W27: XTRIM past the position."""
    things, entries = await read(commands, 10)
    await things.settle(G, START, entries[:3])
    await commands.xtrim("things", maxlen=4, approximate=False)
    answer = await things.settle(G, entries[2].id, entries[3:])
    assert answer == Stopped("LOST", f"the entry at the position {entries[2].id} is gone")
    assert await things.settle(G, entries[2].id, entries[3:]) == Stopped("HALTED", await things.halted())


@window("W27")
async def test_entries_that_were_removed_before_the_group_saw_any_are_lost(commands: Redis) -> None:
    """W27: trimmed at the position 0-0."""
    things, entries = await read(commands, 3)
    await commands.xtrim("things", maxlen=2, approximate=False)
    assert isinstance(await things.settle(G, START, entries[1:]), Stopped)
    assert (await things.halted()).startswith("LOST: listers: entries were removed")


@window("W26")
async def test_a_deleted_log_that_has_new_entries_is_lost(commands: Redis) -> None:
    """W26: DEL, then five entries by a raw producer: the position's entry is not among them."""
    things, entries = await read(commands)
    await things.settle(G, START, entries)
    await commands.delete("things")
    for _ in range(5):
        await things.raw("eventId", "new")
    await commands.xgroup_create("things", G, "0")
    answer = await things.settle(G, entries[-1].id, await things.read(G), ListPush("seen", ("a",)))
    assert isinstance(answer, Stopped)
    assert answer.answer == "LOST"
    assert await things.list("seen") == []


@window("W26")
async def test_a_deleted_log_is_lost_and_halts(commands: Redis) -> None:
    """W26."""
    things, entries = await read(commands)
    await commands.delete("things")
    assert await things.settle(G, START, entries) == Stopped("LOST", "the stream is gone")
    assert await things.halted() == "LOST: the stream is gone"
    assert not await commands.exists("things")


@window("W28")
async def test_a_missing_position_record_is_lost_and_never_read_as_the_beginning(commands: Redis) -> None:
    """W28."""
    things, entries = await read(commands)
    await commands.delete("things:position:listers")
    answer = await things.settle(G, START, entries, ListPush("seen", ("a",)))
    assert answer == Stopped("LOST", "the position record of listers is missing")
    assert await things.list("seen") == []
    assert "position record" in await things.halted()


@window("W28")
async def test_a_position_record_without_its_id_is_lost(commands: Redis) -> None:
    """W28: HDEL."""
    things, entries = await read(commands)
    await commands.hdel("things:position:listers", "id")
    assert isinstance(await things.settle(G, START, entries), Stopped)


@window("W26")
async def test_another_incarnation_of_the_log_is_lost(commands: Redis) -> None:
    """W26: FLUSHALL and a new log under the same name."""
    things, entries = await read(commands)
    await commands.flushall()
    other = await open_things(commands, G)
    await other.add("T1", 3)
    answer = await things.settle(G, START, entries, ListPush("seen", ("a",)))
    assert isinstance(answer, Stopped)
    assert answer.why.startswith("another incarnation")
    assert await things.list("seen") == []


@window("W15")
async def test_a_repeated_settle_of_effects_alone_is_recognised_by_its_token(commands: Redis) -> None:
    """W15: the reply of a settle without entries was lost."""
    things, entries = await read(commands)
    await things.settle(G, START, entries, token="batch")
    at = entries[-1].id
    for _ in range(2):
        answer = await things.settle(G, at, [], ListPush("seen", ("a",)), token="tick", after="batch")
        assert answer == Settled(at, 3, 0)
    assert await things.list("seen") == ["a"]


@window("W16", "W37")
async def test_a_settle_of_effects_alone_is_fenced_by_any_settle_in_between(commands: Redis) -> None:
    """W16, W37: it moves no position, so a late packet or a zombie is told by the token."""
    things, entries = await read(commands)
    at = entries[-1].id
    await things.settle(G, START, entries, token="batch")
    await things.settle(G, at, [], ListPush("seen", ("mine",)), token="tick 1", after="batch")
    await things.settle(G, at, [], ListPush("seen", ("theirs",)), token="tick 2", after="tick 1")
    late = await things.settle(G, at, [], ListPush("seen", ("mine",)), token="tick 1", after="batch")
    zombie = await things.settle(G, at, [], ListPush("seen", ("zombie",)), after="batch")
    assert late == zombie == Fenced(at, "tick 2")
    assert await things.list("seen") == ["mine", "theirs"]


async def test_a_settle_can_name_the_token_that_resync_found(commands: Redis) -> None:
    things, entries = await read(commands)
    await things.settle(G, START, entries, token="batch")
    standing = await things.resync(G, "other", start=True)
    answer = await things.settle(G, standing.position, [], SetAdd("s", ("m",)), after=standing.token)
    assert isinstance(answer, Settled)


async def test_a_settle_of_nothing_is_ok(commands: Redis) -> None:
    things, _ = await read(commands)
    assert await things.settler(G).settle(START, "t", Settlement()) == Settled(START, 0, 0)
