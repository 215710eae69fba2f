"""Where the master is now: asked from the Sentinels at every connect, so that no connection outlives a failover.

A master that was demoted goes on answering reads: READONLY, a role that is not master, or a lost connection lead to
a new connect, and every connect asks again (redis-facts C1, C2).
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from redis.asyncio import Redis
from redis.asyncio.connection import Connection, SSLConnection
from redis.asyncio.sentinel import MasterNotFoundError
from redis.exceptions import ReadOnlyError, ResponseError

from runtime.store.asking import ask_once, most_of, named
from runtime.store.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runtime.store.address import Place

    Resolve = Callable[[], Awaitable[Place]]

FRESH_SECONDS = 0.05
"""A word that is this young is taken again: a pool that opens sixteen connections at once asks once."""


class Sentinels:
    """Asks where the master of a service is. Opens a connection for each question: questions are rare."""

    def __init__(self, service: str, open_sentinel: Callable[[Place], Redis], places: tuple[Place, ...]) -> None:
        """Nothing is asked yet."""
        self._service = service
        self._open = open_sentinel
        self._places = places
        self._lock = asyncio.Lock()
        self._known: tuple[float, Place] | None = None

    async def master(self, seconds: float) -> Place:
        """The master by the newest configuration that Sentinels tell. Raises `MasterNotFoundError`."""
        async with self._lock:
            if self._known is not None and time.monotonic() - self._known[0] < FRESH_SECONDS:
                return self._known[1]
            place = await self._ask(seconds)
            self._known = (time.monotonic(), place)
            return place

    async def _ask(self, seconds: float) -> Place:
        answers, failures = await most_of([self._one(place) for place in self._places], seconds)
        if not answers:
            why = next((str(one) for one in failures if isinstance(one, ResponseError)), "") or (
                f"{len(failures)} of {len(self._places)} Sentinels cannot be asked"
                + (f", the first: {failures[0]}" if failures else "")
            )
            raise MasterNotFoundError(f"no Sentinel tells where the master of {self._service!r} is ({why})")
        newest = max(answers, key=lambda told: int(told.get("config-epoch", "0")))
        return newest["ip"], int(newest["port"])

    async def _one(self, place: Place) -> dict[str, str]:
        (reply,) = await ask_once(self._open(place), ("SENTINEL", "MASTER", self._service))
        return named(reply)


class ResolvedConnection(Wire, Connection):
    """A TCP connection that asks for its place whenever it connects."""

    def __init__(self, *, resolve: Resolve, **values: Any) -> None:
        """`resolve` gives host and port, or raises a fault of the store."""
        self._resolve = resolve
        super().__init__(**values)

    async def _connect(self) -> None:
        self.host, self.port = await self._resolve()
        await super()._connect()  # type: ignore[no-untyped-call]


class ResolvedTlsConnection(Wire, SSLConnection):
    """The same over TLS; the name of the certificate is checked against the place that was told."""

    def __init__(self, *, resolve: Resolve, **values: Any) -> None:
        """`resolve` gives host and port, or raises a fault of the store."""
        self._resolve = resolve
        super().__init__(**values)

    async def _connect(self) -> None:
        self.host, self.port = await self._resolve()
        await super()._connect()  # type: ignore[no-untyped-call]


class MasterClient(Redis):
    """A client of whoever is master. After READONLY its idle connections are dropped: all of them lead there."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send one command to the master."""
        try:
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except ReadOnlyError:
            await drop_connections(self)
            raise


async def drop_connections(client: Redis) -> None:
    """Let go of every idle connection now, and of every busy one when its call is over."""
    pool = client.connection_pool
    await pool.update_active_connections_for_reconnect()  # type: ignore[no-untyped-call]
    await pool.disconnect(inuse_connections=False)
