"""claimstream with an actor that does nothing but decode each body: a real host, a real group (rows B1, B2, B7, B9)."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING
from uuid import uuid4

from domain.events import EVENTS, decode_body
from runtime import collector
from runtime.actor import Actor
from runtime.clock import SystemClock
from runtime.cluster.registry import ProcessCard
from runtime.host import Host
from runtime.host_options import HostOptions
from runtime.plan import ActorPlan, ClusterPlan, LogPlan
from runtime.signals import BatchSettled, Bus, Signal
from runtime.store.clients import StoreAddress
from runtime.store.opening import open_store
from tests.benchmarks.peers.meter import Meter, Order, main
from workers.claim_log import EventCodec
from workers.keys import CLAIM_LOG, claim_log

if TYPE_CHECKING:
    from runtime.effects import Effects
    from runtime.entry import Batch

GROUP = "bench"


class Noop(Actor):
    """Decodes each body and wants nothing."""

    name = "noop"
    group = GROUP
    log = CLAIM_LOG

    async def handle(self, batch: Batch) -> Effects:
        """Look at each body, so that it is decoded."""
        for entry in batch.entries:
            entry.body  # noqa: B018  # decoding it is the work
        return []


class SlowNoop(Noop):
    """The same with some work of the processor for each entry: where the handler is the bottleneck (row B9)."""

    def __init__(self, rounds: int) -> None:
        """`rounds` of an empty loop per entry; 1,000 are some 20 microseconds."""
        self._rounds = rounds

    async def handle(self, batch: Batch) -> Effects:
        """Decode, then turn the loop."""
        for entry in batch.entries:
            entry.body  # noqa: B018
            for _ in range(self._rounds):
                pass
        return []


def plan(partitions: int, rounds: int = 0) -> ClusterPlan:
    """The log of claims and the one actor."""
    log = LogPlan(claim_log(partitions), EventCodec(tuple(EVENTS), decode_body))
    return ClusterPlan([log], [ActorPlan("noop", GROUP, CLAIM_LOG, lambda _: SlowNoop(rounds) if rounds else Noop())])


async def load(order: Order) -> None:
    """Make the log and its group; the harness fills it."""
    chosen = plan(order.get("partitions", 1))
    store = await open_store(_address(order), [one.spec for one in chosen.logs], chosen.groups())
    await store.close()


async def work(order: Order, meter: Meter) -> None:
    """Serve until `count` events are settled, or until the standard input ends (one of several processes)."""
    chosen = plan(order.get("partitions", 1), order.get("rounds", 0))
    bus = Bus()

    def note(signal: Signal) -> None:
        if type(signal) is BatchSettled and signal.outcome == "ok":
            meter.add(signal.entries)

    bus.subscribe(note)
    store = await open_store(_address(order), [one.spec for one in chosen.logs], chosen.groups(), bus=bus)
    card = ProcessCard(uuid4().hex[:16], "bench", 1, "0", "")
    host = Host(store, chosen, card, options=HostOptions(), bus=bus, clock=SystemClock())
    collector.calm()  # as `claimstream run` does
    serving = asyncio.create_task(host.run())
    done = asyncio.create_task(meter.done.wait() if not order.get("until_told") else _told())
    await asyncio.wait({serving, done}, return_when=asyncio.FIRST_COMPLETED)
    host.stop()
    await serving
    await store.close()


async def _told() -> None:
    await asyncio.to_thread(sys.stdin.read)


def _address(order: Order) -> StoreAddress:
    return StoreAddress.parse(f"redis://{order['host']}:{order['port']}")


if __name__ == "__main__":
    main(load, work)
