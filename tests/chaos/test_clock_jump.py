"""W48: the wall clock of a process jumps by an hour. What is safe never asks it, and leases go by other clocks."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runtime.cluster.lease import LeaseOptions, Seat
from runtime.cluster.sharing import chosen
from tests.chaos.campaign.clock_shim import Clock, built
from tests.support.hosts import LOG, Outside, outside
from tests.support.waiting import until
from tests.support.windows import window
from tests.support.worker_program import WorkerOrder, worker

if TYPE_CHECKING:
    from runtime.store.clients import StoreAddress

pytestmark = [pytest.mark.permanent_keys("*"), pytest.mark.timeout(600)]

LEFT, SOUTH = "left", "south"
"""Two names that share four seats."""

LEASE = LeaseOptions(ttl_seconds=5.0, beat_seconds=0.1, margin_seconds=0.1)
"""Far shorter than the jump, and long enough that a busy machine costs no seat: it is the clock that must not."""


async def placed(client: Outside) -> bool:
    """Has each seat come to where it belongs, so that none moves any more by itself?"""
    seats = [str(Seat(LOG, "listers", partition)) for partition in range(4)]
    return await client.owners() == [chosen(seat, [LEFT, SOUTH]) for seat in seats]


def loaded(pid: int, library: Path) -> bool:
    """Has this process the library in its memory?"""
    return library.name in Path(f"/proc/{pid}/maps").read_text()


@window("W48")
async def test_a_clock_that_jumps_by_an_hour_and_back_costs_no_entry_and_no_seat(
    store_address: StoreAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = built(tmp_path)
    if library is None:
        pytest.skip("there is no C compiler here that could make a clock to be set")
    clock = Clock(library, tmp_path / "clock")
    async with outside(store_address, 4) as client:
        with monkeypatch.context() as preloaded:
            for name, value in clock.environment().items():
                preloaded.setenv(name, value)
            jumping = worker(WorkerOrder(url=store_address.url, name=LEFT, partitions=4, lease=LEASE))
            one = await jumping.__aenter__()
        assert loaded(one.process.pid, library), "its clock cannot be set"
        try:
            async with worker(WorkerOrder(url=store_address.url, name=SOUTH, partitions=4, lease=LEASE)):
                await until(partial(placed, client), within=20.0, what="both serve what is theirs")
                before = await client.owners()
                for offset in (3600, -3600, 0):
                    clock.set(offset)
                    for n in range(24):
                        await client.add(f"T{n}", 2)
                    await client.at_rest()
                    await client.nothing_lost_nothing_twice()
                assert await client.owners() == before
        finally:
            await jumping.__aexit__(None, None, None)
