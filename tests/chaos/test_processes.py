"""Real processes of one cluster: they are killed, paused, drained; nothing is lost, nothing comes twice."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from runtime.cluster.lease import LeaseOptions
from runtime.stopping import EXIT_NOT_DRAINED
from tests.support.hosts import QUICK, QUICK_LEASE, Outside, outside
from tests.support.waiting import until
from tests.support.windows import window
from tests.support.worker_program import Worker, WorkerOrder, worker

if TYPE_CHECKING:
    from runtime.store.clients import StoreAddress

# Some start one process after the other, and a start takes seconds on a machine that others use as well.
pytestmark = [pytest.mark.permanent_keys("*"), pytest.mark.timeout(180)]


# Two names that share two or four seats evenly; many pairs would not, with so few seats.
LEFT, SOUTH = "left", "south"


async def shared(client: Outside, *names: str) -> bool:
    """Do exactly these hold all seats, each at least one?"""
    return set(await client.owners()) == set(names)


async def test_partitions_of_a_killed_process_are_served_within_lease_and_a_second(
    store_address: StoreAddress,
) -> None:
    async with outside(store_address, 4) as client:
        one = WorkerOrder(url=store_address.url, name=LEFT, partitions=4)
        two = WorkerOrder(url=store_address.url, name=SOUTH, partitions=4)
        async with worker(one) as first, worker(two):
            await until(lambda: shared(client, LEFT, SOUTH), what="both serve")
            for n in range(24):
                await client.add(f"T{n}", 4)
            first.kill()
            killed = time.monotonic()

            async def seconds_to_take_over() -> float:
                await until(lambda: shared(client, SOUTH), what="the survivor serves all")
                return time.monotonic() - killed

            taking_over = asyncio.create_task(seconds_to_take_over())  # what is added meanwhile takes its own time
            for n in range(24):
                await client.add(f"T{n}", 4)
            assert await taking_over < QUICK_LEASE.ttl_seconds + 1.0
            await client.at_rest()
            await client.nothing_lost_nothing_twice()
            assert await client.consumers() == {SOUTH}


@window("W11")
async def test_a_paused_process_that_wakes_up_cannot_write_and_goes_on_only_with_a_lease(
    store_address: StoreAddress,
) -> None:
    async with outside(store_address, 2) as client:
        # Slow enough that a look which comes late still finds it in the middle of its work.
        one = WorkerOrder(url=store_address.url, name=LEFT, partitions=2, slow_seconds=0.01)
        two = WorkerOrder(url=store_address.url, name=SOUTH, partitions=2)
        async with worker(one) as first:
            await until(lambda: shared(client, LEFT), what="the first serves all")
            for n in range(8):
                await client.add(f"T{n}", 40)
            await until(lambda: begun(client), what="it is in the middle of its work")
            first.pause()
            async with worker(two):
                await until(lambda: shared(client, SOUTH), what="the second serves all")
                await client.at_rest()
                before = [look.settled for look in await client.looks()]
                await client.add("T1", 10)
                first.wake()
                await client.at_rest()
                await client.add("T2", 10)
                await client.at_rest()
                await client.nothing_lost_nothing_twice()
                assert sum(look.settled for look in await client.looks()) == sum(before) + 20
                first.drain()
                assert await first.ended() == 0
            await client.nothing_lost_nothing_twice()


async def begun(client: Outside) -> bool:
    """Has something been settled, but not all of it?"""
    looks = await client.looks()
    return any(0 < look.settled < look.added for look in looks)


async def test_a_drain_under_load_ends_in_time_with_exit_0_and_hands_everything_over(
    store_address: StoreAddress,
) -> None:
    async with outside(store_address, 4) as client:
        one = WorkerOrder(url=store_address.url, name=LEFT, partitions=4, slow_seconds=0.001)
        two = WorkerOrder(url=store_address.url, name=SOUTH, partitions=4, slow_seconds=0.001)
        async with worker(one) as first, worker(two) as second:
            await until(lambda: shared(client, LEFT, SOUTH), what="both serve")
            for n in range(24):
                await client.add(f"T{n}", 20)
            first.drain()
            asked = time.monotonic()
            assert await first.ended() == 0
            assert time.monotonic() - asked < 5.0
            await until(lambda: shared(client, SOUTH), what="the other serves all")
            await client.at_rest()
            assert await client.consumers() == {SOUTH}
            second.drain()
            assert await second.ended() == 0
        assert [look.started for look in await client.looks()] == ["", "", "", ""]
        assert await client.owners() == ["", "", "", ""]
        await client.nothing_lost_nothing_twice()


@window("W46")
@pytest.mark.slow
async def test_a_handler_that_outlives_the_drain_is_cut_off_and_its_batch_is_done_again(
    store_address: StoreAddress,
) -> None:
    """W46: what is unfinished is not settled, the exit code says so, and the next owner does it."""
    async with outside(store_address) as client:
        async with worker(WorkerOrder(url=store_address.url, slow_seconds=60.0)) as one:
            await client.add("T1", 3)
            await until(lambda: in_hand(client), what="the handler has begun")
            asked = time.monotonic()
            one.drain()
            assert await one.ended() == EXIT_NOT_DRAINED
            assert time.monotonic() - asked < QUICK.serving.stop_seconds + 5.0, "the handler takes a minute"
            assert [look.settled for look in await client.looks()] == [0]
        async with worker(WorkerOrder(url=store_address.url)):
            await client.at_rest()
        await client.nothing_lost_nothing_twice()


async def in_hand(client: Outside) -> bool:
    """Has somebody read what is there?"""
    return any(look.pending == 3 for look in await client.looks())


async def test_a_handler_that_blocks_the_loop_ends_its_process_with_its_own_exit_code(
    store_address: StoreAddress,
) -> None:
    async with outside(store_address) as client:
        order = WorkerOrder(url=store_address.url, act="block", watchdog_seconds=0.5)
        async with worker(order) as one:
            await client.add("T1")
            assert await one.ended() == 70
            assert "the event loop did not answer" in one.errors()
        async with worker(WorkerOrder(url=store_address.url)):
            await client.at_rest()
        await client.nothing_lost_nothing_twice()


@window("W20")
@pytest.mark.slow
async def test_an_entry_that_kills_its_process_is_parked_and_its_neighbours_are_not(
    store_address: StoreAddress,
) -> None:
    async with outside(store_address) as client:
        await client.add("T1", 2)
        await client.add("T2", 3)
        await client.add("T3", 2)
        order = WorkerOrder(
            url=store_address.url, act="die:T2-2",
            lease=LeaseOptions(ttl_seconds=0.3, beat_seconds=0.05, margin_seconds=0.02),
        )  # fmt: skip
        deaths = 0
        while True:
            async with worker(order, wait=False) as one:
                await until(partial(ended_or_rested, one, client), what="died or done")
                if one.process.poll() is None:
                    break
                deaths += 1
                assert deaths < 10, "the killer is never parked"
        looks = await client.looks()
        assert [look.parked for look in looks] == [2]  # the killer, and what came after it for the same entity
        client.added = {"T1": 2, "T2": 1, "T3": 2}
        await client.nothing_lost_nothing_twice()


async def ended_or_rested(one: Worker, client: Outside) -> bool:
    """Has the worker ended, or is nothing left to do?"""
    return one.process.poll() is not None or all(look.at_rest for look in await client.looks())


async def test_a_worker_that_cannot_start_says_why_in_one_line(store_address: StoreAddress) -> None:
    async with outside(store_address, 4), worker(WorkerOrder(url=store_address.url), wait=False) as one:
        assert await one.ended() == 1
        assert one.errors() == (
            "LogMismatch: things was made with 4 partitions, the settings say 1: set partitions = 4\n"
        )


@window("W21")
@pytest.mark.slow
async def test_processes_that_are_killed_again_and_again_lose_nothing(store_address: StoreAddress) -> None:
    async with outside(store_address, 4) as client:
        async with worker(WorkerOrder(url=store_address.url, name="steady", partitions=4)):
            for round_number in range(4):
                order = WorkerOrder(url=store_address.url, name=f"guest-{round_number}", partitions=4)
                async with worker(order) as guest:
                    for n in range(24):
                        await client.add(f"T{n}", 3)
                    guest.kill()
            await until(lambda: shared(client, "steady"), what="the steady one serves all")
            await client.at_rest()
            assert await client.consumers() == {"steady"}
        await client.nothing_lost_nothing_twice()
