"""Which entries of a batch go to the actor, and the gate that lets a suspect run alone."""

from __future__ import annotations

import asyncio

import pytest

from runtime.actor import Actor
from runtime.codec import Codec
from runtime.entry import Entry, EntryReader
from runtime.errors import ReaderTooOld
from runtime.serving.bisect import cut, halves
from runtime.serving.gate import Gate
from runtime.serving.triage import Plan, triage
from tests.support.things import fact
from tests.support.waiting import PATIENCE
from tests.support.windows import window

KNOWN = Codec({"thing.happened": dict})


class Plain(Actor):
    name = "plain"


class Adopter(Actor):
    name = "adopter"
    adopts = True


class TakesAll(Actor):
    name = "takes all"
    parks = False


def entry(*fields: str, number: int = 1) -> Entry:
    return EntryReader("thingId", KNOWN).read((b"%d-0" % number, [one.encode() for one in fields]))


REQUEST = entry("eventId", "r", "eventType", "t", "thingId", "T1", "data", "{}", "version", "1.0")
BROKEN_REQUEST = entry("x", "y")
FORGED = entry("eventId", "f", "thingId", "T1", "sequence", "zz")
BROKEN_FACT = entry("eventId", "f", "thingId", "T1", "sequence", "2")
FACT = entry(*fact("T1", 1))
OTHER = entry(*fact("T2", 1))


def plan(actor: Actor, *entries: Entry, held: dict[str, int] | None = None) -> Plan:
    return triage(entries, actor, held or {}, KNOWN)


def test_a_request_is_for_the_adopting_actor_alone() -> None:
    assert plan(Adopter(), REQUEST).deliver == [REQUEST]
    assert plan(Plain(), REQUEST, BROKEN_REQUEST) == Plan(deliver=[], behind=[], broken=[])


def test_a_broken_request_is_parked_by_the_adopting_actor_alone() -> None:
    assert [one for one, _ in plan(Adopter(), BROKEN_REQUEST).broken] == [BROKEN_REQUEST]


@window("W31")
def test_a_sequence_that_no_append_wrote_is_parked_once_and_holds_nobody_back() -> None:
    """W31: four groups parked it, and the later facts of its entity waited behind it in each."""
    assert plan(Plain(), FORGED, FACT) == Plan(deliver=[FACT], behind=[], broken=[])
    adopting = plan(Adopter(), FORGED, FACT)
    assert ([one for one, _ in adopting.broken], adopting.deliver, adopting.behind) == ([FORGED], [FACT], [])


def test_a_broken_fact_holds_its_entity_back_in_every_group() -> None:
    for actor in (Plain(), Adopter()):
        found = plan(actor, BROKEN_FACT, FACT)
        assert ([one for one, _ in found.broken], found.behind) == ([BROKEN_FACT], [FACT])


def test_facts_of_a_held_entity_wait_behind_it_and_others_do_not() -> None:
    assert plan(Plain(), FACT, OTHER, held={"T1": 1}) == Plan(deliver=[OTHER], behind=[FACT], broken=[])


def test_a_fact_of_an_unknown_type_stops_the_reader_instead_of_being_parked() -> None:
    with pytest.raises(ReaderTooOld, match="thing.new"):
        plan(Plain(), entry(*fact("T1", 1, kind="thing.new")))


def test_a_fact_of_an_unknown_version_stops_the_reader_instead_of_being_parked() -> None:
    fields = list(fact("T1", 1))
    fields[fields.index("version") + 1] = "2.0"
    with pytest.raises(ReaderTooOld, match=r"2\.0"):
        plan(Plain(), entry(*fields))


def test_an_actor_that_never_parks_gets_every_entry_as_it_is() -> None:
    everything = [REQUEST, BROKEN_REQUEST, FORGED, BROKEN_FACT, FACT]
    assert plan(TakesAll(), *everything, held={"T1": 1}).deliver == everything


def test_halves_and_cuts_keep_the_order_and_lose_nothing() -> None:
    for size in range(1, 40):
        batch = list(range(size))
        for parts in (halves(batch), *(cut(batch, first) for first in range(1, 50))):
            assert [one for part in parts for one in part] == batch
            assert all(parts)


async def test_one_that_runs_alone_waits_for_all_others_and_keeps_them_out() -> None:
    gate, log, leave, go_on = Gate(), [], asyncio.Event(), asyncio.Event()

    async def in_company(name: str, until: asyncio.Event) -> None:
        async with gate.shared():
            log.append(f"{name} in")
            await until.wait()
            log.append(f"{name} out")

    async def alone() -> None:
        async with gate.alone():
            log.append("alone in")
            await go_on.wait()
            log.append("alone out")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(in_company("a", leave))
        tasks.create_task(in_company("b", leave))
        await asyncio.sleep(0)
        tasks.create_task(alone())
        await asyncio.sleep(0)
        tasks.create_task(in_company("late", leave))
        await asyncio.sleep(0)
        assert log == ["a in", "b in"]
        leave.set()
        for _ in range(9):
            await asyncio.sleep(0)
        assert log == ["a in", "b in", "a out", "b out", "alone in"]
        go_on.set()
    assert log[5:] == ["alone out", "late in", "late out"]


async def test_a_cancelled_one_leaves_the_gate_open() -> None:
    gate = Gate()

    async def stuck() -> None:
        async with gate.shared():
            await asyncio.Event().wait()

    task = asyncio.create_task(stuck())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    async with asyncio.timeout(PATIENCE), gate.alone():
        pass
