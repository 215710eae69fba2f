"""The ceiling of the client: XREADGROUP and XACK by redis-py, raw replies, nothing decoded (row B2)."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from tests.benchmarks.peers.meter import Meter, Order, main
from workers.keys import CLAIM_LOG

GROUP = "bench"


def _client(order: Order) -> Redis:
    client = Redis(host=order["host"], port=order["port"], protocol=3, single_connection_client=True)
    client.set_response_callback("XREADGROUP", _untouched)
    return client


def _untouched(response: Any, **_options: Any) -> Any:
    return response


async def load(order: Order) -> None:
    """Make the stream and its group; the harness fills it."""
    async with _client(order) as client:
        await client.xgroup_create(CLAIM_LOG, GROUP, id="0", mkstream=True)


async def work(order: Order, meter: Meter) -> None:
    """Read and acknowledge until `count`."""
    async with _client(order) as client:
        send: Any = client.execute_command
        while not meter.done.is_set():
            reply = await send(
                "XREADGROUP", "GROUP", GROUP, "one", "COUNT", order["batch"], "BLOCK", 1000, "STREAMS", CLAIM_LOG, ">"
            )
            rows = reply[CLAIM_LOG.encode()]
            await send("XACK", CLAIM_LOG, GROUP, *[row[0] for row in rows])
            meter.add(len(rows))


if __name__ == "__main__":
    main(load, work)
