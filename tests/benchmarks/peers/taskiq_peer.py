# mypy: disable-error-code="import-not-found,import-untyped,no-untyped-call,no-any-return,untyped-decorator"
"""taskiq over taskiq-redis streams: reads of `batch`, `concurrency` tasks at once, parameters not validated."""

from __future__ import annotations

import asyncio
from typing import Any

from redis.asyncio import Redis
from taskiq.api import run_receiver_task
from taskiq.serializers import ORJSONSerializer
from taskiq_redis import RedisStreamBroker

from tests.benchmarks.peers.meter import Meter, Order, events, main, until_settled, url

QUEUE, GROUP = "bench:taskiq", "taskiq"


def _broker(order: Order, meter: Meter | None) -> tuple[Any, Any]:
    broker = RedisStreamBroker(
        url(order), queue_name=QUEUE, consumer_group_name=GROUP, consumer_id="0", xread_count=order["batch"]
    ).with_serializer(ORJSONSerializer())

    @broker.task(task_name="handle")
    async def handle(event: dict[str, Any]) -> None:
        if meter is not None:
            meter.add()

    return broker, handle


async def load(order: Order) -> None:
    """Kick everything, 100 at a time."""
    broker, handle = _broker(order, None)
    await broker.startup()
    waiting = events(order)
    for begin in range(0, len(waiting), 100):
        await asyncio.gather(*(handle.kiq(event) for event in waiting[begin : begin + 100]))
    await broker.shutdown()


async def work(order: Order, meter: Meter) -> None:
    """Receive with a task that does nothing."""
    broker, _ = _broker(order, meter)
    await broker.startup()
    receiving = asyncio.create_task(
        run_receiver_task(
            broker,
            validate_params=False,
            max_async_tasks=order["concurrency"],
            max_prefetch=order["concurrency"],
        )
    )
    async with Redis.from_url(url(order)) as client:

        async def left() -> int:
            return int((await client.xpending(QUEUE, GROUP))["pending"])

        await meter.done.wait()
        await until_settled(left)
    receiving.cancel()
    await asyncio.wait({receiving}, timeout=5)


if __name__ == "__main__":
    main(load, work)
