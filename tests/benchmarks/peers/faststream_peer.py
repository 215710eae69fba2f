# mypy: disable-error-code="import-not-found,import-untyped,no-untyped-call,no-any-return,untyped-decorator"
"""FastStream on a Redis stream: `batch` entries per handler call (one XACK for all), or one by one (batch 0).

No logger, no pydantic at the boundary: its fast settings.
"""

from __future__ import annotations

from typing import Any

from faststream.redis import RedisBroker, StreamSub
from redis.asyncio import Redis

from tests.benchmarks.peers.meter import Meter, Order, events, main, until_settled, url

STREAM, GROUP = "bench:faststream", "bench"


def _broker(order: Order) -> Any:
    return RedisBroker(url(order), logger=None, apply_types=False)


async def load(order: Order) -> None:
    """Publish everything, in pipelines."""
    async with _broker(order) as broker, Redis.from_url(url(order)) as client:
        await client.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
        waiting = events(order)
        for begin in range(0, len(waiting), 500):
            pipe = client.pipeline(transaction=False)
            for event in waiting[begin : begin + 500]:
                await broker.publish(event, stream=STREAM, pipeline=pipe)
            await pipe.execute()


async def work(order: Order, meter: Meter) -> None:
    """Consume with a handler that does nothing."""
    broker = _broker(order)
    batch = order["batch"]
    if batch:
        sub = StreamSub(STREAM, group=GROUP, consumer="one", batch=True, max_records=batch, last_id=">")

        @broker.subscriber(stream=sub)
        async def handle_many(messages: list[dict[str, Any]]) -> None:
            meter.add(len(messages))

    else:
        sub = StreamSub(STREAM, group=GROUP, consumer="one", max_records=500, last_id=">")

        @broker.subscriber(stream=sub)
        async def handle_one(message: dict[str, Any]) -> None:
            meter.add()

    async with Redis.from_url(url(order)) as client:

        async def left() -> int:
            return int((await client.xpending(STREAM, GROUP))["pending"])

        await broker.start()
        try:
            await meter.done.wait()
            await until_settled(left)
        finally:
            await broker.stop()


if __name__ == "__main__":
    main(load, work)
