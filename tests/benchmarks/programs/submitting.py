"""64 concurrent appends through the append path, or 64 concurrent bare XADDs of the same entries (row B5)."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from redis.asyncio import Redis

from runtime.store.append import Appended
from runtime.store.clients import StoreAddress
from runtime.store.opening import open_store
from tests.benchmarks.corpus import units
from tests.benchmarks.peers.meter import Meter, Order, main
from workers.keys import CLAIM_LOG, claim_log

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runtime.effects import Append

AT_ONCE = 64
CLAIMS = 200
"""Different first notices; further ones are the same under other claim ids."""


def _notices(count: int) -> list[Append]:
    firsts = [life[0] for life in units(min(CLAIMS, count))]
    return [_named(firsts[place % len(firsts)], place) for place in range(count)]


def _named(unit: Append, place: int) -> Append:
    claim_id = f"{unit.entity[:-8]}{place:08d}"
    event = list(unit.events[0])
    event[5] = claim_id
    return replace(unit, entity=claim_id, events=(tuple(event),), command_id=f"submit-{place}")


async def _together(count: int, send: Callable[[int], Awaitable[None]]) -> float:
    """Seconds in which 64 senders send everything between them."""
    places = iter(range(count))

    async def sender() -> None:
        for place in places:
            await send(place)

    began = time.perf_counter()
    await asyncio.gather(*(sender() for _ in range(AT_ONCE)))
    return time.perf_counter() - began


async def load(order: Order) -> None:
    """Nothing is needed."""


async def work(order: Order, meter: Meter) -> None:
    """Send them all; the answer is how long it took."""
    waiting = _notices(order["count"])
    sent = _append(order, waiting) if order["path"] == "append" else _bare(order, waiting)
    order["answer"] = {"seconds": await sent, "count": len(waiting)}


async def _append(order: Order, waiting: list[Append]) -> float:
    address = StoreAddress.parse(f"redis://{order['host']}:{order['port']}")
    store = await open_store(address, [claim_log(1)], {CLAIM_LOG: ["bench"]})

    async def send(place: int) -> None:
        answer = await store.appender.append(waiting[place])
        assert isinstance(answer, Appended) and not answer.repeated

    try:
        return await _together(len(waiting), send)
    finally:
        await store.close()


async def _bare(order: Order, waiting: list[Append]) -> float:
    client = Redis(host=order["host"], port=order["port"], protocol=3)
    command: Any = client.execute_command
    events = [unit.events[0] for unit in waiting]

    async def send(place: int) -> None:
        await command("XADD", CLAIM_LOG, "*", *events[place])

    try:
        return await _together(len(waiting), send)
    finally:
        await client.aclose()


if __name__ == "__main__":
    main(load, work)
