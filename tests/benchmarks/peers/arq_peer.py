# mypy: disable-error-code="import-not-found,import-untyped,no-untyped-call,no-any-return,untyped-decorator"
"""arq: its worker with `concurrency` jobs at once, reads of `batch`, results not kept, burst instead of polling."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from arq import create_pool
from arq.connections import RedisSettings
from arq.worker import Worker

from tests.benchmarks.peers.meter import Meter, Order, events, main

_METER: list[Meter] = []


async def handle(ctx: Any, event: dict[str, Any]) -> None:
    """Do nothing."""
    if _METER:
        _METER[0].add()


def _settings(order: Order) -> Any:
    return RedisSettings(host=order["host"], port=order["port"])


async def load(order: Order) -> None:
    """Enqueue everything, 50 at a time."""
    pool = await create_pool(_settings(order))
    waiting = events(order)
    for begin in range(0, len(waiting), 50):
        chunk = waiting[begin : begin + 50]
        await asyncio.gather(*(pool.enqueue_job("handle", event) for event in chunk))
    await pool.aclose()


async def work(order: Order, meter: Meter) -> None:
    """Run in burst mode: it ends when the queue is empty and every job is finished."""
    logging.disable(logging.INFO)
    _METER.append(meter)
    worker = Worker(
        [handle],
        redis_settings=_settings(order),
        burst=True,
        max_jobs=order["concurrency"],
        queue_read_limit=order["batch"],
        keep_result=0,
        poll_delay=0.001,
        handle_signals=False,
        log_results=False,
    )
    await worker.async_run()
    await worker.close()


if __name__ == "__main__":
    main(load, work)
