"""The tree of one process, and the order in which it starts and drains.

    host (one_for_all)
    ├── loop lag          measures the event loop, feeds the watchdog
    ├── status            the HTTP endpoint: it answers while everything behind it starts, waits or drains
    ├── keepers ...       given by the composition root: what the cluster stands on (the embedded store's)
    ├── cluster (one_for_all)
    │   ├── runners (one_for_one)   a child per seat that this process holds
    │   └── membership              beats, takes and gives back seats
    ├── sampler           how far every seat is behind
    └── services ...      given by the composition root: what stands on the cluster

Each starts when the one before is up, and they stop in reverse. The status comes early because the cluster is
up only when the store has answered: a probe that finds nobody would kill a process that waits for its store.
Membership and runners stand and fall together: after a failure of either both begin from nothing, because a
runner that nobody remembers would never be closed.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

from runtime.cluster.lease import Leases, Seat
from runtime.cluster.membership import Membership
from runtime.cluster.registry import ProcessCard, Registry
from runtime.floor import Floor, fatal_when_refused
from runtime.sampler import Sampler
from runtime.supervision import ChildSpec, IntensityOptions, Strategy, Supervisor
from runtime.telemetry.loop_lag import LoopLag, LoopWatchdog
from runtime.telemetry.metrics import Metrics
from runtime.telemetry.metrics_subscriber import MetricsSubscriber
from runtime.telemetry.progress import Progress
from runtime.telemetry.samples import BacklogSample
from runtime.telemetry.status_server import StatusServer
from runtime.telemetry.status_source import LocalStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runtime.clock import Clock
    from runtime.host_options import HostOptions
    from runtime.plan import ClusterPlan
    from runtime.signals import Bus
    from runtime.store.opening import OpenStore


CLUSTER_INTENSITY = IntensityOptions(limit=2.0, half_life_seconds=300.0)
"""Runners that give up have tried for half a minute before: these failures come slowly, so they fade slowly."""

HOST_INTENSITY = IntensityOptions(limit=1.2, half_life_seconds=600.0)
"""The second fault of the whole tree ends the process: its parent begins with a new one. With the default at
every level a runner that never comes up would be restarted for ever."""


class Host:
    """One process of the cluster."""

    def __init__(
        self,
        store: OpenStore,
        plan: ClusterPlan,
        card: ProcessCard,
        *,
        options: HostOptions,
        bus: Bus,
        clock: Clock,
        keepers: Sequence[ChildSpec] = (),
        services: Sequence[ChildSpec] = (),
    ) -> None:
        """Nothing runs yet. `keepers` start before the cluster and stop after it, `services` the other way.

        ValueError: the card names an actor that is not in the plan.
        """
        self._store = store
        self._options = options
        served = plan.seats(card.serves)
        # Names, also when it is all of them: a process with a newer plan must not leave its new actors to us.
        self.card = card = msgspec.structs.replace(card, serves=card.serves or plan.names())
        self.metrics = Metrics(version=card.version)
        self.progress = Progress(options.progress)
        keyspaces = {name: log.keys for name, log in store.logs.items()}
        leases = Leases(store.commands, card.incarnation, keyspaces, options.lease, clock)
        self.floor = Floor(
            store, plan, card.incarnation, options=options.serving, bus=bus, clock=clock,
            leased=leases.trusted, living=lambda: self.membership.living.keys(),
        )  # fmt: skip
        registry = Registry(store.commands, card, options.lease.ttl_seconds)
        seats = {seat: actor.name for seat, actor in served.items()}
        self._timed = {seat for seat, actor in served.items() if actor.timed}
        self.membership = Membership(
            registry, leases, card.incarnation, seats, self.floor, options=options.lease, bus=bus
        )
        self.status = LocalStatus(
            self.progress,
            self.metrics,
            monotonic=time.monotonic,
            identity=msgspec.to_builtins(card),
            sections={
                "supervision": self._tree,
                "owners": lambda: {str(seat): owner for seat, owner in sorted(self.membership.owners.items())},
                "processes": lambda: sorted(self.membership.living),
            },
        )
        self.status_server = StatusServer(self.status, options.status)
        self._watchdog = LoopWatchdog(options=options.loop)
        self._bus = bus
        self._supervisor = Supervisor(
            "host",
            [*self._children(bus, keepers, services)],
            strategy=Strategy.ONE_FOR_ALL,
            intensity=HOST_INTENSITY,
            emit=bus.emit,
        )

    def stop(self) -> None:
        """Drain: readiness off, stop reading, settle what is at hand, give seats back, leave. Sticky."""
        self.progress.draining()
        self._supervisor.stop()

    async def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Run until `stop`, or until the tree gives up (then the process has to exit non-zero)."""

        def ready() -> None:
            self.progress.started()
            started()

        subscribers = (MetricsSubscriber(self.metrics), self.status)
        subscriptions = [self._bus.subscribe(subscriber) for subscriber in subscribers]
        if self._options.watchdog:
            self._watchdog.start()
        try:
            await self._supervisor.run(ready)
        finally:
            self._watchdog.stop()
            for unsubscribe in subscriptions:
                unsubscribe()

    def unstopped(self) -> tuple[str, ...]:
        """Who did not end in time at the last stop."""
        return (*self._supervisor.unstopped(), *self.floor.supervisor.unstopped())

    def _children(self, bus: Bus, keepers: Sequence[ChildSpec], services: Sequence[ChildSpec]) -> list[ChildSpec]:
        floor = self.floor.supervisor
        drain = self._options.serving.stop_seconds + 2.0
        cluster = Supervisor(
            "cluster",
            [
                ChildSpec(name="runners", run=floor.run, stop=floor.stop, stop_timeout=drain),
                ChildSpec(
                    name="membership",
                    run=fatal_when_refused(self.membership.run),
                    stop=self.membership.stop,
                    stop_timeout=drain,
                ),
            ],
            strategy=Strategy.ONE_FOR_ALL,
            intensity=CLUSTER_INTENSITY,
            emit=bus.emit,
        )
        lag = LoopLag(self.metrics.observe_loop_lag, beat=self._beat, options=self._options.loop)
        sampler = Sampler(
            self._store,
            self._sampled,
            self.status.observe_backlog,
            self._reachable,
            every_seconds=self._options.sample_seconds,
        )
        return [
            ChildSpec(name="loop lag", run=lag.run, stop=lag.stop),
            ChildSpec(name="status", run=self.status_server.run, stop=self.status_server.stop),
            *keepers,
            ChildSpec(name="cluster", run=cluster.run, stop=cluster.stop, stop_timeout=2 * drain + 1.0),
            ChildSpec(name="sampler", run=fatal_when_refused(sampler.run), stop=sampler.stop),
            *services,
        ]

    def _sampled(self) -> list[Seat]:
        return [seat for seat in self.membership.held if seat not in self._timed]

    def _reachable(self, answered: bool, detail: str) -> None:
        self.progress.store_reachable(answered, detail)
        self.metrics.set("claimstream_store_reachable", int(answered))
        self.progress.leases_available(self.membership.leased)
        if answered:
            self._timed_seats_are_seen()

    def _timed_seats_are_seen(self) -> None:
        """A timed seat reads no stream: it has no backlog, and health need not miss the figure."""
        now = time.monotonic()
        for seat in self.membership.held & self._timed:
            self.progress.observe_backlog(_no_backlog(seat), now)

    def _beat(self) -> None:
        self._watchdog.beat()
        self.progress.beat(time.monotonic())

    def _tree(self) -> dict[str, Any]:
        return {
            "host": [msgspec.to_builtins(child) for child in self._supervisor.children()],
            "runners": [msgspec.to_builtins(child) for child in self.floor.supervisor.children()],
        }


def _no_backlog(seat: Seat) -> BacklogSample:
    return BacklogSample(
        group=seat.group, partition=seat.partition, undelivered=0, pending=0, oldest_seconds=0.0, parked=0,
        stream_entries=0, stream_bytes=0,
    )  # fmt: skip
