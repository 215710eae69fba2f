"""Failure windows with a real runner on a real server: what is lost, broken or taken away is made good."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from runtime.answers import Fenced, Gap
from runtime.effects import ListPush
from runtime.errors import OutcomeUnknown
from runtime.signals import BatchSettled, EntryParked
from tests.support.running import Lister, serving
from tests.support.things import START, Things, fact, facts, open_things
from tests.support.waiting import until
from tests.support.windows import window

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from runtime.effects import Effects
    from runtime.entry import Batch
    from runtime.store.clients import StoreAddress

G = "listers"


def names(entity: str, count: int, first: int = 1) -> list[str]:
    """The event ids of an entity's facts."""
    return [f"{entity}-{n}" for n in range(first, first + count)]


async def prepared(commands: Redis, count: int) -> Things:
    """A log with `count` facts of T1 that nobody has read."""
    things = await open_things(commands, G)
    if count:
        await things.add("T1", count)
    return things


async def test_every_entry_is_applied_once_and_in_order(commands: Redis, store_address: StoreAddress) -> None:
    things = await prepared(commands, 250)
    async with serving(store_address, things, Lister(), batch=100) as served:
        await served.until_rest()
        await things.add("T2", 3)
        await served.until_rest()
    assert await things.list("seen") == names("T1", 250) + names("T2", 3)


@window("W9")
async def test_a_tail_that_a_dead_consumer_read_is_healed_without_a_further_append(
    commands: Redis, store_address: StoreAddress
) -> None:
    """W9: nothing is settled, so no gap shows it; the idle check does, within two reads."""
    things = await prepared(commands, 0)
    async with serving(store_address, things, Lister()) as served:
        await served.started.wait()
        await things.add("T0", 1)
        await served.until_rest()
        reader: Any = served.link._reader
        real, reads = reader._send, 0

        async def counting(*words: Any, **options: Any) -> Any:
            nonlocal reads
            reads += words[0] == "XREADGROUP" and "idle" not in served.resyncs
            return await real(*words, **options)

        reader._send = counting
        # in one transaction, so that the other consumer has the entry before the runner's blocked read can
        pipeline = commands.pipeline(transaction=True)
        pipeline.execute_command("XADD", "things", "*", *fact("T9", 1))
        pipeline.execute_command("XREADGROUP", "GROUP", G, "dead", "STREAMS", "things", ">")
        await pipeline.execute()
        await served.until_rest()
    assert "idle" in served.resyncs
    assert await things.list("seen") == ["T0-1", "T9-1"]
    assert reads <= 2, "counted and not timed: a busy machine is no fault"


@window("W25")
async def test_a_group_that_is_destroyed_under_a_blocked_read_is_healed(
    commands: Redis, store_address: StoreAddress
) -> None:
    """W25."""
    things = await prepared(commands, 3)
    async with serving(store_address, things, Lister()) as served:
        await served.until_rest()
        await commands.xgroup_destroy("things", G)
        await things.add("T1", 2)
        await served.until_rest()
    assert "lost_group" in served.resyncs
    assert await things.list("seen") == names("T1", 5)


@window("W25")
async def test_a_consumer_that_is_deleted_with_its_pending_entries_loses_nothing(
    commands: Redis, store_address: StoreAddress
) -> None:
    """W25: between read and settle."""
    things = await prepared(commands, 5)

    class Unlucky(Lister):
        async def handle(self, batch: Batch) -> Effects:
            if not self.given:
                await commands.xgroup_delconsumer("things", G, "p1")
            return await super().handle(batch)

    async with serving(store_address, things, Unlucky()) as served:
        await served.until_rest()
    assert "gap" in served.resyncs
    assert await things.list("seen") == names("T1", 5)


@window("W13")
async def test_a_cursor_that_a_zombie_set_back_applies_nothing_twice(
    commands: Redis, store_address: StoreAddress
) -> None:
    """W13: XGROUP SETID 0 from anywhere, late."""
    things = await prepared(commands, 5)
    async with serving(store_address, things, Lister()) as served:
        await served.until_rest()
        await commands.xgroup_setid("things", G, "0")
        await things.add("T1", 2)
        await served.until_rest()
    assert await things.list("seen") == names("T1", 7)


@window("W26", "W47")
async def test_a_deleted_log_halts_with_a_declared_wait_and_is_not_made_again(
    commands: Redis, store_address: StoreAddress
) -> None:
    """W26, W47: DEL, and five new entries of a raw producer."""
    things = await prepared(commands, 3)
    async with serving(store_address, things, Lister()) as served:
        await served.until_rest()
        await commands.delete("things")
        assert "LOST" in await served.until_wait("halted")
        for _ in range(5):
            await things.raw("eventId", "new")
        count = len(served.waits)
        await until(lambda: len(served.waits) > count, what="it looked again")
    assert await things.list("seen") == names("T1", 3)
    assert await things.halted()


async def test_a_halted_runner_goes_on_by_itself_after_an_operator_resumed(
    commands: Redis, store_address: StoreAddress
) -> None:
    things = await prepared(commands, 3)
    await commands.hset("things:state", "halted", "by hand")
    async with serving(store_address, things, Lister()) as served:
        await served.until_wait("halted")
        assert not served.started.is_set()
        await commands.hdel("things:state", "halted")
        await served.until_rest()
    assert await things.list("seen") == names("T1", 3)


@window("W10", "W11")
async def test_a_paused_runner_that_wakes_up_is_fenced_and_writes_nothing(
    commands: Redis, store_address: StoreAddress
) -> None:
    """W10, W11: another one took over while its handler stood still; its buffer is forgotten too."""
    things = await prepared(commands, 6)
    asleep, wake = asyncio.Event(), asyncio.Event()

    class Sleeper(Lister):
        async def handle(self, batch: Batch) -> Effects:
            if not self.given:
                asleep.set()
                await wake.wait()
            return await super().handle(batch)

    zombie = Sleeper()
    async with serving(store_address, things, zombie, process="zombie", batch=2) as paused:
        await asleep.wait()
        async with serving(store_address, things, Lister(), process="heir", batch=2) as heir:
            await heir.until_rest()
            wake.set()
            await until(lambda: "fenced" in paused.resyncs, what="the zombie noticed")
    assert await things.list("seen") == names("T1", 6)
    assert zombie.forgot >= 2
    assert [one.outcome for one in paused.all_of(BatchSettled)][0] == "fenced"


@window("W12")
async def test_four_runners_without_any_lease_apply_each_entry_once_and_in_order(
    commands: Redis, store_address: StoreAddress
) -> None:
    """W12."""
    things = await prepared(commands, 200)

    async def one(name: str) -> None:
        async with serving(store_address, things, Lister(), process=name, batch=10) as served:
            await served.until_rest()

    async with asyncio.TaskGroup() as runners:
        for name in "abcd":
            runners.create_task(one(name))
    assert await things.list("seen") == names("T1", 200)
    assert (await things.look(G)).pending == 0


@window("W14")
async def test_a_crash_between_handler_and_settle_is_done_again_by_the_next_owner(
    commands: Redis, store_address: StoreAddress
) -> None:
    """W14: nothing was written, so it is redone; the death is counted."""
    things = await prepared(commands, 3)
    handling = asyncio.Event()

    class Dies(Lister):
        async def handle(self, batch: Batch) -> Effects:
            handling.set()
            await asyncio.Event().wait()
            return ()

    async with serving(store_address, things, Dies(), process="dead") as dead:
        await handling.wait()
        await dead.kill()
        assert (await things.look(G)).started == "dead"
        async with serving(store_address, things, Lister(), process="heir") as heir:
            await heir.until_rest()
    assert await things.list("seen") == names("T1", 3)


@window("W15")
async def test_a_lost_reply_of_a_settle_is_recognised_as_our_own_success(
    commands: Redis, store_address: StoreAddress
) -> None:
    """W15: the handler does not run again."""
    things = await prepared(commands, 3)
    actor = Lister()
    async with serving(store_address, things, actor) as served:
        await served.until_rest()
        real = served.link.settle
        lost: list[object] = []

        async def losing(*args: object, **named: object) -> object:
            answer = await real(*args, **named)  # type: ignore[arg-type]
            if not lost:
                lost.append(answer)
                raise OutcomeUnknown("the reply was lost")
            return answer

        served.link.settle = losing  # type: ignore[assignment]
        await things.add("T1", 2)
        await served.until_rest()
        await until(lambda: len(served.all_of(BatchSettled)) == 2, what="it knows")
    assert lost
    assert [one.outcome for one in served.all_of(BatchSettled)] == ["ok", "ok"]
    assert actor.given == [names("T1", 3), names("T1", 2, first=4)]
    assert await things.list("seen") == names("T1", 5)


@window("W16")
async def test_a_packet_of_a_settle_that_arrives_late_is_fenced(commands: Redis, store_address: StoreAddress) -> None:
    """W16: the runner has given it up and settled the batch anew."""
    things = await prepared(commands, 3)
    entries = await things.read(G)
    async with serving(store_address, things, Lister()) as served:
        await served.until_rest()
    late = await things.settle(G, START, entries, ListPush("seen", ("late",)))
    assert isinstance(late, Fenced)
    assert await things.list("seen") == names("T1", 3)


@window("W18")
async def test_a_crash_between_settle_and_the_next_read_repeats_nothing(
    commands: Redis, store_address: StoreAddress
) -> None:
    """W18."""
    things = await prepared(commands, 4)
    await things.resync(G, "dead", start=True)
    entries = await things.read(G, "dead", count=2)
    await things.settle(G, START, entries, ListPush("seen", ("T1-1", "T1-2")))
    async with serving(store_address, things, Lister(), process="heir") as served:
        await served.until_rest()
    assert await things.list("seen") == names("T1", 4)


@window("W21", "W46")
async def test_a_drain_ends_within_a_blocked_read_and_leaves_no_start_mark(
    commands: Redis, store_address: StoreAddress
) -> None:
    """W21, W46: the read is ended from outside, not waited for and not cancelled."""
    things = await prepared(commands, 3)
    loop = asyncio.get_running_loop()
    async with serving(store_address, things, Lister(), block_ms=20_000) as served:
        await served.until_rest()
        began = loop.time()
        await served.stop()
        assert loop.time() - began < 10, "it waited for the read, which takes 20 s"
    assert (await things.look(G)).started == ""


async def test_a_runner_may_be_stopped_before_it_started_and_twice(
    commands: Redis, store_address: StoreAddress
) -> None:
    things = await prepared(commands, 3)
    async with serving(store_address, things, Lister()) as served:
        served.runner.stop()
        await served.stop()
    assert await things.list("seen") == []


async def test_what_a_drained_runner_had_prefetched_is_read_by_the_next_one(
    commands: Redis, store_address: StoreAddress
) -> None:
    things = await prepared(commands, 10)
    first_batch = asyncio.Event()

    class Slow(Lister):
        async def handle(self, batch: Batch) -> Effects:
            first_batch.set()
            return await super().handle(batch)

    async with serving(store_address, things, Slow(), batch=2, process="a") as served:
        await first_batch.wait()
        await served.stop()
    async with serving(store_address, things, Lister(), process="b") as heir:
        await heir.until_rest()
    assert await things.list("seen") == names("T1", 10)


@window("W21")
async def test_forty_deaths_in_company_park_nothing(commands: Redis, store_address: StoreAddress) -> None:
    """W21: the process died for other reasons, over and over; only a death with one entry alone counts."""
    things = await prepared(commands, 3)
    for n in range(40):
        await things.resync(G, f"dead {n}", start=True)
    async with serving(store_address, things, Lister()) as served:
        await served.until_rest()
    assert served.all_of(EntryParked) == []
    assert await things.list("seen") == names("T1", 3)


@window("W33")
async def test_a_conflict_that_never_ends_waits_instead_of_spinning(
    commands: Redis, store_address: StoreAddress
) -> None:
    """W33: a declared wait, no park; it goes on as soon as the version fits."""
    things = await prepared(commands, 2)

    class Stubborn(Lister):
        version = 7

        async def handle(self, batch: Batch) -> Effects:
            own = [facts("T2", self.version, 1)] if batch.entries[0].event_id == "T1-1" else []
            return [*own, *await super().handle(batch)]

    actor = Stubborn()
    async with serving(store_address, things, actor) as served:
        assert "thing:T2:head stands at 0" in await served.until_wait("backoff")
        actor.version = 0
        await served.until_rest()
    assert (await things.list("seen"))[:2] == names("T1", 2)


async def test_a_gap_that_never_ends_waits_instead_of_spinning(commands: Redis, store_address: StoreAddress) -> None:
    """R12: the two connections disagree, say; a declared wait, so that health sees it and nothing burns."""
    things = await prepared(commands, 2)
    actor = Lister()
    async with serving(store_address, things, actor) as served:
        await served.until_rest()
        real = served.link.settle

        async def gap(*args: object, **named: object) -> Gap:
            return Gap(served.runner.position, "another server")

        served.link.settle = gap  # type: ignore[method-assign]
        await things.add("T1", 1)
        await served.until_wait("backoff")
        await until(lambda: served.resyncs.count("gap") > 3, what="it looks again after the wait")
        served.link.settle = real  # type: ignore[method-assign]
    assert served.resyncs.count("gap") > 3
