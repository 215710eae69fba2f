"""Lets simulated time pass: only when nothing is left to do does the clock go on to what is due next.

So deadlines ring in an order that no kill and no slow machine can change.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers.application import Application
    from workers.demo.stillness import Stillness
    from workers.timing import SimulatedTiming

STRIDE = timedelta(days=7)
"""Timers of one stride ring together, each at its own due time: a stride only saves rounds."""


async def next_due(app: Application) -> datetime | None:
    """When the first timer of any claim is due; None when there is none."""
    found: list[float] = []
    for partition in range(app.claim_keyspace.spec.partitions):
        rows = await app.store.reads.scored("ZRANGE", app.claim_keys(partition).timers, 0, 0)
        found += [score for _, score in rows]
    return datetime.fromtimestamp(min(found) / 1000, UTC) if found else None


async def pass_on(app: Application, timing: SimulatedTiming) -> bool:
    """Advance the clock to what is due next; False when nothing ever will be."""
    due = await next_due(app)
    if due is None:
        return False
    timing.advance(due + STRIDE)
    return True


async def over(stillness: Stillness, app: Application, timing: SimulatedTiming) -> bool:
    """Is nothing left to do, and no clock left to ring? Lets time pass when only clocks are left.

    Whoever finds no clock looks at the groups once more: the last one may have rung after they were looked at, and it
    left the timers together with the fact that they have yet to handle.
    """
    return await stillness.reached() and not await pass_on(app, timing) and await stillness.reached()
