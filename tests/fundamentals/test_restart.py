"""Where a process ends, the next one goes on: nothing again, nothing left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.hosts import expected, running_host

if TYPE_CHECKING:
    from runtime.store.clients import StoreAddress


async def test_a_restart_resumes_where_the_last_process_stopped(store_address: StoreAddress) -> None:
    async with running_host(store_address) as first:
        await first.add("kettle", 3)
        await first.at_rest()
    async with running_host(store_address) as second:
        await second.add("kettle", 2)
        await second.at_rest()
        assert await second.seen(["kettle"]) == expected({"kettle": 5})


async def test_two_processes_share_the_partitions_and_one_that_leaves_hands_them_over(
    store_address: StoreAddress,
) -> None:
    async with running_host(store_address, partitions=4, name="south") as one:
        assert one.held == {0, 1, 2, 3}
        async with running_host(store_address, partitions=4, name="left") as two:
            await two.holds_some()
            await one.holds(4 - len(two.held))
            assert one.held | two.held == {0, 1, 2, 3}
            for n in range(8):
                await two.add(f"T{n}", 3)
            await two.at_rest()
        await one.holds(4)
        for n in range(8):
            await one.add(f"T{n}", 2)
        await one.at_rest()
        assert await one.seen([f"T{n}" for n in range(8)]) == expected({f"T{n}": 5 for n in range(8)})
