"""`claimstream demo`: a thousand claims run to their end by the real cluster, with live progress and a verdict."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.given import given_of
from workers.cli.looping import run_async

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from config.settings import Settings
    from runtime.embedded.server import EmbeddedServer
    from runtime.host import Host
    from runtime.host_options import HostOptions
    from runtime.signals import Bus
    from runtime.store.address import StoreAddress
    from workers.cli.given import Given
    from workers.demo.report import DemoReport
    from workers.demo.running import Watcher

DEMO_DIRECTORY = ".claimstream/demo"
"""Where a demo without --data-dir keeps its store while it runs; made anew each time."""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    ctx: typer.Context,
    claims: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many claims.")] = 1000,
    seed: Annotated[int, typer.Option(help="Everything invented follows from it.")] = 1,
    stay: Annotated[bool, typer.Option("--stay", help="Keep the cluster running until Ctrl-C.")] = False,
) -> None:
    """Run real claims to their end on an embedded store and check every guarantee.

    With --data-dir the data stay, and a demo that was interrupted goes on where it was.
    """
    given = given_of(ctx)
    try:
        report = run_async(_demo(given, claims, seed, stay=stay))
    except asyncio.CancelledError:
        raise typer.Exit(130) from None  # as after Ctrl-C; nothing is lost, with --data-dir it goes on later
    if not report.ok:
        raise typer.Exit(1)


async def _demo(given: Given, claims: int, seed: int, *, stay: bool) -> DemoReport:
    """Store, cluster, portfolio, verdict; everything is stopped again in the end."""
    from runtime.signals import Bus

    settings = _settings(given)
    bus = Bus()
    stop = _Stop()
    async with _stopped_by_signals(stop), _store(given, settings) as (address, server):
        return await _on_store(given, settings, address, server, bus, claims, seed, stop, stay=stay)


def _settings(given: Given) -> Settings:
    """The settings; without --data-dir and without another store a directory that is made anew."""
    import shutil
    from pathlib import Path

    settings = given.settings()
    if settings.store.mode == "external" or given.data_dir is not None:
        return settings
    from runtime.embedded.discovery import find_running

    base = Path(DEMO_DIRECTORY)
    if find_running(str(base / "store")) is None:
        shutil.rmtree(base, ignore_errors=True)
    return given.settings(embedded__data_dir=str(base / "store"), store__mode="embedded")


class _Stop:
    """Were we asked to stop? A cancellation that comes together with the end of a timeout can get lost in a library:
    then the next step of the demonstration sees this and ends it."""

    def __init__(self, watcher: Watcher | None = None) -> None:
        self.asked = False
        self.watcher = watcher

    def check(self) -> None:
        """End here when we were asked to."""
        if self.asked:
            raise asyncio.CancelledError

    def submitted(self, done: int, total: int) -> None:
        """So many first notices of loss are in the log."""
        self.check()
        if self.watcher is not None:
            self.watcher.submitted(done, total)

    def closed(self, done: int, total: int) -> None:
        """So many claims are closed."""
        self.check()
        if self.watcher is not None:
            self.watcher.closed(done, total)

    def verifying(self) -> None:
        """Everything is being checked."""
        self.check()
        if self.watcher is not None:
            self.watcher.verifying()


@contextlib.asynccontextmanager
async def _stopped_by_signals(stop: _Stop) -> AsyncIterator[None]:
    """Ctrl-C and SIGTERM end the demo by cancelling it, so that everything is stopped in order."""
    import signal

    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    stops = (signal.SIGINT, signal.SIGTERM)

    def ask() -> None:
        stop.asked = True
        task.cancel()

    for number in stops:
        loop.add_signal_handler(number, ask)
    try:
        yield
    finally:
        for number in stops:
            loop.remove_signal_handler(number)


@contextlib.asynccontextmanager
async def _store(given: Given, settings: Settings) -> AsyncIterator[tuple[StoreAddress, EmbeddedServer | None]]:
    """The store of the demo: the configured one, else an embedded one on a unix socket."""
    from runtime.embedded.server import running_server
    from runtime.store.address import StoreAddress
    from workers.cli.addressing import greet
    from workers.cli.run_store import examine_store

    if settings.store.mode == "external":
        address = settings.store.address()
        await greet(settings, address)
        await examine_store(settings, address)
        yield address, None
        return
    async with running_server(settings.embedded) as server:
        yield StoreAddress.parse(server.url), server


async def _on_store(
    given: Given,
    settings: Settings,
    address: StoreAddress,
    server: EmbeddedServer | None,
    bus: Bus,
    claims: int,
    seed: int,
    stop: _Stop,
    *,
    stay: bool,
) -> DemoReport:
    from runtime import collector
    from runtime.embedded.keeper import Keeper
    from runtime.host import Host
    from runtime.supervision import ChildSpec
    from workers.bootstrap import cluster_plan, open_application, process_card
    from workers.cli.demo_view import show, watcher_for
    from workers.cli.output import note
    from workers.demo.running import Demonstration
    from workers.timing import SimulatedTiming

    timing = SimulatedTiming()
    app = await open_application(settings, address, bus=bus, timing=timing, simulation=True)
    try:
        plan = cluster_plan(app, settings, simulation_seed=seed)
        keepers = []
        if server is not None:
            keeper = Keeper(server, lambda line: note(given, line))
            keepers.append(ChildSpec(name="store keeper", run=keeper.run, stop=keeper.stop))
        options = _host_options(settings)
        host = Host(app.store, plan, process_card(), options=options, bus=bus, clock=app.clock, keepers=keepers)
        collector.calm()
        async with _running(host):
            with watcher_for(given) as stop.watcher:
                verified = partial(_verified_elsewhere, settings, address)
                report = await Demonstration(app, plan, timing, stop, verified).run(claims, seed)
            stop.check()
            show(given, report)
            if stay:
                await _stay(given, settings, host.status_server.address)
        return report
    finally:
        await app.close()


async def _verified_elsewhere(settings: Settings, address: StoreAddress) -> dict[str, Any]:
    """`claimstream verify --json` in a process of its own: it has seen nothing of the run but what the store holds.

    The address travels in the environment, since it may carry a password.
    """
    import json
    import os
    import sys

    from workers.bootstrap import archive_directory
    from workers.cli.errors import EXIT_FAILED, Problem

    secret = address.password.reveal() if address.password is not None else ""
    environment = os.environ | {
        "REDIS_URL": address.url,
        "CLAIMSTREAM_PROFILE": settings.profile,
        "CLAIMSTREAM_LOG__PARTITIONS": str(settings.log.partitions),
    }
    archive = archive_directory(settings)
    if archive is not None:
        environment["CLAIMSTREAM_ARCHIVE__DIRECTORY"] = str(archive)
    if secret:
        environment |= {"REDIS_PASSWORD": secret}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "workers", "verify", "--json"),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode not in (0, EXIT_FAILED):
        raise Problem(f"the verification did not come to an end: {err.decode(errors='replace').strip()[-300:]}")
    found: dict[str, Any] = json.loads(out)
    return found


def _host_options(settings: Settings) -> HostOptions:
    """Those of the settings, but: simulated time does not wait a second for each look at the clock, and all actors
    share one process, so that each holds smaller batches (two of them, at some 5 kB an entry)."""
    from msgspec.structs import replace

    serving = settings.host.serving
    quick = replace(
        serving,
        runner=replace(serving.runner, tick_seconds=0.1),
        read=replace(serving.read, batch=min(serving.read.batch, 150)),
    )
    return replace(settings.host, watchdog=False, serving=quick)


@contextlib.asynccontextmanager
async def _running(host: Host) -> AsyncIterator[None]:
    """The cluster for the time of the block; its end, when it comes first, ends the block with the reason."""
    block = asyncio.current_task()
    assert block is not None
    cluster = asyncio.create_task(host.run(), name="cluster")
    cluster.add_done_callback(lambda ended: block.cancel() if not ended.cancelled() and ended.exception() else None)
    try:
        yield
    except asyncio.CancelledError:
        if cluster.done():
            block.uncancel()
            cluster.result()  # the reason, instead of our own cancellation
        raise
    finally:
        host.stop()
        await asyncio.wait({cluster})
        cluster.result()


async def _stay(given: Given, settings: Settings, page: str) -> None:
    """Leave everything running until Ctrl-C or SIGTERM."""
    from workers.cli.output import note

    note(given, f"the cluster stays: status page {page}; in another terminal:")
    note(given, f"  claimstream status --data-dir {settings.embedded.data_dir}")
    note(given, "Ctrl-C ends it")
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
