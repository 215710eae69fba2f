"""Where seats are served: a supervisor with one child per seat that this process holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from runtime.backoff import BackoffOptions
from runtime.entry import EntryReader
from runtime.errors import StoreMisused
from runtime.serving.attempts import WorkOptions
from runtime.serving.gate import Gate
from runtime.serving.runner import Runner, RunnerOptions
from runtime.serving.ticker import Ticker, TimedActor
from runtime.serving.waits import Waits
from runtime.store.link import StoreLink
from runtime.store.reader import ReadOptions
from runtime.supervision import ChildSpec, Fatal, IntensityOptions, Started, Strategy, Supervisor
from runtime.supervision.intensity import steady_level

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from runtime.actor import Actor
    from runtime.clock import Clock
    from runtime.cluster.lease import Seat
    from runtime.plan import ActorPlan, ClusterPlan
    from runtime.signals import Bus
    from runtime.store.opening import OpenStore


class ServingOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How seats are served."""

    read: ReadOptions = ReadOptions()
    runner: RunnerOptions = RunnerOptions()
    work: WorkOptions = WorkOptions()
    backoff: BackoffOptions = BackoffOptions(cap_seconds=5.0)
    """Waits of a runner after errors of the store and failures of a handler."""
    stop_seconds: float = 10.0
    """Seconds that a runner has to finish the settle at hand when it is to stop; then it is cancelled."""


class StoreRefuses(Fatal):
    """The store refuses for good what this process asks (rights, a foreign key): no restart in here helps."""


def fatal_when_refused(run: Callable[[Started], Awaitable[None]]) -> Callable[[Started], Awaitable[None]]:
    """A child whose `StoreMisused` ends the process instead of a chain of restarts."""

    async def guarded(started: Started) -> None:
        try:
            await run(started)
        except StoreMisused as problem:
            raise StoreRefuses(str(problem)) from problem

    return guarded


def seats_intensity(seats: int, backoff: BackoffOptions) -> IntensityOptions:
    """How many failures of runners are too many: more with more seats, never more than one of them can reach.

    An error that hits every seat at once must not look like many faults. 0.5: a single runner that fails at
    every start reaches half of its steady level within one half-life.
    """
    options = IntensityOptions()
    reachable = 0.5 * steady_level(options, backoff.cap_seconds / 2)
    return IntensityOptions(limit=max(1.0, min(options.limit + 2 * seats, reachable)))


class Floor:
    """Opens and closes seats. The supervisor restarts a runner that fails, with backoff."""

    def __init__(
        self,
        store: OpenStore,
        plan: ClusterPlan,
        process: str,
        *,
        options: ServingOptions,
        bus: Bus,
        clock: Clock,
        leased: Callable[[Seat], bool] = lambda seat: True,
        living: Callable[[], Collection[str]] = tuple,
    ) -> None:
        """Nothing is served yet. `leased`: is a seat still ours; `living`: the processes of the cluster."""
        self._leased = leased
        self._living = living
        self._store = store
        self._plan = plan
        self._process = process
        self._options = options
        self._bus = bus
        self._clock = clock
        self._gate = Gate()
        self._seats = plan.seats()
        self.supervisor = Supervisor(
            "runners",
            strategy=Strategy.ONE_FOR_ONE,
            intensity=seats_intensity(len(self._seats), options.backoff),
            backoff=options.backoff,
            emit=bus.emit,
        )

    def open(self, seat: Seat) -> None:
        """Start serving a seat."""
        self.supervisor.add(self._child(seat, self._seats[seat]))

    async def close(self, seat: Seat) -> None:
        """Stop serving a seat; returns when nothing of it runs any more."""
        await self.supervisor.remove(str(seat)).wait()

    def _child(self, seat: Seat, plan: ActorPlan) -> ChildSpec:
        """A child that builds its runner anew at every start: nothing survives a failure."""
        waits = Waits(plan.name, seat.group, seat.partition, self._bus, self._options.backoff)
        current: list[Runner | Ticker] = []

        async def run(started: Started) -> None:
            serving = self._ticker(seat, plan, waits) if plan.timed else self._runner(seat, plan, waits)
            current[:] = [serving]
            await serving.run(started)

        def stop() -> None:
            waits.stop()
            for serving in current:
                serving.stop()

        return ChildSpec(
            name=str(seat), run=fatal_when_refused(run), stop=stop, stop_timeout=self._options.stop_seconds
        )

    def _runner(self, seat: Seat, plan: ActorPlan, waits: Waits) -> Runner:
        log = self._plan.log(seat.log)
        store = self._store.acting_as(plan.name)
        actor: Actor = plan.build(seat.partition)  # type: ignore[assignment]  # the plan says which kind it is
        entries = EntryReader(log.spec.entity_field, log.codec, log.limits, sequenced=log.spec.sequenced)
        link = StoreLink(
            store.reading_connection(
                f"cs:{seat.group}:{seat.partition}:{self._process}", store.logs[seat.log].keys.log(seat.partition)
            ),
            store.commands,
            store.logs,
            seat.log,
            seat.group,
            seat.partition,
            self._process,
            entries,
            bus=self._bus,
            read=msgspec.structs.replace(self._options.read, block_ms=store.options.clients.block_ms),
            command_ttl_ms=store.options.command_ttl_ms,
            living=self._living,
            received=store.options.received(store.address),
        )
        return Runner(
            actor,
            seat.partition,
            link,
            waits,
            bus=self._bus,
            clock=self._clock,
            gate=self._gate,
            known=log.codec,
            work=self._options.work,
            options=self._options.runner,
            leased=lambda: self._leased(seat),
        )

    def _ticker(self, seat: Seat, plan: ActorPlan, waits: Waits) -> Ticker:
        actor: TimedActor = plan.build(seat.partition)  # type: ignore[assignment]  # the plan says which kind it is
        tick = self._options.runner.tick_seconds
        appender = self._store.acting_as(plan.name).appender
        return Ticker(actor, seat.partition, appender, waits, tick_seconds=tick)
