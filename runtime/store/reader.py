"""Blocking reads of one (group, partition) with prefetch, on a connection of its own.

At most one read is in flight. It is never cancelled: a cancelled read can swallow entries (redis-facts R4); CLIENT
UNBLOCK ends it instead. After any doubt the caller says `quiesce` and `resync`: what was prefetched is forgotten and
the group goes back to its position, over this same connection.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from runtime import failpoints
from runtime.errors import RuntimeFault, StoreUnavailable
from runtime.signals import Bus, StoreRoundTrip
from runtime.store import functions, position
from runtime.store.clients import beside
from runtime.store.trouble import STORE_ERRORS, translated

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from runtime.answers import Standing
    from runtime.entry import Entry, EntryReader
    from runtime.store.encoding import Log
    from runtime.store.received import Received

UNBLOCK_SECONDS = 1.0
"""Seconds that the server has for answering CLIENT UNBLOCK; one that hangs is cut off."""

UNBLOCK_PATIENCE = 0.05
"""Seconds until CLIENT UNBLOCK is sent again: it does nothing when it comes before the read blocks."""


class ReadOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a runner reads."""

    batch: int = 500
    """Entries of one read. Reason: a settle of 500 costs the server 0.5-0.9 ms (redis-facts L10)."""
    block_ms: int = 1000
    """Milliseconds that an empty read waits. Reason: it bounds the idle check; a longer one gains nothing."""


class Reader:
    """Reads one partition of one log for one group."""

    def __init__(
        self,
        client: Redis,
        commands: Redis,
        log: Log,
        group: str,
        partition: int,
        process: str,
        entries: EntryReader,
        *,
        options: ReadOptions | None = None,
        bus: Bus | None = None,
        received: Received | None = None,
    ) -> None:
        """`client` is this reader's own connection, `commands` the shared pool (for CLIENT UNBLOCK)."""
        self._received = received
        self._client = client
        self._send: functions.Send = client.execute_command
        self._commands = commands
        self._log = log
        self._group = group
        self._partition = partition
        self._process = process
        self._entries = entries
        self._options = options or ReadOptions()
        self._bus = bus
        self._connection_id: int | None = None
        self._flight: asyncio.Task[list[Entry]] | None = None
        self._resyncing: asyncio.Task[Standing] | None = None
        self._given_up = False
        self._stream = log.keys.log(partition)

    async def resync(self, *, start: bool = False) -> Standing:
        """Forget what is in flight and put the group back to its position. Raises `Halted` or a store fault."""
        await self.quiesce()
        name = f"resync {self._group}/{self._partition}"
        self._resyncing = asyncio.create_task(self._resync(start), name=name)
        try:
            return await self._resyncing
        except asyncio.CancelledError:
            if self._given_up and self._resyncing.cancelled():
                self._given_up = False
                raise StoreUnavailable("the store did not answer a resync before we were to stop") from None
            raise
        finally:
            self._resyncing = None

    async def _resync(self, start: bool) -> Standing:
        try:
            self._connection_id = int(await self._send("CLIENT", "ID"))
        except STORE_ERRORS as problem:
            await self.cut()
            raise translated(problem) from problem
        await failpoints.reach("resync.before")
        try:
            standing = await position.resync(
                self._client, self._log, self._group, self._partition, self._process,
                start=start, bus=self._bus, received=self._received,
            )  # fmt: skip
        except StoreUnavailable:
            await self.cut()  # demoted, moved or gone: the next connect finds out where the partition lives now
            raise
        await failpoints.reach("resync.replied")
        return standing

    def begin(self) -> None:
        """Have a read in flight, if there is none."""
        if self._flight is None:
            self._flight = asyncio.create_task(self._read(), name=f"read {self._group}/{self._partition}")

    async def take(self) -> list[Entry]:
        """The entries of the read in flight; empty when nothing came within `block_ms`. Raises store faults."""
        self.begin()
        assert self._flight is not None
        try:
            entries = await asyncio.shield(self._flight)
        except RuntimeFault:
            self._flight = None
            raise
        self._flight = None
        return entries

    async def quiesce(self) -> None:
        """End the read in flight and forget what it brings."""
        flight, self._flight = self._flight, None
        if flight is None:
            return
        await self._end(flight)
        with suppress(RuntimeFault):
            flight.result()

    async def interrupt(self) -> None:
        """End the read in flight early; what it brings is still there to take. A resync gets a little time."""
        if self._resyncing is not None:
            resyncing = self._resyncing
            await asyncio.wait({resyncing}, timeout=UNBLOCK_SECONDS)
            self._given_up = resyncing.cancel()  # harmless in the store: it is atomic, the next start repeats it
        if self._flight is not None:
            await self._end(self._flight)

    async def _end(self, flight: asyncio.Task[list[Entry]]) -> None:
        while not flight.done():
            await self._unblock()
            await asyncio.wait({flight}, timeout=UNBLOCK_PATIENCE)

    async def _unblock(self) -> None:
        """Ask the server to end our blocked read; when it cannot be asked, the connection is cut instead."""
        if self._connection_id is None:
            return
        try:
            async with asyncio.timeout(UNBLOCK_SECONDS):
                aside: functions.Send = beside(self._commands, self._client).execute_command
                await aside("CLIENT", "UNBLOCK", self._connection_id)
        except (*STORE_ERRORS, TimeoutError):
            await self.cut()

    async def cut(self) -> None:
        """Drop the connection: the next call makes a new one, to whoever is master then."""
        self._connection_id = None
        with suppress(*STORE_ERRORS):
            connection = self._client.connection
            if connection is not None:
                await connection.disconnect(nowait=True)

    async def close(self) -> None:
        """End the read in flight and close the connection. Nothing is acknowledged: the next owner reads it again."""
        flight, self._flight = self._flight, None
        try:
            if flight is not None:
                await self._end(flight)
        finally:
            if flight is not None and not flight.done():
                await self.cut()  # we are cancelled ourselves: the read fails at once instead of living on
            with suppress(*STORE_ERRORS):
                await self._client.aclose()
            if flight is not None:
                with suppress(RuntimeFault, asyncio.CancelledError):
                    await asyncio.shield(flight)

    async def _read(self) -> list[Entry]:
        started = time.perf_counter()
        options = self._options
        try:
            call = self._send(
                "XREADGROUP", "GROUP", self._group, self._process,
                "COUNT", options.batch, "BLOCK", options.block_ms, "STREAMS", self._stream, ">",
            )  # fmt: skip
            reply: Any = await failpoints.sent("read.sent", call)
        except STORE_ERRORS as problem:
            await self.cut()
            raise translated(problem) from problem
        if self._bus is not None:
            self._bus.emit(StoreRoundTrip(call="read", outcome="ok", seconds=time.perf_counter() - started))
        if not reply:
            return []
        await failpoints.reach("read.replied")
        rows = next(iter(reply.values()))
        read = self._entries.read
        return [read(row) for row in rows]
