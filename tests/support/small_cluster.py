"""The real application with a few real claims on a store of the tests: run to its end, dumped, put back.

async with small_cluster(address, directory) as cluster:
    await cluster.submit(12)
    await cluster.at_rest()
    assert (await cluster.verified()).ok
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from config.loading import load
from domain.context import Context
from domain.deciding import decide
from domain.outcome import Accepted
from runtime.clock import SystemClock
from runtime.host import Host
from runtime.signals import Bus
from runtime.store.append import Appended
from runtime.store.clients import open_commands
from runtime.testing.signal_log import SignalLog
from tests.support.hosts import QUICK, card
from tests.support.store import command
from tests.support.waiting import PATIENCE, until
from workers.adapters.auto_portfolio import portfolio
from workers.archivists import NO_ARCHIVES
from workers.bootstrap import cluster_plan, open_application
from workers.claim_log import Cause
from workers.demo.passing_time import over
from workers.demo.stillness import Stillness
from workers.importing import Importer, batches
from workers.timing import SimulatedTiming
from workers.verifying import verify

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from redis.asyncio import Redis

    from config.settings import Settings
    from domain.bodies.base import Actor
    from domain.commands import Command
    from runtime.host_options import HostOptions
    from runtime.plan import ClusterPlan
    from runtime.store.address import StoreAddress
    from workers.application import Application
    from workers.archivists import Archives
    from workers.verifying import Report


def small_settings(directory: Path, partitions: int = 1, more: Mapping[str, object] | None = None) -> Settings:
    """Settings of the tests with everything on disk below `directory`, and `more` on top."""
    overrides = {"embedded.data_dir": str(directory / "store"), "log.partitions": partitions} | dict(more or {})
    return load("test", environment={}, overrides=overrides)


@asynccontextmanager
async def small_application(
    address: StoreAddress,
    directory: Path,
    *,
    partitions: int = 1,
    bus: Bus | None = None,
    simulation: bool = True,
    more: Mapping[str, object] | None = None,
) -> AsyncIterator[Application]:
    """The application alone: store, vault, readers and writers, simulated time."""
    app = await open_application(
        small_settings(directory, partitions, more),
        address,
        bus=bus,
        timing=SimulatedTiming(),
        simulation=simulation,
    )
    try:
        yield app
    finally:
        await app.close()


class SmallCluster:
    """An application whose actors run in this process."""

    def __init__(self, app: Application, plan: ClusterPlan, task: asyncio.Task[None], signals: SignalLog) -> None:
        """Made by `small_cluster`."""
        self.app = app
        self.signals = signals
        self._task = task
        self._stillness = Stillness(app.store, sorted(seat for seat, actor in plan.seats().items() if not actor.timed))

    async def submit(self, claims: int, seed: int = 1) -> list[str]:
        """Policies, customers and first notices of so many claims; their ids."""
        ids: list[str] = []
        for rows in batches(portfolio(claims, seed=seed)):
            ids += (await Importer(self.app).portfolio(rows)).claim_ids
        return ids

    async def command(self, claim_id: str, what: Command, actor: Actor) -> None:
        """Decide something on a claim; it has to be accepted."""
        (claim,) = await self.app.claims.read([claim_id])
        assert claim is not None
        policies = await self.app.policies.find([claim.notice.policy_number])
        context = Context(now=claim.updated_at, actor=actor, policy=policies.get(claim.notice.policy_number), lookups=2)
        outcome = decide(claim, what, context)
        assert isinstance(outcome, Accepted), str(outcome)
        cause = f"{claim_id}-{claim.version}-{type(what).__name__}"
        unit, _ = self.app.claim_log.append(claim, outcome, Cause(cause, cause, cause))
        answer = await self.app.store.appender.append(unit)
        assert isinstance(answer, Appended), str(answer)

    async def at_rest(self, within: float = PATIENCE) -> None:
        """Wait until no group has anything to do."""

        async def resting() -> bool:
            if self._task.done():
                self._task.result()
            return await self._stillness.reached()

        await until(resting, within=within, what="every group at rest")

    async def verified(self, archives: Archives = NO_ARCHIVES) -> Report:
        """What `verify` says of the cluster at rest; asked again when a clock rang while it looked.

        A test asks here and not `verify` itself: a group that has an entry yet to settle is a difference too.
        """
        while True:
            await self.at_rest()
            report = await verify(self.app, archives=archives)
            if not report.moving:
                return report

    async def to_the_end(self) -> None:
        """Let time pass until no clock of any claim is left to ring."""
        timing = self.app.timing
        assert isinstance(timing, SimulatedTiming)

        async def ended() -> bool:
            if self._task.done():
                self._task.result()
            return await over(self._stillness, self.app, timing)

        await until(ended, within=240.0, what="every clock has rung")


@asynccontextmanager
async def small_cluster(
    address: StoreAddress,
    directory: Path,
    *,
    partitions: int = 1,
    simulation: bool = True,
    options: HostOptions = QUICK,
    more: Mapping[str, object] | None = None,
) -> AsyncIterator[SmallCluster]:
    """Every actor at work in this process; `simulation` adds those that play adjusters and bank."""
    bus, signals, up = Bus(), SignalLog(), asyncio.Event()
    bus.subscribe(signals)
    async with small_application(
        address, directory, partitions=partitions, bus=bus, simulation=simulation, more=more
    ) as app:
        seed = 1 if simulation else None
        plan = cluster_plan(app, small_settings(directory, partitions, more), simulation_seed=seed)
        host = Host(app.store, plan, card(), options=options, bus=bus, clock=SystemClock())
        task = asyncio.create_task(host.run(up.set), name="cluster under test")
        threads = ThreadPoolExecutor(2, "small-cluster")  # ours, so that they end with the cluster
        asyncio.get_running_loop().set_default_executor(threads)
        try:
            await until(lambda: up.is_set() or task.done(), what="the cluster is up")
            yield SmallCluster(app, plan, task, signals)
        finally:
            threads.shutdown()
            host.stop()
            await asyncio.wait({task}, timeout=PATIENCE)
            assert task.done(), f"the cluster did not stop within {PATIENCE:g} s"
            task.result()


def wrong(report: Report) -> dict[str, list[str]]:
    """The first differences of each invariant that has any."""
    return {name: found.first for name, found in report.invariants.items() if found.violations}


class Dump(NamedTuple):
    """A whole store, to be put back: value and milliseconds to live of each key (0: for ever)."""

    keys: dict[bytes, tuple[bytes, int]]

    async def restore(self, client: Redis) -> None:
        """Put it into an empty store."""
        pipeline = client.pipeline(transaction=False)
        for name, (value, ttl) in self.keys.items():
            pipeline.restore(name, ttl, value)
        await pipeline.execute()


async def dump_of(client: Redis) -> Dump:
    """Everything in the store."""
    names = [name async for name in client.scan_iter(count=1000)]
    found: dict[bytes, tuple[bytes, int]] = {}
    for name in names:
        ttl = max(int(await command(client, "PTTL", name)), 0)
        value = await command(client, "DUMP", name)
        if value is not None:
            found[name] = (value, ttl)
    return Dump(found)


SMALL = 8
"""Claims of a small store."""


class SmallStore(NamedTuple):
    """A store at rest, kept aside. `ended`: every claim was run to its end; else nobody has decided on any."""

    dump: Dump
    directory: Path
    ended: bool


async def small_store(address: StoreAddress, directory: Path, *, ended: bool) -> SmallStore:
    """Run a few claims with every actor, and keep what the store holds then."""
    client = open_commands(address, max_connections=4)
    try:
        await command(client, "FLUSHALL")
        async with small_cluster(address, directory, simulation=ended) as cluster:
            await cluster.submit(SMALL)
            await (cluster.to_the_end() if ended else cluster.at_rest())
        return SmallStore(await dump_of(client), directory, ended)
    finally:
        await client.aclose()
