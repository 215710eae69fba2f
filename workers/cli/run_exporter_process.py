"""The exporter's process: a connection that only looks, the sampler, the status page; until a signal."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from runtime.exporter import Exporter, watched_store
from runtime.stopping import run_until_stopped
from runtime.store.clients import open_commands
from runtime.supervision import Unstopped
from runtime.telemetry.service_manager import service_manager
from workers.bootstrap import groups_of, log_specs
from workers.cli.addressing import store_address
from workers.cli.run_command import RunOrder
from workers.cli.run_process import managed, started_line, told_to_logs
from workers.version import VERSION

if TYPE_CHECKING:
    from config.settings import Settings
    from runtime.host_options import HostOptions
    from runtime.signals import Bus
    from runtime.store.address import StoreAddress
    from runtime.telemetry.service_manager import ServiceManager
    from workers.cli.given import Given


async def run_exporter_process(given: Given, port: int | None) -> int:
    """Run until stopped; the exit code."""
    settings = given.settings()
    bus, undo = told_to_logs(RunOrder((), 1, port, None, None))
    witness = Unstopped()
    bus.subscribe(witness)
    try:
        process = _Process(given, settings, _place(settings), port, bus)
        report = await run_until_stopped(process, settings.stopping, emit=bus.emit, witness=witness)
    finally:
        undo()
    return report.exit_code


def _place(settings: Settings) -> StoreAddress:
    """Where the store is; as the user `monitor`, who may only look, where users have passwords in files."""
    external = settings.store.mode == "external"
    return settings.store.address("monitor") if external else store_address(settings)


class _Process:
    """What `run_until_stopped` runs. A stop that comes before the exporter is there is remembered."""

    def __init__(self, given: Given, settings: Settings, address: StoreAddress, port: int | None, bus: Bus) -> None:
        """Opens nothing yet."""
        self._given = given
        self._settings = settings
        self._address = address
        self._port = port
        self._bus = bus
        self._exporter: Exporter | None = None
        self._manager: ServiceManager | None = None
        self._stopped = False

    def stop(self) -> None:
        """End soon."""
        self._stopped = True
        if self._exporter is not None:
            self._exporter.stop()

    async def run(self) -> None:
        """Sample; a store that is away, now or later, is told by /readyz and asked again."""
        settings, clients = self._settings, self._settings.store.options.clients
        commands = open_commands(
            self._address,
            max_connections=2,
            pool_wait_seconds=clients.pool_wait_seconds,
            reply_seconds=clients.reply_seconds,
            connect_seconds=clients.connect_seconds,
            client_name="cs:exporter",
        )
        store = watched_store(commands, self._address, log_specs(settings), settings.store.options)
        self._manager = service_manager(lambda: exporter.status.health())
        try:
            self._exporter = exporter = Exporter(
                store,
                groups_of(settings),
                options=self._options(),
                bus=self._bus,
                version=VERSION,
                services=managed(self._manager),
            )
            if not self._stopped:
                await exporter.run(lambda: self._ready(exporter))
        finally:
            await store.close()

    def _options(self) -> HostOptions:
        options = self._settings.host
        if self._port is None:
            return options
        return msgspec.structs.replace(options, status=msgspec.structs.replace(options.status, port=self._port))

    def _ready(self, exporter: Exporter) -> None:
        if self._manager is not None:
            self._manager.ready()
        told = {"status": exporter.status_server.address, "store": self._address.url, "port": None, "data": None}
        started_line(self._given, {**told, "pid": os.getpid(), "processes": 1})
