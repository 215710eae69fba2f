"""Latency from when an event was due to when its effect can be seen, at a fixed rate, claimstream (row B6).

`send` appends on an open-loop schedule, `work` serves with an actor that counts in a hash: settle makes it visible.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING
from uuid import uuid4

from msgspec.structs import replace

from domain.events import EVENTS, decode_body
from runtime import collector
from runtime.clock import SystemClock
from runtime.cluster.registry import ProcessCard
from runtime.effects import HashIncrement
from runtime.host import Host
from runtime.host_options import HostOptions
from runtime.plan import ActorPlan, ClusterPlan, LogPlan
from runtime.signals import BatchSettled, Bus, Signal
from runtime.store.clients import StoreAddress
from runtime.store.opening import open_store
from tests.benchmarks.corpus import units
from tests.benchmarks.peers.meter import Meter, Order, main, send_on_schedule
from tests.benchmarks.programs.noop_worker import GROUP, Noop
from workers.claim_log import EventCodec
from workers.keys import CLAIM_LOG, claim_log

if TYPE_CHECKING:
    from runtime.effects import Append, Effects
    from runtime.entry import Batch
    from runtime.store.opening import OpenStore


class Counting(Noop):
    """Counts; remembers when the events at hand were due."""

    def __init__(self) -> None:
        """Nothing is at hand."""
        self.due: list[float] = []

    async def handle(self, batch: Batch) -> Effects:
        """One increment for all of them."""
        await super().handle(batch)
        self.due = [float(entry.correlation_id) for entry in batch.entries]
        return [HashIncrement("bench:seen", {"events": len(batch.entries)})]


async def _store(order: Order, bus: Bus | None = None) -> OpenStore:
    address = StoreAddress.parse(f"redis://{order['host']}:{order['port']}")
    return await open_store(address, [claim_log(1)], {CLAIM_LOG: [GROUP]}, bus=bus)


async def load(order: Order) -> None:
    """Make the log and its group."""
    await (await _store(order)).close()


async def work(order: Order, meter: Meter) -> None:
    """Serve until `count`; the answer holds every latency in seconds."""
    actor = Counting()
    log = LogPlan(claim_log(1), EventCodec(tuple(EVENTS), decode_body))
    chosen = ClusterPlan([log], [ActorPlan("noop", GROUP, CLAIM_LOG, lambda _: actor)])
    bus = Bus()
    latencies: list[float] = []

    def note(signal: Signal) -> None:
        if type(signal) is BatchSettled and signal.outcome == "ok":
            now = time.perf_counter()
            latencies.extend(now - due for due in actor.due)
            meter.add(signal.entries)

    bus.subscribe(note)
    store = await _store(order, bus)
    card = ProcessCard(uuid4().hex[:16], "bench", 1, "0", "")
    host = Host(store, chosen, card, options=HostOptions(), bus=bus, clock=SystemClock())
    collector.calm()  # as `claimstream run` does
    serving = asyncio.create_task(host.run())
    done = asyncio.create_task(meter.done.wait())
    await asyncio.wait({serving, done}, return_when=asyncio.FIRST_COMPLETED)
    host.stop()
    await serving
    await store.close()
    order["answer"] = {"latencies": latencies}


async def send(order: Order) -> None:
    """Append one event of one new claim at each moment of the schedule."""
    store = await _store(order)
    firsts = [life[0] for life in units(100)]

    async def one(place: int, due: float) -> None:
        await store.appender.append(_due(firsts[place % len(firsts)], place, due))

    await send_on_schedule(order, one)
    await store.close()


def _due(unit: Append, place: int, due: float) -> Append:
    claim_id = f"{unit.entity[:-8]}{place:08d}"
    event = list(unit.events[0])
    event[5], event[15] = claim_id, repr(due)
    return replace(unit, entity=claim_id, events=(tuple(event),))


if __name__ == "__main__":
    main(load, work, send)
