"""append on a real server: each answer, and what it leaves in the store."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from runtime.effects import Append, Delete, HashIncrement, Put, SetAdd, StreamAdd
from runtime.embedded.server import running_server
from runtime.errors import EffectRefused, Halted, OutcomeUnknown
from runtime.store.append import AppendAnswer, Appended, Appender, Rejected
from runtime.store.clients import StoreAddress, open_commands
from runtime.store.received import Received
from tests.support.store import command
from tests.support.things import fact, facts, open_things
from tests.support.waiting import until
from tests.support.windows import window

if TYPE_CHECKING:
    from redis.asyncio import Redis


async def test_an_append_writes_events_version_snapshot_history_and_effects_together(commands: Redis) -> None:
    things = await open_things(commands)
    answer = await things.append(facts("T1", 0, 2, HashIncrement("total", {"facts": 2}), command="c"))
    assert isinstance(answer, Appended)
    assert (answer.version, answer.repeated) == (2, False)
    assert [entry_id.decode() for entry_id, _ in await things.client.xrange("things")] == list(answer.ids)
    assert await things.client.get("thing:T1:head") == b"2"
    assert await things.client.hgetall("thing:T1") == {b"last": b"T1-2"}
    assert await things.list("thing:T1:history") == list(answer.ids)
    assert await things.client.hgetall("total") == {b"facts": b"2"}


@window("W1")
async def test_a_repeated_command_gets_its_first_answer_and_writes_nothing(commands: Redis) -> None:
    """W1: the reply was lost, the producer repeats."""
    things = await open_things(commands)
    first = await things.append(facts("T1", 0, 2, command="c"))
    await things.add("T1")
    before = await things.dump()
    again = await things.append(facts("T1", 0, 2, command="c"))
    assert isinstance(first, Appended)
    assert again == Appended(first.version, first.ids, repeated=True)
    assert await things.dump() == before


@window("W3")
async def test_a_command_id_that_has_expired_is_still_rejected_by_the_version(commands: Redis) -> None:
    """W3: a retry after the TTL of the command id."""
    things = await open_things(commands)
    short = Appender(commands, {"things": things.log}, command_ttl_ms=1)
    await short.append(facts("T1", 0, 1, command="c"))
    key = things.keys.command("c", "T1")

    async def expired() -> bool:
        return not await things.client.exists(key)

    await until(expired, what="the command id expired")
    assert await short.append(facts("T1", 0, 1, command="c")) == Rejected(version=1)
    assert await things.client.xlen("things") == 1


async def test_a_stale_version_is_rejected_with_the_current_one_and_writes_nothing(commands: Redis) -> None:
    things = await open_things(commands)
    await things.add("T1", 3)
    before = await things.dump()
    assert await things.append(facts("T1", 2, 1, SetAdd("s", ("m",)), command="late")) == Rejected(version=3)
    assert await things.dump() == before


@window("W4")
async def test_of_fifty_racing_appends_one_wins_each_version(commands: Redis) -> None:
    """W4: writers decide on one entity at once."""
    things = await open_things(commands)
    for version in range(3):
        answers = await asyncio.gather(
            *(things.append(facts("T1", version, 1, command=f"{version}/{n}")) for n in range(50))
        )
        winners = [answer for answer in answers if isinstance(answer, Appended)]
        assert len(winners) == 1
        assert [answer for answer in answers if answer != winners[0]] == [Rejected(version=version + 1)] * 49
    assert await things.client.xlen("things") == 3


async def test_each_unit_of_one_call_is_answered_on_its_own(commands: Redis) -> None:
    things = await open_things(commands)
    units = [facts("T1", 0, 1), facts("T2", 7, 1), facts("T1", 1, 1)]
    answers = await things.appender.append_many(units)
    assert [answer.version for answer in answers] == [1, 0, 2]
    assert await things.client.xlen("things") == 2


async def test_five_hundred_events_are_appended_in_one_step(commands: Redis) -> None:
    things = await open_things(commands)
    assert len(await things.add("T1", 500)) == 500
    assert await things.client.llen("thing:T1:history") == 500


async def refused(commands: Redis, unit: Append, match: str) -> None:
    """Expect INVALID for a unit, and nothing written."""
    things = await open_things(commands)
    before = await things.dump()
    with pytest.raises(EffectRefused, match=match):
        await things.append(unit)
    assert await things.dump() == before


async def test_an_event_without_pairs_is_refused(commands: Redis) -> None:
    await refused(commands, Append("things", "T1", 0, (("eventId",),)), "pairs of text")


async def test_a_snapshot_that_is_no_hash_is_refused_before_the_events_are_written(commands: Redis) -> None:
    await commands.set("thing:T1", "x")
    await refused(commands, facts("T1", 0, 1), "thing:T1 is a string, not a hash")


async def test_a_history_that_is_no_list_is_refused_before_the_events_are_written(commands: Redis) -> None:
    await commands.set("thing:T1:history", "x")
    await refused(commands, facts("T1", 0, 1), "thing:T1:history is a string, not a list")


async def test_a_version_that_is_none_is_refused(commands: Redis) -> None:
    await commands.set("thing:T1:head", "many")
    await refused(commands, facts("T1", 0, 1), "thing:T1:head holds no version")


async def test_more_events_than_the_history_takes_at_once_are_refused(commands: Redis) -> None:
    await refused(commands, facts("T1", 0, 1001), "more than 1000 events")


async def test_a_snapshot_with_more_fields_than_the_store_takes_at_once_is_refused(commands: Redis) -> None:
    wide = {f"f{n}": "x" for n in range(4000)}
    await refused(commands, Append("things", "T1", 0, (fact("T1", 1),), wide), "snapshot has too many")


async def test_an_effect_of_another_type_on_the_snapshot_is_refused_before_the_events(
    commands: Redis,
) -> None:
    await refused(commands, facts("T1", 0, 1, SetAdd("thing:T1", ("m",))), "it is a hash, not a set")


async def test_an_effect_may_not_touch_what_append_alone_writes(commands: Redis) -> None:
    for effect in (
        Put("thing:T1:head", "9"),
        Delete("thing:T1:history"),
        StreamAdd("things", ("forged", "fact")),
        Delete("things:state"),
    ):
        await refused(commands, facts("T1", 0, 1, effect), "written by append and settle alone")


async def test_an_append_to_a_log_that_nobody_opened_is_refused(commands: Redis) -> None:
    await refused(commands, facts("T1", 0, 1, log="others"), "no log of the name 'others'")


@window("W26")
async def test_a_log_that_is_gone_is_not_made_again_by_an_append(commands: Redis) -> None:
    """W26: the stream was deleted; the partition halts and stays halted."""
    things = await open_things(commands)
    await things.add("T1")
    await commands.delete("things")
    with pytest.raises(Halted, match="LOST: the stream is gone"):
        await things.add("T1")
    with pytest.raises(Halted, match="HALTED: LOST"):
        await things.add("T1")
    assert not await commands.exists("things")


async def test_a_log_that_was_overwritten_halts_the_append(commands: Redis) -> None:
    """F21: SET over the stream."""
    things = await open_things(commands)
    await commands.set("things", "x")
    with pytest.raises(Halted, match="a string stands in its place"):
        await things.add("T1")


@window("W26")
async def test_an_append_to_an_emptied_store_is_refused(commands: Redis) -> None:
    """W26: FLUSHALL under a running process."""
    things = await open_things(commands)
    await commands.flushall()
    with pytest.raises(Halted, match="LOST"):
        await things.add("T1")
    assert await commands.dbsize() == 0


@window("W26")
async def test_an_append_to_another_incarnation_of_the_log_is_refused(commands: Redis) -> None:
    """W26: the store was replaced by another with the same names."""
    things = await open_things(commands)
    await commands.flushall()
    await open_things(commands)
    with pytest.raises(Halted, match="another incarnation"):
        await things.add("T1")
    assert await commands.xlen("things") == 0


async def test_a_halted_partition_takes_no_append(commands: Redis) -> None:
    """I15: the halt flag counts for producers too."""
    things = await open_things(commands)
    await commands.hset("things:state", "halted", "by hand")
    with pytest.raises(Halted, match="HALTED: by hand"):
        await things.add("T1")


@window("W6")
async def test_an_append_is_confirmed_by_replicas_that_have_it_also_when_it_is_repeated() -> None:
    """WAIT counts from the last write of its own connection: a repetition that only read would be confirmed at once."""
    directives = {"repl-diskless-sync-delay": "0"}
    async with running_server(port=21_200, directives=directives) as server, running_server() as second:
        address = StoreAddress.parse(server.url)
        commands, replica = (
            open_commands(one, max_connections=2, allow_replica=True)
            for one in (address, StoreAddress.parse(second.url))
        )
        things = await open_things(commands)
        appender = Appender(commands, {things.name: things.log}, received=Received(1, 100), fsynced=True)
        await command(replica, "REPLICAOF", "127.0.0.1", str(server.store.port))

        async def in_step() -> bool:
            with suppress(OutcomeUnknown):
                answer = await appender.append(facts("T1", 0, 1, command="first"))
                return isinstance(answer, Appended) and answer.confirmed == "fsynced and replicated"
            return False

        await until(in_step, what="the replica takes the stream")
        os.kill(second.store.server_pid, signal.SIGSTOP)
        try:
            for _ in range(2):  # the second time on another connection: the first was dropped
                with pytest.raises(OutcomeUnknown, match="0 of 1 replicas had the write"):
                    await appender.append(facts("T1", 1, 1, command="second"))
            assert await appender.append(facts("T1", 0, 1, command="late")) == Rejected(2), "nothing was written"
        finally:
            os.kill(second.store.server_pid, signal.SIGCONT)

        async def confirmed() -> AppendAnswer | None:
            with suppress(OutcomeUnknown):
                return await appender.append(facts("T1", 1, 1, command="second"))
            return None

        answer = await until(confirmed, what="the replica has it")
        assert isinstance(answer, Appended) and answer.repeated and answer.version == 2
        for client in (commands, replica):
            await client.aclose()
