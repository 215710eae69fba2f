"""Appends of many callers in few calls: each keeps its own answer, its own error, and its own cancellation."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from runtime.effects import Append, SetAdd
from runtime.errors import StoreUnavailable
from runtime.signals import Bus, StoreRoundTrip
from runtime.store.append import Appended, Appender, Rejected
from runtime.store.clients import StoreAddress, open_commands
from runtime.store.together import CALLS_OUT, UNITS_OF_A_CALL, Together
from tests.support.things import facts, open_things
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from runtime.signals import Signal


class Calls:
    """A store that answers a call when it is let, `n` with `-n`; words are errors of their own."""

    def __init__(self) -> None:
        self.seen: list[list[Any]] = []
        self.cancelled = 0
        self.open = asyncio.Event()

    async def send(self, units: Sequence[Any]) -> list[Any]:
        self.seen.append(list(units))
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if "all" in units:
            raise ConnectionError("the call was lost")
        return [ValueError(unit) if isinstance(unit, str) else -unit for unit in units]

    async def came(self, count: int) -> None:
        await until(lambda: len(self.seen) == count, what=f"{count} calls are out")


async def test_whoever_comes_while_calls_are_out_shares_the_next_one_and_gets_its_own_answer() -> None:
    calls = Calls()
    together: Together[Any, int] = Together(calls.send)
    first = [asyncio.create_task(together.append(1))]
    await calls.came(1)
    first.append(asyncio.create_task(together.append(2)))
    await calls.came(CALLS_OUT)
    rest = [asyncio.create_task(together.append(n)) for n in range(3, 3 + UNITS_OF_A_CALL + 1)]
    for _ in range(50):  # turns in which a third call would go out
        await asyncio.sleep(0)
    assert calls.seen == [[1], [2]]
    calls.open.set()
    assert await asyncio.gather(*first, *rest) == [-n for n in range(1, 4 + UNITS_OF_A_CALL)]
    assert calls.seen[2:] == [list(range(3, 3 + UNITS_OF_A_CALL)), [3 + UNITS_OF_A_CALL]]


async def test_those_of_one_moment_go_in_one_call() -> None:
    calls = Calls()
    calls.open.set()
    together: Together[Any, int] = Together(calls.send)
    many = range(UNITS_OF_A_CALL)
    assert await asyncio.gather(*(together.append(n) for n in many)) == [-n for n in many]
    assert calls.seen == [list(many)]


async def test_whoever_found_no_room_in_a_call_goes_out_beside_it() -> None:
    calls = Calls()
    together: Together[Any, int] = Together(calls.send)
    many = range(2 * UNITS_OF_A_CALL)
    answers = [asyncio.create_task(together.append(n)) for n in many]
    await calls.came(2)
    assert calls.seen == [list(many)[:UNITS_OF_A_CALL], list(many)[UNITS_OF_A_CALL:]]
    calls.open.set()
    assert await asyncio.gather(*answers) == [-n for n in many]


async def test_an_error_of_one_is_not_an_error_of_the_others() -> None:
    calls = Calls()
    calls.open.set()
    together: Together[Any, int] = Together(calls.send)
    one, bad, other = await asyncio.gather(*map(together.append, (1, "bad", 2)), return_exceptions=True)
    assert (one, str(bad), other) == (-1, "bad", -2)


async def test_a_call_that_is_lost_is_told_to_all_that_it_carried_and_to_nobody_else() -> None:
    calls = Calls()
    together: Together[Any, int] = Together(calls.send)
    lost = [asyncio.create_task(together.append(unit)) for unit in (1, "all")]
    await calls.came(1)
    later = asyncio.create_task(together.append(2))
    calls.open.set()
    assert [str(one) for one in await asyncio.gather(*lost, return_exceptions=True)] == ["the call was lost"] * 2
    assert await later == -2


async def test_a_caller_that_is_cancelled_leaves_the_others_and_takes_no_unsent_unit_along() -> None:
    calls = Calls()
    together: Together[Any, int] = Together(calls.send)
    sent = [asyncio.create_task(together.append(n)) for n in (1, 2)]
    await calls.came(1)
    sent.append(asyncio.create_task(together.append(3)))
    await calls.came(CALLS_OUT)
    waiting = [asyncio.create_task(together.append(n)) for n in (4, 5)]
    await asyncio.sleep(0)
    sent[0].cancel()
    waiting[0].cancel()
    calls.open.set()
    answers = await asyncio.gather(*sent, *waiting, return_exceptions=True)
    assert [type(answer) for answer in (answers[0], answers[3])] == [asyncio.CancelledError] * 2
    assert [answers[1], answers[2], answers[4]] == [-2, -3, -5]
    assert (calls.seen, calls.cancelled) == ([[1, 2], [3], [5]], 0)


async def test_a_call_whose_callers_are_all_gone_ends_with_them_and_the_next_goes_out() -> None:
    calls = Calls()
    together: Together[Any, int] = Together(calls.send)
    gone = [asyncio.create_task(together.append(n)) for n in (1, 2)]
    await calls.came(1)
    for task in gone:
        task.cancel()
    await asyncio.gather(*gone, return_exceptions=True)
    await until(lambda: calls.cancelled == 1, what="the call is cancelled")
    calls.open.set()
    assert await together.append(3) == -3
    assert len(asyncio.all_tasks()) == 1


async def test_of_many_appends_at_once_each_is_answered_as_if_it_were_alone(commands: Redis) -> None:
    things = await open_things(commands)
    await things.add("OLD", 3)
    await commands.set("text", "is no set")
    broken = [
        facts("BAD1", 0, 1, log="nowhere"),
        facts("BAD2", 0, 1, SetAdd("text", ("m",)), command="bad2"),
        Append("things", "BAD3", 0, (("eventId",),)),
        facts("half a \ud800 character", 0, 1),
        facts("BAD4", 0, 1, SetAdd("s", (1,))),  # type: ignore[arg-type]
    ]
    units = [
        *(facts(f"T{n}", 0, 2, command=f"c{n}") for n in range(30)),
        facts("OLD", 1, 1),
        facts("T1", 0, 2, command="c1"),
    ]
    mixed = [*units[:10], *broken, *units[10:]]
    answers = await asyncio.gather(*map(things.append, mixed), return_exceptions=True)
    fine, refused = [*answers[:10], *answers[15:]], answers[10:15]
    assert [type(one).__name__ for one in refused] == [
        "EffectRefused", "EffectRefused", "EffectRefused", "UnicodeEncodeError", "EffectRefused",
    ]  # fmt: skip
    assert fine[30] == Rejected(3)
    assert isinstance(fine[1], Appended) and fine[31] == Appended(2, fine[1].ids, repeated=True)
    assert all(isinstance(one, Appended) and one.version == 2 and not one.repeated for one in fine[:30])
    assert len({entry_id for one in fine[:30] for entry_id in one.ids}) == 60  # type: ignore[union-attr]
    assert await things.client.xlen("things") == 63


async def test_more_callers_than_connections_need_few_calls_and_none_of_them_gives_up(
    store_address: StoreAddress,
) -> None:
    client = open_commands(store_address, max_connections=2, pool_wait_seconds=0.001)
    things = await open_things(client)
    seen: list[Signal] = []
    bus = Bus()
    bus.subscribe(seen.append)
    appender = Appender(client, {things.name: things.log}, bus=bus)
    answers = await asyncio.gather(*(appender.append(facts(f"T{n}", 0, 1, command=f"c{n}")) for n in range(300)))
    assert all(isinstance(answer, Appended) for answer in answers)
    trips = [one for one in seen if isinstance(one, StoreRoundTrip)]
    assert len(trips) <= 300 / UNITS_OF_A_CALL + CALLS_OUT
    await client.aclose()


async def test_a_store_that_is_away_is_told_to_every_caller(commands: Redis) -> None:
    things = await open_things(commands)
    nobody = open_commands(StoreAddress.parse("redis://127.0.0.1:1"), max_connections=2)
    appender = Appender(nobody, {things.name: things.log})
    units = [facts(f"T{n}", 0, 1, command=f"c{n}") for n in range(3)]
    answers = await asyncio.gather(*map(appender.append, units), return_exceptions=True)
    assert all(isinstance(answer, StoreUnavailable) for answer in answers), answers
    await nobody.aclose()
