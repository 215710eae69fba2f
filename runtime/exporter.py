"""A process that serves nothing and tells how far every group is behind: it outlives the workers.

Whoever scales workers from zero needs the backlog while there is no worker that could tell it (redis-facts B2). So
this one takes no lease, is on no list of processes and writes nothing; it needs a user who may only look.

    exporter (one_for_all)
    ├── loop lag   measures the event loop, feeds the watchdog
    ├── status     the HTTP endpoint: /metrics above all
    ├── sampler    looks at every seat of the plan
    └── refusals   counts what the store refused its users
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from runtime.cluster.lease import Seat
from runtime.sampler import Sampler
from runtime.store.encoding import Log
from runtime.store.keys import Keyspace
from runtime.store.opening import OpenStore
from runtime.store.refusals import Refusals
from runtime.supervision import ChildSpec, Strategy, Supervisor
from runtime.telemetry.loop_lag import LoopLag, LoopWatchdog
from runtime.telemetry.metrics import Metrics
from runtime.telemetry.progress import Progress
from runtime.telemetry.status_server import StatusServer
from runtime.telemetry.status_source import LocalStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from redis.asyncio import Redis

    from runtime.host_options import HostOptions
    from runtime.signals import Bus
    from runtime.store.address import StoreAddress
    from runtime.store.keys import LogSpec
    from runtime.store.opening import StoreOptions


class Exporter:
    """One such process; `run_until_stopped` runs it."""

    def __init__(
        self,
        store: OpenStore,
        groups: Mapping[str, Sequence[str]],
        *,
        options: HostOptions,
        bus: Bus,
        version: str,
        services: Sequence[ChildSpec] = (),
    ) -> None:
        """`store`: from `watched_store`; `groups`: those of each log, by its name."""
        self.metrics = Metrics(version=version)
        self.progress = Progress(options.progress)
        self.status = LocalStatus(
            self.progress, self.metrics, monotonic=time.monotonic, identity={"version": version, "serves": []}
        )
        self.status_server = StatusServer(self.status, options.status)
        self._options = options
        self._watchdog = LoopWatchdog(options=options.loop)
        seats = [
            Seat(name, group, partition)
            for name, log in store.logs.items()
            for group in groups.get(name, ())
            for partition in range(log.keys.spec.partitions)
        ]
        lag = LoopLag(self.metrics.observe_loop_lag, beat=self._beat, options=options.loop)
        sampler = Sampler(
            store, lambda: seats, self.status.observe_backlog, self._reachable, every_seconds=options.sample_seconds
        )
        refusals = Refusals(store.commands, self._refused, every_seconds=max(options.sample_seconds, 1.0))
        self._supervisor = Supervisor(
            "exporter",
            [
                ChildSpec(name="loop lag", run=lag.run, stop=lag.stop),
                ChildSpec(name="status", run=self.status_server.run, stop=self.status_server.stop),
                ChildSpec(name="sampler", run=sampler.run, stop=sampler.stop),
                ChildSpec(name="refusals", run=refusals.run, stop=refusals.stop),
                *services,
            ],
            strategy=Strategy.ONE_FOR_ALL,
            emit=bus.emit,
        )

    def stop(self) -> None:
        """End soon; legal at any time, also twice."""
        self.progress.draining()
        self._supervisor.stop()

    async def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Sample until stopped."""

        def ready() -> None:
            self.progress.started()
            started()

        if self._options.watchdog:
            self._watchdog.start()
        try:
            await self._supervisor.run(ready)
        finally:
            self._watchdog.stop()

    def _beat(self) -> None:
        self._watchdog.beat()
        self.progress.beat(time.monotonic())

    def _reachable(self, answered: bool, detail: str) -> None:
        self.progress.store_reachable(answered, detail)
        self.metrics.set("claimstream_store_reachable", int(answered))

    def _refused(self, counts: Mapping[str, int]) -> None:
        for reason, count in counts.items():
            self.metrics.set("claimstream_store_refusals", count, reason)


def watched_store(commands: Redis, address: StoreAddress, specs: Sequence[LogSpec], options: StoreOptions) -> OpenStore:
    """A store as the sampler needs it, over a connection that is there: no log is made and no function is loaded."""
    logs = {spec.name: Log(keys=Keyspace(spec), incarnations=()) for spec in specs}
    return OpenStore(address, commands, logs, options, None)
