"""Looks at the store now and then: how far every seat of this process is behind. Feeds metrics and health."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from runtime.errors import Halted, StoreMisused, StoreUnavailable
from runtime.store.position import look
from runtime.telemetry.samples import BacklogSample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runtime.answers import Look
    from runtime.cluster.lease import Seat
    from runtime.store.opening import OpenStore


class Sampler:
    """A supervised service that samples the seats that `seats` names."""

    def __init__(
        self,
        store: OpenStore,
        seats: Callable[[], Iterable[Seat]],
        tell: Callable[[BacklogSample], None],
        reachable: Callable[[bool, str], None],
        *,
        every_seconds: float = 1.0,
    ) -> None:
        """`tell` gets each sample; `reachable` whether the store answered, and what it said."""
        self._store = store
        self._seats = seats
        self._tell = tell
        self._reachable = reachable
        self._every = every_seconds
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End soon; legal at any time."""
        self._stopping.set()

    async def run(self, started: Callable[[], None]) -> None:
        """Sample until told to stop."""
        started()
        try:
            await self._until_stopped()
        finally:
            self._stopping.clear()  # a later start begins anew

    async def _until_stopped(self) -> None:
        while not self._stopping.is_set():
            try:
                await self.sample()
                self._reachable(True, "")
            except StoreUnavailable as problem:
                self._reachable(False, str(problem))
            try:
                async with asyncio.timeout(self._every):
                    await self._stopping.wait()
            except TimeoutError:
                continue

    async def sample(self) -> None:
        """Look at every seat once."""
        sizes: dict[str, int] = {}
        for seat in sorted(self._seats()):
            keys = self._store.logs[seat.log].keys
            stream = keys.log(seat.partition)
            try:
                seen = await look(self._store.commands, keys, seat.group, seat.partition)
            except Halted:
                continue  # the runner itself says so, with the reason
            if stream not in sizes:
                sizes[stream] = await self._bytes_of(stream)
            self._tell(backlog_sample(seat, stream, seen, sizes[stream], time.time()))

    async def _bytes_of(self, stream: str) -> int:
        """What a stream weighs; 0 where that may not be asked (a user with least rights), or is not known."""
        try:
            return int(await self._store.reads.one("MEMORY USAGE", stream, "SAMPLES", 5) or 0)
        except StoreMisused:
            return 0


def backlog_sample(seat: Seat, stream: str, seen: Look, size: int, now: float) -> BacklogSample:
    """What one look says, as figures. `now` in seconds since 1970 by the host's clock."""
    oldest = max(0.0, now - int(seen.oldest.partition("-")[0]) / 1000) if seen.oldest else 0.0
    pending = max(seen.pending, 0)
    return BacklogSample(
        group=seat.group,
        partition=seat.partition,
        undelivered=max(seen.backlog - pending, 0),
        pending=pending,
        oldest_seconds=oldest,
        parked=seen.parked,
        stream_entries=seen.length,
        stream_bytes=size,
        stream=stream,
        position=seen.position,
        settled_entries=seen.settled,
    )
