"""Verifies a whole store as `claimstream audit verify` does, and says how long it took (row B10)."""

from __future__ import annotations

import time

from runtime import collector
from tests.benchmarks.peers.meter import Meter, Order, main
from tests.benchmarks.programs.claims_worker import opened
from workers.verifying import verify


async def load(order: Order) -> None:
    """Nothing is needed: the store was filled by others."""


async def work(order: Order, meter: Meter) -> None:
    """Verify once."""
    app = await opened(order)
    entries = await app.store.reads.one("XLEN", "claims:events")
    collector.calm()  # as the command does
    began = time.perf_counter()
    await verify(app)
    order["answer"] = {"seconds": time.perf_counter() - began, "count": entries}
    await app.close()


if __name__ == "__main__":
    main(load, work)
