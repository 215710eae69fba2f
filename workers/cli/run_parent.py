"""The parent of several worker processes: it owns the store that comes along, and one status page for all."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import msgspec

from runtime.fleet import run_fleet
from runtime.stopping import StopRequested
from runtime.supervision import ChildSpec, Strategy, Supervisor
from runtime.supervision.signals import ChildStarted
from runtime.telemetry.fleet_view import FleetView
from runtime.telemetry.service_manager import service_manager
from runtime.telemetry.status_server import StatusServer
from workers.bootstrap import archive_directory, open_application
from workers.cli.run_process import STATUS_SOCKET, managed, started_line, told_to_logs
from workers.cli.run_store import RunStore, examine_store, run_store
from workers.cli.worker_sockets import remove, socket_folder, socket_name, sweep
from workers.routing import seals

if TYPE_CHECKING:
    from collections.abc import Callable

    from config.settings import Settings
    from runtime.signals import Bus, Signal
    from runtime.telemetry.status_server import StatusServerOptions
    from workers.cli.given import Given
    from workers.cli.run_command import RunOrder


async def run_parent(given: Given, order: RunOrder) -> int:
    """Run the fleet until it ends; the exit code."""
    settings = given.settings()
    bus, undo = told_to_logs(order)
    try:
        async with run_store(settings, order.redis_port) as store:
            await _rehearse(order, settings, store)
            return await _run(given, order, settings, store, bus)
    finally:
        undo()


async def _rehearse(order: RunOrder, settings: Settings, store: RunStore) -> None:
    """Meet here, once, whatever would make every worker refuse to start."""
    await examine_store(settings, store.address)
    app = await open_application(settings, store.address, sealing=seals(order.actors))
    await app.close()


async def _run(given: Given, order: RunOrder, settings: Settings, store: RunStore, bus: Bus) -> int:
    folder = socket_folder()
    sweep(folder)
    sockets = {str(n): str(folder / socket_name(os.getpid(), n)) for n in range(order.processes)}
    view = FleetView(lambda: sockets, monotonic=time.monotonic)
    status = StatusServer(view, _status(order, settings))
    manager = service_manager(view.health)
    beside = Supervisor(
        "parent",
        [ChildSpec(name="status", run=status.run, stop=status.stop), *store.keepers(), *managed(manager)],
        strategy=Strategy.REST_FOR_ONE,
        emit=bus.emit,
    )

    def all_ready() -> None:
        if manager is not None:
            manager.ready()
        places = {"status": status.address, **store.places()}
        started_line(given, {**places, "pid": os.getpid(), "processes": order.processes})

    def told(signal: Signal) -> None:
        if manager is not None and isinstance(signal, StopRequested):
            manager.stopping()

    subscriptions = [bus.subscribe(_when_all_ready(order.processes, all_ready)), bus.subscribe(told)]
    try:
        async with anyio.create_task_group() as tasks:
            up = anyio.Event()
            tasks.start_soon(beside.run, up.set)
            await up.wait()
            environment = _environment(given, settings, store)
            code = await run_fleet(
                _command(order),
                order.processes,
                settings.fleet,
                emit=bus.emit,
                environment=lambda index: {**environment, STATUS_SOCKET: sockets[str(index)]},
            )
            beside.stop()
    finally:
        for unsubscribe in subscriptions:
            unsubscribe()
        remove(sockets.values())
    return code


def _status(order: RunOrder, settings: Settings) -> StatusServerOptions:
    options = settings.host.status
    return options if order.port is None else msgspec.structs.replace(options, port=order.port)


def _command(order: RunOrder) -> list[str]:
    """The command line of a worker. What may be secret goes through its environment."""
    level = ["--log-level", order.log_level] if order.log_level else []
    return [sys.executable, "-m", "workers", "run", *order.actors, *level]


def _environment(given: Given, settings: Settings, store: RunStore) -> dict[str, str]:
    """What a worker must know beyond what it inherits: the same store, profile and data directory."""
    data_dir = str(Path(settings.embedded.data_dir).expanduser().absolute())
    told = {"CLAIMSTREAM_PROFILE": settings.profile, "CLAIMSTREAM_EMBEDDED__DATA_DIR": data_dir}
    if store.server is not None:
        told["REDIS_URL"] = store.server.url
        # A worker sees a store with an address, and would think that there is no place for an archive beside it.
        if (archive := archive_directory(settings)) is not None:
            told["CLAIMSTREAM_ARCHIVE__DIRECTORY"] = str(archive.absolute())
    elif given.redis_url is not None:
        told["REDIS_URL"] = given.redis_url
    return told


def _when_all_ready(processes: int, tell: Callable[[], None]) -> Callable[[Signal], None]:
    """Calls `tell` once, when every worker has reported that it can work."""
    waited_for = {f"worker-{n}" for n in range(processes)}

    def hear(signal: Signal) -> None:
        if isinstance(signal, ChildStarted) and signal.child == "process" and signal.supervisor in waited_for:
            waited_for.remove(signal.supervisor)
            if not waited_for:
                tell()

    return hear
