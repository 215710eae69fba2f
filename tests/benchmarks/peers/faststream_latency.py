# mypy: disable-error-code="import-not-found,import-untyped,no-untyped-call,no-any-return,untyped-decorator"
"""Latency from when an event was due to when its effect can be seen, at a fixed rate, FastStream (row B6).

Its handler counts in a hash, as ours does; it takes whatever is there in one call (batch of 500).
"""

from __future__ import annotations

import time
from typing import Any

from faststream.redis import RedisBroker, StreamSub
from redis.asyncio import Redis

from tests.benchmarks.peers.meter import Meter, Order, events, main, send_on_schedule, url

STREAM, GROUP = "bench:faststream", "bench"


def _broker(order: Order) -> Any:
    return RedisBroker(url(order), logger=None, apply_types=False)


async def load(order: Order) -> None:
    """Make the stream and its group."""
    async with Redis.from_url(url(order)) as client:
        await client.xgroup_create(STREAM, GROUP, id="0", mkstream=True)


async def work(order: Order, meter: Meter) -> None:
    """Consume until `count`; the answer holds every latency in seconds."""
    latencies: list[float] = []
    broker = _broker(order)
    client = Redis.from_url(url(order))

    @broker.subscriber(stream=StreamSub(STREAM, group=GROUP, consumer="one", batch=True, max_records=500, last_id=">"))
    async def handle(messages: list[dict[str, Any]]) -> None:
        await client.hincrby("bench:seen", "events", len(messages))
        now = time.perf_counter()
        latencies.extend(now - float(message["correlationId"]) for message in messages)
        meter.add(len(messages))

    await broker.start()
    await meter.done.wait()
    await broker.stop()
    await client.aclose()
    order["answer"] = {"latencies": latencies}


async def send(order: Order) -> None:
    """Publish one event at each moment of the schedule."""
    async with _broker(order) as broker:
        waiting = events({**order, "count": 100})

        async def one(place: int, due: float) -> None:
            event = {**waiting[place % len(waiting)], "correlationId": repr(due)}
            await broker.publish(event, stream=STREAM)

        await send_on_schedule(order, one)


if __name__ == "__main__":
    main(load, work, send)
