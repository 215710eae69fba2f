"""Rebuilds what analytics made of a whole log, as `claimstream replay --group analytics` does (row B10)."""

from __future__ import annotations

import time

from runtime import collector
from tests.benchmarks.peers.meter import Meter, Order, main
from tests.benchmarks.programs.claims_worker import opened
from workers.archivists import NO_ARCHIVES
from workers.replaying import Replay


async def load(order: Order) -> None:
    """Nothing is needed: the log was filled, and served by the live group, by others."""


async def work(order: Order, meter: Meter) -> None:
    """Build, compare with the live figures, swap; once. The answer has the entries, the seconds and what differed."""
    app = await opened(order)
    collector.calm()
    began = time.perf_counter()
    done = await Replay(app.store, "analytics", 0, NO_ARCHIVES).run(dry_run=False, who="bench", why="row B10")
    seconds = time.perf_counter() - began
    order["answer"] = {
        "count": done.entries,
        "seconds": seconds,
        "differences": done.differences,
        "swapped": done.swapped,
    }
    await app.close()


if __name__ == "__main__":
    main(load, work)
