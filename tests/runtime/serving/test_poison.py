"""Entries that cannot be handled, with a real runner on a real server: parked, held back, tried again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from runtime.effects import HashIncrement, ListPush, Park, SetAdd
from runtime.embedded.server import running_server
from runtime.errors import StoreUnavailable
from runtime.serving.attempts import WorkOptions
from runtime.signals import EntryParked, HandlerFailed
from runtime.store import position
from runtime.store.clients import StoreAddress, open_commands
from runtime.store.parking import DeadLetters
from runtime.store.reads import Reads
from tests.support.running import Lister, serving
from tests.support.things import START, Things, facts, open_things
from tests.support.waiting import until
from tests.support.windows import window

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from runtime.effects import Effects
    from runtime.entry import Batch
    from runtime.store.parking import DeadLetter

G = "listers"
QUICK = WorkOptions(attempts=2)


async def letters(commands: Redis, things: Things) -> list[DeadLetter]:
    """The dead letters of the group."""
    return await DeadLetters(commands, Reads(commands), things.keys).listed(G)


@window("W19")
async def test_poison_in_a_batch_of_five_hundred_parks_one_and_applies_the_others_once(
    commands: Redis, store_address: StoreAddress
) -> None:
    """W19."""
    things = await open_things(commands, G)
    for n in range(500):
        await things.append(facts(f"T{n}", 0, 1))
    async with serving(store_address, things, Lister(fails={"T321-1"}), work=QUICK) as served:
        await served.until_rest()
    assert await things.list("seen") == [f"T{n}-1" for n in range(500) if n != 321]
    (letter,) = await letters(commands, things)
    assert (letter.fields["eventId"], letter.attempts, letter.reason) == (
        "T321-1",
        2,
        "ValueError: cannot take T321-1",
    )


@window("W22")
async def test_entries_behind_a_parked_one_are_parked_behind_it_and_applied_in_order_when_tried_again(
    commands: Redis, store_address: StoreAddress
) -> None:
    """W22: in the same batch, in a later one, and after a restart."""
    things = await open_things(commands, G)
    await things.add("T1", 3)
    await things.add("T2", 1)
    actor = Lister(fails={"T1-2"})
    async with serving(store_address, things, actor, work=QUICK) as served:
        await served.until_rest()
        await things.add("T1", 1)
        await served.until_rest()
    async with serving(store_address, things, actor, work=QUICK) as served:
        await things.add("T1", 1)
        await things.add("T2", 1)
        await served.until_rest()
        assert await things.list("seen") == ["T1-1", "T2-1", "T2-2"]
        parked = await letters(commands, things)
        assert [(one.fields["eventId"], one.held) for one in parked] == [
            ("T1-2", False), ("T1-3", True), ("T1-4", True), ("T1-5", True),
        ]  # fmt: skip
        actor.fails.clear()
        await DeadLetters(commands, Reads(commands), things.keys).retry(G, 0, ["T1"], who="a", why="b")
        await until_nothing_is_parked(things)
        await things.add("T1", 1)
        await served.until_rest()
    assert await things.list("seen") == ["T1-1", "T2-1", "T2-2", *(f"T1-{n}" for n in range(2, 7))]


async def until_nothing_is_parked(things: Things) -> None:
    """Wait until the runner has taken all that it was asked to."""

    async def none_left() -> bool:
        look = await things.look(G)
        return look.parked == 0 and look.retries == 0

    await until(none_left, what="nothing is parked")


async def test_another_try_that_fails_again_leaves_everything_parked_in_order(
    commands: Redis, store_address: StoreAddress
) -> None:
    things = await open_things(commands, G)
    await things.add("T1", 3)
    async with serving(store_address, things, Lister(fails={"T1-1"}), work=QUICK) as served:
        await served.until_rest()
        failures = len(served.all_of(HandlerFailed))
        await DeadLetters(commands, Reads(commands), things.keys).retry(G, 0, ["T1"], who="a", why="b")
        await until(lambda: len(served.all_of(HandlerFailed)) > failures, what="it tried")
        await served.until_rest()
    assert [one.fields["eventId"] for one in await letters(commands, things)] == ["T1-1", "T1-2", "T1-3"]
    assert await things.list("seen") == []


@window("W22")
async def test_what_an_actor_asks_to_park_holds_back_the_later_entries_of_the_same_batch(
    commands: Redis, store_address: StoreAddress
) -> None:
    """W22: the actor has already handled them when it says that the earlier one goes to the dead letters."""
    things = await open_things(commands, G)
    await things.add("T1", 3)
    await things.add("T2", 1)
    async with serving(store_address, things, Lister(parks={"T1-2"})) as served:
        await served.until_rest()
    assert await things.list("seen") == ["T1-1", "T2-1"]
    parked = await letters(commands, things)
    assert [(one.fields["eventId"], one.held) for one in parked] == [("T1-2", False), ("T1-3", True)]


@window("W22")
async def test_a_dropped_letter_lets_its_entity_go_on(commands: Redis, store_address: StoreAddress) -> None:
    """W22: the runner still believes that the entity is held; the store knows better."""
    things = await open_things(commands, G)
    await things.add("T1", 1)
    async with serving(store_address, things, Lister(fails={"T1-1"}), work=QUICK) as served:
        await served.until_rest()
        (letter,) = await letters(commands, things)
        await DeadLetters(commands, Reads(commands), things.keys).drop(letter, who="a", why="b")
        await things.add("T1", 1)
        await served.until_rest()
    assert await things.list("seen") == ["T1-2"]
    assert "held" in served.resyncs


@window("W31")
async def test_a_bad_request_that_names_an_entity_does_not_hold_it_back(
    commands: Redis, store_address: StoreAddress
) -> None:
    """W31: else anybody who may send a request could stop an entity."""
    things = await open_things(commands, G)

    class Adopter(Lister):
        adopts = True

        async def handle(self, batch: Batch) -> Effects:
            parks = [Park(one.id, "bad request") for one in batch.entries if one.is_request]
            batch.entries = [one for one in batch.entries if not one.is_request]
            return [*parks, *await super().handle(batch)]

    async with serving(store_address, things, Adopter()) as served:
        await things.raw("eventId", "r", "eventType", "t", "thingId", "T1", "data", "{}", "version", "1.0")
        await served.until_rest()
        await things.add("T1", 2)
        await served.until_rest()
    assert await things.list("seen") == ["T1-1", "T1-2"]
    assert len(served.all_of(EntryParked)) == 1


@window("W31")
async def test_raw_rubbish_in_the_log_never_stops_a_group(commands: Redis, store_address: StoreAddress) -> None:
    """W31: malformed entries, for a group that adopts and for one that does not."""
    things = await open_things(commands, G, "others")
    rubbish: list[tuple[str | bytes, ...]] = [
        ("x", "y"),
        ("eventId", b"\xff", "eventType", b"\xfe"),
        ("eventId", "a", "eventType", "t", "thingId", "T1", "data", "{}", "version", "9", "x", "y"),
        ("eventId", "a", "thingId", "T1", "sequence", "-5", "eventType", "t", "data", "{}", "version", "1.0"),
        ("eventId", "a", "thingId", "T1", "sequence", "zz"),
        tuple(str(n) for n in range(400)),
        ("eventId", "big", "data", "x" * 300_000),
    ]
    for fields in rubbish:
        await things.raw(*fields)
    await things.add("T2", 2)

    class Adopter(Lister):
        adopts = True

    class Other(Lister):
        group = "others"

        async def handle(self, batch: Batch) -> Effects:
            return [ListPush("others", tuple(entry.event_id for entry in batch.entries))]

    async with (
        serving(store_address, things, Adopter()) as served,
        serving(store_address, things, Other()) as other,
    ):
        await served.until_rest()
        await other.until_rest()
    assert await things.list("seen") == ["T2-1", "T2-2"]
    assert await things.list("others") == ["T2-1", "T2-2"]
    assert len(await letters(commands, things)) == len(rubbish)


@window("W17", "W19")
async def test_effects_that_the_store_refuses_park_their_entry_and_nothing_else(
    commands: Redis, store_address: StoreAddress
) -> None:
    """W17, W19: the type of the key is wrong for one entry of the batch."""
    things = await open_things(commands, G)
    for n in range(5):
        await things.append(facts(f"T{n}", 0, 1))
    await commands.set("word", "x")

    class Wrong(Lister):
        async def handle(self, batch: Batch) -> Effects:
            wanted = list(await super().handle(batch))
            bad = [SetAdd("word", ("m",)) for entry in batch.entries if entry.event_id == "T3-1"]
            return [*wanted, *bad]

    async with serving(store_address, things, Wrong(), work=QUICK) as served:
        await served.until_rest()
    assert await things.list("seen") == ["T0-1", "T1-1", "T2-1", "T4-1"]
    assert "not a set" in (await letters(commands, things))[0].reason


async def test_more_effects_than_a_settle_takes_are_settled_in_smaller_batches(
    commands: Redis, store_address: StoreAddress
) -> None:
    things = await open_things(commands, G)
    await things.add("T1", 8)

    class Much(Lister):
        async def handle(self, batch: Batch) -> Effects:
            return [HashIncrement(f"h:{entry.id}:{n}", {"f": 1}) for entry in batch.entries for n in range(1000)]

    async with serving(store_address, things, Much()) as served:
        await served.until_rest()
    assert served.all_of(EntryParked) == []
    assert await commands.dbsize() == 8000 + 6


@window("W23")
async def test_a_store_that_is_away_in_a_handler_is_nobodys_fault(commands: Redis, store_address: StoreAddress) -> None:
    """W23: no try is counted, nothing is parked."""
    things = await open_things(commands, G)
    await things.add("T1", 3)

    class Unlucky(Lister):
        async def handle(self, batch: Batch) -> Effects:
            if len(self.given) < 9:
                self.given.append([])
                raise StoreUnavailable("the store is away")
            return await super().handle(batch)

    async with serving(store_address, things, Unlucky(), work=QUICK) as served:
        await served.until_rest()
    assert served.all_of(HandlerFailed) == []
    assert served.all_of(EntryParked) == []
    assert ("store_away", "the store is away") in served.waits


@window("W23")
async def test_a_busy_store_is_a_declared_wait_and_nothing_is_parked() -> None:
    """W23, F26: somebody's script spins; everybody gets BUSY."""
    async with running_server(directives={"busy-reply-threshold": "50"}) as server:
        address = StoreAddress.parse(server.url)
        client, spinner = (
            open_commands(address, max_connections=3),
            open_commands(address, max_connections=1, reply_seconds=20),
        )
        send: Any = spinner.execute_command
        things = await open_things(client, G)
        await things.add("T1", 1)
        async with serving(address, things, Lister()) as served:
            await served.until_rest()
            spin = asyncio.create_task(send("EVAL", "while true do end", 0))
            await until(
                lambda: any(why == "store_away" and "BUSY" in text for why, text in served.waits),
                what="it was told BUSY, and said so",
            )
            await things.client.execute_command("SCRIPT", "KILL")
            await asyncio.wait({spin})
            assert spin.exception() is not None
            await things.add("T1", 1)
            await served.until_rest()
        assert await things.list("seen") == ["T1-1", "T1-2"]
        assert served.all_of(EntryParked) == []
        await client.aclose()
        await spinner.aclose()


@window("W20")
async def test_an_entry_that_killed_the_process_too_often_is_parked_unhandled(
    commands: Redis, store_address: StoreAddress
) -> None:
    """W20: it ran alone each time, so the deaths are its own."""
    things = await open_things(commands, G)
    ids = await things.add("T1", 1)
    await things.add("T2", 1)
    for n in range(3):
        await things.resync(G, f"dead {n}", start=True)
        await position.mark(commands, things.keys, G, 0, START, ids[0], f"dead {n}")
    actor = Lister()
    async with serving(store_address, things, actor, work=WorkOptions(kills=3)) as served:
        await served.until_rest()
    assert await things.list("seen") == ["T2-1"]
    assert ["T1-1"] not in actor.given
    assert "alone" in (await letters(commands, things))[0].reason


async def died(things: Things, name: str, *, marked: int, alone: bool = False) -> None:
    """A process starts, marks so many entries from the beginning, and is gone."""
    await things.resync(G, name, start=True)
    ids = [entry_id.decode() for entry_id, _ in await things.client.xrange("things")]
    assert await position.mark(
        things.client, things.keys, G, 0, START, ids[marked - 1], name, count=marked, alone=alone
    )


class Marking(Lister):
    """Reads the mark that is on while it handles."""

    def __init__(self, things: Things) -> None:
        """Of these things."""
        super().__init__()
        self.things = things
        self.marks: list[dict[str, str]] = []

    async def handle(self, batch: Batch) -> Effects:
        """Look, then list."""
        record = await self.things.record(G)
        self.marks.append({name: record[name] for name in ("together", "alone", "marked") if name in record})
        return await super().handle(batch)


@window("W20")
async def test_after_one_death_a_batch_is_marked_and_still_handled_as_a_whole(
    commands: Redis, store_address: StoreAddress
) -> None:
    """W20: nobody is suspected yet; the next death would know its batch. One settle, and marking is over."""
    things = await open_things(commands, G)
    ids = await things.add("T1", 3)
    await things.resync(G, "dead", start=True)
    actor = Marking(things)
    async with serving(store_address, things, actor) as served:
        await served.until_rest()
        await things.add("T1", 1)
        await served.until_rest()
    assert actor.given == [["T1-1", "T1-2", "T1-3"], ["T1-4"]]
    assert actor.marks == [{"together": ids[2], "marked": "3"}, {}]


@window("W20")
async def test_after_two_deaths_only_the_batch_at_hand_runs_one_at_a_time_under_a_durable_mark(
    commands: Redis, store_address: StoreAddress
) -> None:
    """W20: what comes behind it goes on in batches."""
    things = await open_things(commands, G)
    ids = await things.add("T1", 6)
    await things.resync(G, "dead 1", start=True)
    await died(things, "dead 2", marked=2)
    actor = Marking(things)
    async with serving(store_address, things, actor) as served:
        await served.until_rest()
    assert actor.given == [["T1-1"], ["T1-2"], ["T1-3", "T1-4", "T1-5", "T1-6"]]
    assert actor.marks == [{"alone": ids[0], "marked": "1"}, {"alone": ids[1], "marked": "1"}, {}]
    assert await things.list("seen") == [f"T1-{n}" for n in range(1, 7)]


@window("W21")
async def test_deaths_of_a_process_that_had_no_batch_of_ours_at_hand_make_nobody_suspect(
    commands: Redis, store_address: StoreAddress
) -> None:
    """W21: another partition killed it."""
    things = await open_things(commands, G)
    await things.add("T1", 3)
    for n in range(5):
        await things.resync(G, f"dead {n}", start=True)
    actor = Marking(things)
    async with serving(store_address, things, actor) as served:
        await served.until_rest()
    assert actor.given == [["T1-1", "T1-2", "T1-3"]]


@window("W20")
async def test_many_suspects_run_in_slices_and_a_death_narrows_them_to_its_slice(
    commands: Redis, store_address: StoreAddress
) -> None:
    """W20: 22 marks instead of 500 when nobody is to blame."""
    things = await open_things(commands, G)
    await things.add("T1", 100)
    await things.resync(G, "dead 1", start=True)
    await died(things, "dead 2", marked=100)

    class DiesInTheThird(Marking):
        async def handle(self, batch: Batch) -> Effects:
            wanted = await super().handle(batch)
            if len(self.given) == 3:
                await asyncio.Event().wait()
            return wanted

    actor, options = DiesInTheThird(things), WorkOptions(careful_singly=10)
    async with serving(store_address, things, actor, work=options) as served:
        await until(lambda: len(actor.given) == 3, what="the third slice")
        await served.kill()
    assert [len(batch) for batch in actor.given] == [10, 10, 10]
    heir = Marking(things)
    async with serving(store_address, things, heir, work=options, process="p2") as served:
        await served.until_rest()
    assert [len(batch) for batch in heir.given] == [*([1] * 10), 70]
    assert await things.list("seen") == [f"T1-{n}" for n in range(1, 101)]
