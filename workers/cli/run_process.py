"""One process of the cluster: store, checks, application, host; until a signal or its parent's end."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import msgspec

from runtime import collector
from runtime.host import Host
from runtime.signals import Bus
from runtime.stopping import run_until_stopped
from runtime.supervision import ChildSpec, Unstopped
from runtime.telemetry import logs
from runtime.telemetry.service_manager import service_manager
from workers.bootstrap import cluster_plan, open_application, process_card
from workers.cli.output import note, print_json
from workers.cli.run_store import RunStore, examine_store, run_store
from workers.routing import seals

if TYPE_CHECKING:
    from collections.abc import Callable

    from config.settings import Settings
    from runtime.fleet.link import ParentLink
    from runtime.host_options import HostOptions
    from runtime.telemetry.service_manager import ServiceManager
    from workers.cli.given import Given
    from workers.cli.run_command import RunOrder

STATUS_SOCKET = "CLAIMSTREAM_WORKER_STATUS_SOCKET"
"""Environment of a worker: the unix socket on which its parent asks for its status."""


async def run_process(given: Given, order: RunOrder, link: ParentLink | None) -> int:
    """Run until stopped; the exit code. Errors of the start and of the tree come out as they are."""
    settings = given.settings()
    bus, undo = told_to_logs(order)
    witness = Unstopped()
    bus.subscribe(witness)
    try:
        async with run_store(settings, order.redis_port) as store:
            process = _Process(given, order, settings, store, bus, link)
            report = await run_until_stopped(process, settings.stopping, emit=bus.emit, witness=witness)
    finally:
        undo()
    if link is None:
        note(given, f"claimstream: {report}")
    return report.exit_code


def told_to_logs(order: RunOrder) -> tuple[Bus, Callable[[], None]]:
    """A bus whose signals are written as log lines: JSON, or coloured lines on a terminal."""
    person = sys.stderr.isatty()
    undo = logs.configure(order.log_level or ("WARNING" if person else "INFO"), json=not person)
    bus = Bus()
    bus.subscribe(logs.LogSubscriber())
    return bus, undo


def started_line(given: Given, told: dict[str, Any]) -> None:
    """Say once where everything is: one JSON object, or lines for people."""
    if given.json:
        print_json(told)
        return
    port = f", port {told['port']}" if told["port"] else ""
    data = f"\ndata    {told['data']}" if told["data"] else ""
    note(given, f"status  {told['status']}\nstore   {told['store']}{port}{data}\nCtrl-C drains and stops")


def managed(manager: ServiceManager | None) -> list[ChildSpec]:
    """The child that reports to the service manager, where there is one."""
    return [] if manager is None else [ChildSpec(name="service manager", run=manager.run, stop=manager.stop)]


class _Process:
    """What `run_until_stopped` runs. A stop that comes before the host is there is remembered."""

    def __init__(
        self,
        given: Given,
        order: RunOrder,
        settings: Settings,
        store: RunStore,
        bus: Bus,
        link: ParentLink | None,
    ) -> None:
        """Opens nothing yet."""
        self._given = given
        self._order = order
        self._settings = settings
        self._store = store
        self._bus = bus
        self._link = link
        self._host: Host | None = None
        self._manager: ServiceManager | None = None
        self._stopped = False

    def stop(self) -> None:
        """Drain the host."""
        self._stopped = True
        if self._host is not None:
            self._host.stop()

    async def run(self) -> None:
        """Check the store, open the application, run the host."""
        await examine_store(self._settings, self._store.address)
        app = await open_application(
            self._settings, self._store.address, bus=self._bus, sealing=seals(self._order.actors)
        )
        if self._link is None:
            self._manager = service_manager(lambda: host.status.health())
        try:
            self._host = host = Host(
                app.store,
                cluster_plan(app, self._settings, serves=self._order.actors),
                process_card(self._order.actors),
                options=self._options(),
                bus=self._bus,
                clock=app.clock,
                keepers=self._store.keepers(),
                services=self._services(),
            )
            if not self._stopped:
                collector.calm()
                await host.run(self._ready)
        finally:
            await app.close()

    def _options(self) -> HostOptions:
        """The host's options, with the place of the status page that this process was told."""
        options = self._settings.host
        changes: dict[str, Any] = {}
        if self._link is not None and (socket := os.environ.get(STATUS_SOCKET)):
            changes["unix_socket"] = socket
        elif self._order.port is not None:
            changes["port"] = self._order.port
        return msgspec.structs.replace(options, status=msgspec.structs.replace(options.status, **changes))

    def _services(self) -> list[ChildSpec]:
        """A worker stops when its parent is gone; one without a parent tells the service manager how it is."""
        link = self._link
        if link is None:
            return managed(self._manager)

        async def watch(started: Callable[[], None]) -> None:
            started()
            await link.watch(self.stop)

        return [ChildSpec(name="parent watch", run=watch, restart="temporary")]

    def _ready(self) -> None:
        if self._link is not None:
            self._link.report_ready()
            return
        host = self._host
        if self._manager is not None:
            self._manager.ready()
        assert host is not None, "only the host says that it is ready"
        told = {
            "status": host.status_server.address,
            **self._store.places(),
            "pid": os.getpid(),
            "processes": 1,
        }
        started_line(self._given, told)
