# mypy: disable-error-code="import-not-found,import-untyped,no-untyped-call,no-any-return,untyped-decorator"
"""Docket: its worker with `concurrency` tasks at once, reads of `batch`, no record kept of what is done.

With its default `minimum_check_interval` of 250 ms it does four waves of `concurrency` tasks a second, however quick
they are; 5 ms takes that brake off.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Any

from docket import Docket, Worker

from tests.benchmarks.peers.meter import Meter, Order, events, main, url

_METER: list[Meter] = []


async def handle(event: dict[str, Any]) -> None:
    """Do nothing."""
    if _METER:
        _METER[0].add()


def _docket(order: Order) -> Any:
    return Docket(name="bench", url=url(order), execution_ttl=timedelta(0))


async def load(order: Order) -> None:
    """Add everything, 100 at a time."""
    async with _docket(order) as docket:
        docket.register(handle)
        waiting = events(order)
        for begin in range(0, len(waiting), 100):
            await asyncio.gather(*(docket.add(handle)(event) for event in waiting[begin : begin + 100]))


async def work(order: Order, meter: Meter) -> None:
    """Run until the docket is empty: it then has acknowledged everything."""
    logging.disable(logging.INFO)
    _METER.append(meter)
    async with _docket(order) as docket:
        docket.register(handle)
        async with Worker(
            docket,
            concurrency=order["concurrency"],
            message_batch=order["batch"],
            minimum_check_interval=timedelta(milliseconds=5),
            schedule_automatic_tasks=False,
        ) as worker:
            await worker.run_until_finished()


if __name__ == "__main__":
    main(load, work)
