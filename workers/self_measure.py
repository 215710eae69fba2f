"""How fast this machine settles: a private store, a log of invented events, one group that decodes and wants nothing.

A quick look for an operator. `make bench` compares with other frameworks, over real claims and in several rounds.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec

from runtime.actor import Actor
from runtime.clock import SystemClock
from runtime.cluster.registry import ProcessCard
from runtime.codec import OpenCodec
from runtime.effects import Append
from runtime.embedded.server import running_server
from runtime.host import Host
from runtime.host_options import HostOptions
from runtime.plan import ActorPlan, ClusterPlan, LogPlan
from runtime.signals import BatchSettled, Bus
from runtime.store.clients import StoreAddress
from runtime.store.keys import LogSpec
from runtime.store.opening import open_store

if TYPE_CHECKING:
    from runtime.effects import Effects
    from runtime.entry import Batch
    from runtime.signals import Signal
    from runtime.store.opening import OpenStore

LOG = LogSpec("bench:events", "bench", "benchId")
GROUP = "bench"

EVENTS_OF_AN_ENTITY = 10
"""Facts of one append: with each unit a snapshot, a history and a result are written, as for a claim."""

UNITS_OF_A_CALL = 20
"""Appends of one round trip: 200 facts."""

BODY = json.dumps({"note": "x" * 420, "amount": 1250000, "currency": "USD", "items": [1, 2, 3]})
"""About 490 bytes: what an event of the auto claims has in the middle."""

Told = Callable[[str, int, int], None]
"""Hears what is counted, how far it is, and of how much."""


class Measured(msgspec.Struct, frozen=True):
    """What came out: facts, facts per second appended and settled, microseconds of this process per settled fact."""

    events: int
    appended_per_second: float
    settled_per_second: float
    cpu_us_per_event: float
    cores: int
    server: str


class _Reader(Actor):
    """Decodes each body and wants nothing."""

    name = GROUP
    group = GROUP
    log = LOG.name

    async def handle(self, batch: Batch) -> Effects:
        for entry in batch.entries:
            _ = entry.body
        return ()


class _Count:
    """Settled facts, and when the first and the last came."""

    def __init__(self, events: int, told: Told) -> None:
        self.done = asyncio.Event()
        self.settled = self.before = 0
        self.began = self.ended = 0.0
        self._events = events
        self._told = told

    def note(self, signal: Signal) -> None:
        if type(signal) is not BatchSettled or signal.outcome != "ok":
            return
        self.settled += signal.entries
        self.ended = time.perf_counter()
        if not self.began:  # the first batch only says when it began
            self.began, self.before = self.ended, self.settled
        self._told("settled", self.settled, self._events)
        if self.settled >= self._events:
            self.done.set()

    @property
    def rate(self) -> float:
        return (self.settled - self.before) / max(self.ended - self.began, 1e-9)


async def measure(events: int, told: Told) -> Measured:
    """Append and settle `events` facts on a store that is gone afterwards; `told` hears how far it is."""
    plan = ClusterPlan([LogPlan(LOG, OpenCodec())], [ActorPlan(GROUP, GROUP, LOG.name, lambda _: _Reader())])
    async with running_server() as server:
        bus = Bus()
        count = _Count(events, told)
        bus.subscribe(count.note)
        store = await open_store(StoreAddress.parse(server.url), [LOG], plan.groups(), bus=bus)
        try:
            appended = await _append(store, events, told)
            cpu = time.process_time()
            await _serve(store, plan, bus, count)
            cpu = time.process_time() - cpu
        finally:
            await store.close()
        return Measured(
            events=events,
            appended_per_second=round(appended),
            settled_per_second=round(count.rate),
            cpu_us_per_event=round(cpu * 1e6 / events, 1),
            cores=os.cpu_count() or 1,
            server=server.store.name,
        )


async def _append(store: OpenStore, events: int, told: Told) -> float:
    """Put the facts into the log; facts per second."""
    began = time.perf_counter()
    step = EVENTS_OF_AN_ENTITY * UNITS_OF_A_CALL
    for first in range(0, events, step):
        entities = range(first, min(first + step, events), EVENTS_OF_AN_ENTITY)
        await store.appender.append_many([_unit(n, min(EVENTS_OF_AN_ENTITY, events - n)) for n in entities])
        told("appended", min(first + step, events), events)
    return events / (time.perf_counter() - began)


async def _serve(store: OpenStore, plan: ClusterPlan, bus: Bus, count: _Count) -> None:
    card = ProcessCard(uuid4().hex[:16], "bench", os.getpid(), "0", "")
    host = Host(store, plan, card, options=HostOptions(), bus=bus, clock=SystemClock())
    serving = asyncio.create_task(host.run())
    done = asyncio.create_task(count.done.wait())
    await asyncio.wait({serving, done}, return_when=asyncio.FIRST_COMPLETED)
    host.stop()
    await serving
    done.cancel()


def _unit(entity: int, events: int) -> Append:
    name = f"B{entity:08d}"
    return Append(
        LOG.name, name, 0, tuple(_event(name, n) for n in range(1, events + 1)), {"last": BODY}, (), f"bench-{name}"
    )


def _event(name: str, sequence: int) -> tuple[str, ...]:
    return (
        "eventId", f"{name}-{sequence:027d}", "eventType", "bench.happened", "benchId", name,
        "timestamp", "2026-01-01T00:00:00.000Z", "data", BODY, "version", "1.0", "sequence", str(sequence),
        "correlationId", name, "causationId", name, "actor", "bench:measure", "traceparent", "",
    )  # fmt: skip
