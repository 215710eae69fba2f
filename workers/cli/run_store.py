"""The store under `run`: the one that is configured, or one that comes along and is kept running."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import msgspec

from runtime.embedded.errors import EmbeddedError
from runtime.embedded.server import EmbeddedServer
from runtime.store import functions
from runtime.store.checks import examine, require
from runtime.store.trouble import STORE_ERRORS, translated
from runtime.supervision import ChildSpec
from workers.cli.addressing import address_of, connected
from workers.cli.run_command import DEFAULT_REDIS_PORT
from workers.store_users import WORKER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from config.settings import Settings
    from runtime.store.address import StoreAddress

_log = logging.getLogger("claimstream.store")

_RETRY_SECONDS = 5.0
"""Between two tries to start a store that does not come up: a full disk is not emptied faster by asking."""


@dataclass(frozen=True)
class RunStore:
    """The store of a run: its address, and what keeps it alive when it is ours."""

    address: StoreAddress
    server: EmbeddedServer | None = None

    def keepers(self) -> list[ChildSpec]:
        """The children that the tree needs for it."""
        if self.server is None:
            return []
        return [ChildSpec(name="store keeper", run=_keeper(self.server))]

    def places(self) -> dict[str, str | int | None]:
        """Where it is and where its data are, for people."""
        if self.server is None:
            return {"store": self.address.url, "port": None, "data": None}
        store, options = self.server.store, self.server.options
        return {"store": store.url, "port": store.port, "data": options.data_dir}


@asynccontextmanager
async def run_store(settings: Settings, redis_port: int | None) -> AsyncIterator[RunStore]:
    """Start the embedded store, unless another is configured; it is stopped when the block ends."""
    if settings.store.mode == "external":
        yield RunStore(settings.store.address(WORKER))
        return
    port = redis_port or settings.embedded.port or DEFAULT_REDIS_PORT
    server = EmbeddedServer(msgspec.structs.replace(settings.embedded, port=port))
    running = await server.start()
    try:
        yield RunStore(address_of(running), server)
    finally:
        with anyio.CancelScope(shield=True):
            await server.stop()


async def examine_store(settings: Settings, address: StoreAddress) -> None:
    """Refuse a store that must not be used. Raises `Problem`, `StoreUnfit` and store faults."""
    async with connected(settings, address) as client:
        try:
            require(
                await examine(
                    client,
                    settings.expect,
                    functions=functions.ALL,
                    tagged_keys=address.cluster,
                    received=settings.store.options.received(address) if address.replicated else None,
                )
            )
        except STORE_ERRORS as problem:
            raise translated(problem) from problem


def _keeper(server: EmbeddedServer) -> Callable[[Callable[[], None]], Awaitable[None]]:
    """A child that starts the server again whenever it died. Runners wait meanwhile: the store is away."""

    async def keep(started: Callable[[], None]) -> None:
        started()
        while True:
            if server.running:
                code = await server.wait()
                _log.warning("the store died", extra={"fields": {"code": code}})
            try:
                store = await server.restart()
            except EmbeddedError as problem:
                _log.error("the store does not start: %s", problem)
                await anyio.sleep(_RETRY_SECONDS)
            else:
                _log.warning("the store runs again", extra={"fields": {"pid": store.server_pid}})

    return keep
