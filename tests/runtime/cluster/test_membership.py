"""The loop that takes and gives back seats: real leases, a real registry, a floor in the hand of the test."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec
import pytest

from runtime.clock import SystemClock
from runtime.cluster.lease import LeaseOptions, Leases, Seat
from runtime.cluster.membership import Membership
from runtime.cluster.registry import Registry
from runtime.cluster.sharing import chosen
from runtime.errors import StoreMisused, StoreUnavailable
from runtime.signals import Bus, LeaseChanged
from runtime.store.functions import load_library
from runtime.store.keys import Keyspace
from runtime.testing.signal_log import SignalLog
from tests.support.hosts import LOG, Outside, card, outside, running_host, spec
from tests.support.hosts import QUICK as HOST
from tests.support.store import command
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Iterable

    from redis.asyncio import Redis

    from runtime.store.clients import StoreAddress

QUICK = LeaseOptions(ttl_seconds=1.5, beat_seconds=0.02, margin_seconds=0.05)
"""Beats as quick as they can be; a lease that outlives what a busy machine may hold a beat up."""
SEATS = tuple(Seat(LOG, "listers", n) for n in range(4))


class Hand:
    """A floor: seats end when the test lets them, and it remembers the order of what happened."""

    def __init__(self, journal: list[str]) -> None:
        self.journal = journal
        self.open_seats: set[Seat] = set()
        self.may_close = asyncio.Event()
        self.may_close.set()
        self.broken = False

    def open(self, seat: Seat) -> None:
        assert seat not in self.open_seats, f"{seat} is opened twice"
        self.open_seats.add(seat)
        self.journal.append(f"open {seat.partition}")

    async def close(self, seat: Seat) -> None:
        await self.may_close.wait()
        self.open_seats.discard(seat)
        self.journal.append(f"closed {seat.partition}")
        if self.broken:
            raise RuntimeError("a seat that does not close in good order")


class Member:
    """A membership at work."""

    def __init__(self, client: Redis, name: str, options: LeaseOptions = QUICK) -> None:
        self.name = name
        self.journal: list[str] = []
        self.floor = Hand(self.journal)
        self.signals = SignalLog()
        bus = Bus()
        bus.subscribe(self.signals)
        self.registry = Registry(client, card(name), options.ttl_seconds)
        self.leases = Leases(client, name, {LOG: Keyspace(spec(4))}, options, SystemClock())
        release, leave, take = self.leases.release, self.registry.leave, self.leases.take
        self.beats = 0

        async def counting_take(seats: Iterable[Seat]) -> dict[Seat, str]:
            self.beats += 1
            return await take(seats)

        async def telling_release(seats: object) -> None:
            found = sorted(seats)  # type: ignore[call-overload]
            if found:
                self.journal.append(f"released {[seat.partition for seat in found]}")
            await release(found)

        async def telling_leave() -> None:
            self.journal.append("left")
            await leave()

        self.leases.take = counting_take  # type: ignore[method-assign]
        self.leases.release = telling_release  # type: ignore[method-assign]
        self.registry.leave = telling_leave  # type: ignore[method-assign]
        self.membership = Membership(
            self.registry, self.leases, name, dict.fromkeys(SEATS, "lister"), self.floor,
            options=options, bus=bus,
        )  # fmt: skip
        self.task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        up = asyncio.Event()
        self.task = asyncio.create_task(self.membership.run(up.set), name=f"member {self.name}")
        task = self.task
        await until(lambda: up.is_set() or task.done(), what=f"{self.name} is up")

    async def beat_on(self, beats: int = 3) -> None:
        """Wait for some more beats; raises what the membership raised."""
        assert self.task is not None
        task, enough = self.task, self.beats + beats
        await until(lambda: self.beats >= enough or task.done(), what="some more beats")
        if task.done():
            task.result()

    async def stop(self) -> None:
        assert self.task is not None
        self.floor.may_close.set()
        self.membership.stop()
        await self.task


@asynccontextmanager
async def member(
    client: Redis, name: str, *, start: bool = True, options: LeaseOptions = QUICK
) -> AsyncIterator[Member]:
    await load_library(client)
    one = Member(client, name, options)
    try:
        if start:
            await one.start()
        yield one
    finally:
        one.floor.may_close.set()
        one.membership.stop()
        if one.task is not None:
            await asyncio.wait({one.task})


async def test_a_closed_seat_is_given_back_at_once_and_not_at_the_next_beat(commands: Redis) -> None:
    slow = LeaseOptions(ttl_seconds=30.0, beat_seconds=2.0, margin_seconds=1.0)
    async with member(commands, "a", options=slow) as old:
        await until(lambda: len(old.floor.open_seats) == 4, what="all seats are open")
        old.floor.may_close.clear()
        async with member(commands, "d") as new:
            await until(lambda: bool(old.membership._closing), what="a seat has to be closed")
            began = asyncio.get_running_loop().time()
            old.floor.may_close.set()
            await until(lambda: bool(new.floor.open_seats), what="the other one serves it")
            assert asyncio.get_running_loop().time() - began < 1.5, "it waited for the next beat"


async def test_seats_are_closed_first_then_released_and_the_registry_is_left_last(commands: Redis) -> None:
    async with member(commands, "a") as one:
        await until(lambda: len(one.floor.open_seats) == 4, what="all seats are open")
        one.journal.clear()
        await one.stop()
        assert [line.partition(" ")[0] for line in one.journal] == ["closed"] * 4 + ["released", "left"]
    assert [signal.state for signal in one.signals.all(LeaseChanged)] == ["taken"] * 4 + ["released"] * 4


async def test_a_seat_that_moves_is_not_taken_before_its_old_owner_has_closed_it(commands: Redis) -> None:
    async with member(commands, "south") as one:
        await until(lambda: len(one.floor.open_seats) == 4, what="all seats are open")
        one.floor.may_close.clear()
        async with member(commands, "left") as two:
            await until(lambda: one.membership._closing, what="the first begins to close what moves")
            moving = set(one.membership._closing)
            # Longer than a lease: it is renewed as long as its runner is at work.
            await asyncio.sleep(2 * QUICK.ttl_seconds)
            assert two.floor.open_seats == set()
            one.floor.may_close.set()
            await until(lambda: two.floor.open_seats == moving, what="the second opens what moved")
            assert one.floor.open_seats == set(SEATS) - moving


async def test_a_seat_whose_lease_was_lost_is_closed_and_only_a_lease_opens_it_again(commands: Redis) -> None:
    async with member(commands, "a") as one:
        await until(lambda: len(one.floor.open_seats) == 4, what="all seats are open")
        key = Keyspace(spec(4)).lease("listers", 2)
        await command(commands, "SET", key, "stranger", "PX", 1500)
        await one.signals.wait_for(LeaseChanged, state="lost", partition=2)
        assert one.floor.open_seats == {seat for seat in SEATS if seat.partition != 2}
        await one.signals.wait_for(LeaseChanged, state="taken", partition=2, count=2)
        assert one.floor.open_seats == set(SEATS)


async def test_a_store_that_is_away_costs_no_seat_and_is_told(commands: Redis) -> None:
    async with member(commands, "a") as one:
        beat = one.registry.beat

        async def away() -> object:
            raise StoreUnavailable

        one.registry.beat = away  # type: ignore[method-assign,assignment]
        await until(lambda: not one.membership.reachable, what="it says that the store is away")
        assert not one.membership.leased
        assert one.floor.open_seats == set(SEATS)
        one.registry.beat = beat  # type: ignore[method-assign]
        await until(lambda: one.membership.leased, what="it says that the store is back")
        assert one.journal == [f"open {n}" for n in range(4)]


@pytest.mark.parametrize("problem", [RuntimeError("a bug"), StoreMisused("NOPERM")])
async def test_a_failure_gives_every_seat_back_and_the_next_run_begins_with_nothing(
    commands: Redis, problem: Exception
) -> None:
    async with member(commands, "a") as one:
        beat = one.registry.beat

        async def broken() -> object:
            raise problem

        one.registry.beat = broken  # type: ignore[method-assign,assignment]
        assert one.task is not None
        with pytest.raises(type(problem)):
            await one.task
        assert one.floor.open_seats == set()
        assert one.membership.held == set()
        one.registry.beat = beat  # type: ignore[method-assign]
        await one.start()
        assert one.floor.open_seats == set(SEATS)


async def test_a_beat_that_somebody_else_cancels_is_a_failure_and_not_a_beat_that_went_well(commands: Redis) -> None:
    async with member(commands, "a") as one:
        hanging = asyncio.Event()

        async def hangs() -> object:
            hanging.set()
            return await asyncio.Event().wait()

        one.registry.beat = hangs  # type: ignore[method-assign,assignment]
        await until(hanging.is_set, what="a beat hangs")
        next(task for task in asyncio.all_tasks() if task.get_name() == "beat of the membership").cancel()
        assert one.task is not None
        await asyncio.wait({one.task}, timeout=PATIENCE)
        assert one.task.cancelled()
        assert one.floor.open_seats == set()


async def test_a_seat_that_closes_badly_costs_neither_the_other_leases_nor_the_leaving(
    commands: Redis,
) -> None:
    async with member(commands, "a") as one:
        one.floor.broken = True
        await one.stop()
        assert one.journal[-2:] == ["released [0, 1, 2, 3]", "left"]


async def test_a_cancelled_leaving_does_not_poison_the_next_run(commands: Redis) -> None:
    async with member(commands, "a") as one:
        one.floor.may_close.clear()
        one.membership.stop()
        assert one.task is not None
        await until(lambda: one.membership._closing, what="it closes")
        one.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await one.task
        one.floor.may_close.set()
        await until(lambda: not one.floor.open_seats, what="the floor has ended its seats")
        await one.start()
        await one.beat_on()
        assert one.floor.open_seats == set(SEATS) == one.membership.held


async def test_a_stop_before_the_start_and_a_second_stop_are_legal(commands: Redis) -> None:
    async with member(commands, "a", start=False) as one:
        one.membership.stop()
        one.membership.stop()
        await one.start()
        assert one.task is not None
        await one.task
        assert one.floor.open_seats == set()
        await one.start()
        assert one.floor.open_seats == set(SEATS)


async def test_a_lease_is_trusted_until_its_end_less_the_margin_by_our_own_clock(commands: Redis) -> None:
    class Hands:
        time = 100.0

        def monotonic(self) -> float:
            return self.time

        now = SystemClock.now

    await load_library(commands)
    clock = Hands()
    leases = Leases(commands, "a", {LOG: Keyspace(spec(4))}, LeaseOptions(), clock)
    assert not leases.trusted(SEATS[0])
    assert await leases.take(SEATS[:1]) == {SEATS[0]: "a"}
    clock.time += 4.4
    assert leases.trusted(SEATS[0])
    clock.time += 0.2
    assert not leases.trusted(SEATS[0])


@pytest.mark.parametrize("joins", [12, pytest.param(200, marks=[pytest.mark.chaos, pytest.mark.timeout(600)])])
async def test_processes_that_come_and_go_leave_nothing_behind(store_address: StoreAddress, joins: int) -> None:
    options = msgspec.structs.replace(HOST, lease=QUICK)
    # Guests to whom rendezvous hashing gives something, so that consumers really come and go.
    names = (f"guest-{n}" for n in itertools.count())
    guests = (name for name in names if any(chosen(str(seat), ["south", name]) == name for seat in SEATS))
    async with (
        outside(store_address, 4) as client,
        running_host(store_address, partitions=4, name="south", options=options) as steady,
    ):
        await until(lambda: readers(client, 4), what="all four read")
        tasks = len(asyncio.all_tasks())
        keys = await command(client.commands, "DBSIZE")
        for name in itertools.islice(guests, joins):
            async with running_host(store_address, partitions=4, name=name, options=options) as guest:
                await guest.holds_some()
                await client.add("T1")
            await steady.holds(4)
        await client.at_rest()
        await client.nothing_lost_nothing_twice()
        await until(lambda: only(client.consumers(), "south"), what="consumers of those that left are gone")
        await until(lambda: readers(client, 4), what="only the readers of the steady one are connected")
        # A beat and a read that are on their way just now are tasks too, and are gone at the next look.
        await until(lambda: len(asyncio.all_tasks()) <= tasks + 2, what="no task is left of those that came and went")
        commands = joins + len(client.added) * 4  # results with a TTL, and what belongs to the entity
        assert await command(client.commands, "DBSIZE") <= keys + commands
        assert set(steady.host.membership.living) == {"south"}


async def readers(client: Outside, count: int) -> bool:
    return len(await client.connections()) == count


async def only(found: Awaitable[set[str]], name: str) -> bool:
    return await found == {name}
