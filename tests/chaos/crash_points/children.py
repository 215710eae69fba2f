"""The processes that die: a host of generic actors, or of those that pay, which a test can arm at any time."""

from __future__ import annotations

import asyncio
import signal
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from runtime import failpoints
from runtime.clock import SystemClock
from runtime.cluster.lease import LeaseOptions
from runtime.host import Host
from runtime.signals import Bus
from runtime.stopping import EXIT_GAVE_UP, StopOptions, run_until_stopped
from runtime.store.clients import StoreAddress
from runtime.store.opening import StoreOptions, open_store
from runtime.store.retention import Retention
from runtime.supervision import Unstopped
from tests.chaos.crash_points.actors import cluster, groups, logs
from tests.chaos.crash_points.orders import CLAIMS, PAYERS, Order, Wish, bank_settings
from tests.support.hosts import LOG, QUICK, QUICK_CLIENTS, card
from tests.support.small_cluster import small_settings
from tests.support.things import facts
from workers.bootstrap import cluster_plan, open_application
from workers.timing import SimulatedTiming

if TYPE_CHECKING:
    from runtime.plan import ClusterPlan
    from runtime.store.opening import OpenStore

LEASE = LeaseOptions(ttl_seconds=0.4, beat_seconds=0.05, margin_seconds=0.05)
"""Short, so that a takeover takes no time of the test."""

OPTIONS = msgspec.structs.replace(
    QUICK, lease=LEASE, serving=msgspec.structs.replace(QUICK.serving, stop_seconds=0.5)
)  # fmt: skip
STOP = StopOptions(drain_seconds=1.5, cancel_seconds=0.5)


class Child:
    """One process: what it says, and the wishes that it obeys."""

    def __init__(self, order: Order) -> None:
        """As ordered."""
        self.order = order
        self.tell = failpoints.reporter(str(order.report))
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, store: OpenStore, plan: ClusterPlan, bus: Bus) -> int:
        """Run a host until a signal comes; the exit code."""
        witness = Unstopped()
        bus.subscribe(witness)
        serves = PAYERS if self.order.kind == CLAIMS else ()
        host = Host(store, plan, card(self.order.name, serves), options=OPTIONS, bus=bus, clock=SystemClock())
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._obey, store)
        report = await run_until_stopped(_Up(host, self), STOP, emit=bus.emit, witness=witness)
        return report.exit_code

    def _obey(self, store: OpenStore) -> None:
        wish = msgspec.json.decode(self.order.wish.read_bytes(), type=Wish)
        self.tell(f"armed {wish.number}")
        failpoints.arm(wish.arm, self.tell)
        task = asyncio.get_running_loop().create_task(self._do(wish, store))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _do(self, wish: Wish, store: OpenStore) -> None:
        try:
            entity, version, command = wish.append
            if entity:
                await store.appender.append(facts(entity, version, 1, command=command))
            if wish.trim:
                retention = Retention(store.commands, store.reads, store.logs[LOG].keys, 0, "archivists")
                await retention.trim("99999999999999-0", who="test", why="room")
            self.tell(f"done {wish.number}")
        except BaseException as problem:
            self.tell(f"failed {wish.number} {type(problem).__name__}")


class _Up:
    """The host, telling when it is up."""

    def __init__(self, host: Host, child: Child) -> None:
        self._host = host
        self._child = child
        self.stop = host.stop

    async def run(self) -> None:
        await self._host.run(lambda: self._child.tell("up"))


async def run_child(order: Order) -> int:
    """One life; the exit code."""
    child, bus = Child(order), Bus()
    try:
        return await (_claims if order.kind == CLAIMS else _things)(child, bus)
    except Exception:
        traceback.print_exc()
        return EXIT_GAVE_UP


async def _things(child: Child, bus: Bus) -> int:
    specs = [log.spec for log in logs()]
    options = StoreOptions(clients=QUICK_CLIENTS)
    store = await open_store(StoreAddress.parse(child.order.url), specs, groups(), options=options, bus=bus)
    try:
        return await child.serve(store, cluster(store, child.order.folder), bus)
    finally:
        await store.close()


async def _claims(child: Child, bus: Bus) -> int:
    order = child.order
    settings = small_settings(Path(order.folder), 1, bank_settings(order.bank))
    app = await open_application(settings, StoreAddress.parse(order.url), bus=bus, timing=SimulatedTiming())
    try:
        return await child.serve(app.store, cluster_plan(app, settings), bus)
    finally:
        await app.close()
