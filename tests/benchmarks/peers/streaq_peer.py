# mypy: disable-error-code="import-not-found,import-untyped,no-untyped-call,no-any-return,untyped-decorator"
"""streaQ: its worker with `concurrency` tasks at once, `batch` prefetched, results not kept."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import orjson
from redis.asyncio import Redis
from streaq import Worker

from tests.benchmarks.peers.meter import Meter, Order, events, main, until_settled, url


def _worker(order: Order, meter: Meter | None) -> tuple[Any, Any]:
    worker = Worker(
        redis_url=f"redis://{order['host']}:{order['port']}",
        concurrency=order["concurrency"],
        prefetch=order["batch"],
        queue_name="bench",
        serializer=orjson.dumps,
        deserializer=orjson.loads,
        handle_signals=False,
    )

    @worker.task(ttl=0, name="handle")
    async def handle(event: dict[str, Any]) -> None:
        if meter is not None:
            meter.add()

    return worker, handle


async def load(order: Order) -> None:
    """Enqueue everything, 200 in a pipeline."""
    worker, handle = _worker(order, None)
    waiting = events(order)
    async with worker:
        for begin in range(0, len(waiting), 200):
            await worker.enqueue_many([handle.enqueue(event) for event in waiting[begin : begin + 200]])


async def work(order: Order, meter: Meter) -> None:
    """Run with a task that does nothing."""
    logging.disable(logging.INFO)
    worker, _ = _worker(order, meter)
    running = asyncio.create_task(worker.run_async())
    done = asyncio.create_task(meter.done.wait())
    await asyncio.wait({running, done}, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        running.result()
    async with Redis.from_url(url(order)) as client:

        async def left() -> int:
            streams = [key async for key in client.scan_iter(match="*bench*", _type="stream")]
            groups = [await client.xinfo_groups(stream) for stream in streams]
            return sum(int(one["pending"]) for many in groups for one in many)

        await until_settled(left)
    running.cancel()
    await asyncio.wait({running}, timeout=5)


if __name__ == "__main__":
    main(load, work)
