# mypy: disable-error-code="import-not-found,import-untyped,no-untyped-call,no-any-return,untyped-decorator"
"""SAQ: its worker with `concurrency` jobs at once, orjson, results not kept."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import orjson
from redis.asyncio import Redis
from saq import Worker
from saq.queue.redis import RedisQueue

from tests.benchmarks.peers.meter import Meter, Order, events, main, until_settled, url

_METER: list[Meter] = []


async def handle(ctx: Any, *, event: dict[str, Any]) -> None:
    """Do nothing."""
    if _METER:
        _METER[0].add()


def _queue(order: Order) -> Any:
    operations = max(order["concurrency"], 20)
    return RedisQueue(Redis.from_url(url(order)), dump=orjson.dumps, load=orjson.loads, max_concurrent_ops=operations)


async def load(order: Order) -> None:
    """Enqueue everything, 50 at a time."""
    queue = _queue(order)
    await queue.connect()
    waiting = events(order)
    for begin in range(0, len(waiting), 50):
        chunk = waiting[begin : begin + 50]
        await asyncio.gather(*(queue.enqueue("handle", event=event, ttl=-1, timeout=0) for event in chunk))
    await queue.disconnect()


async def work(order: Order, meter: Meter) -> None:
    """Process with a job that does nothing."""
    logging.disable(logging.INFO)
    _METER.append(meter)
    queue = _queue(order)
    await queue.connect()
    worker = Worker(queue, functions=[("handle", handle)], concurrency=order["concurrency"])
    running = asyncio.create_task(worker.start())
    done = asyncio.create_task(meter.done.wait())
    await asyncio.wait({running, done}, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        running.result()

    async def left() -> int:
        return int(await queue.count("incomplete"))

    await until_settled(left)
    await worker.stop()
    running.cancel()
    await asyncio.wait({running}, timeout=5)


if __name__ == "__main__":
    main(load, work)
