"""Leases on (log, group, partition): which process serves a seat now. For liveness only.

A lease is trusted until the call that took it began, plus its time to live, minus a margin, on our own
monotonic clock. Nothing is unsafe when two processes hold the same seat for a while: the position lets one of
them win.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from runtime.store import functions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runtime.clock import Clock
    from runtime.store.keys import Keyspace


class Seat(msgspec.Struct, frozen=True, order=True):
    """One place to serve: a group on a partition of a log."""

    log: str
    group: str
    partition: int

    def __str__(self) -> str:
        """The name that rendezvous hashing and the logs use."""
        return f"{self.log}/{self.group}/{self.partition}"


class LeaseOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a silent process keeps its seats."""

    ttl_seconds: float = 5.0
    """Seconds after which a seat of a dead process is free. Takeover is this plus one beat."""
    beat_seconds: float = 1.0
    """Seconds between two renewals. Reason: three lost ones in a row do not cost the seat."""
    margin_seconds: float = 0.5
    """Seconds by which our own belief in a lease ends before the store's."""


class Leases:
    """Takes, renews and gives back leases of one process."""

    def __init__(
        self,
        client: functions.Client,
        process: str,
        keyspaces: Mapping[str, Keyspace],
        options: LeaseOptions,
        clock: Clock,
    ) -> None:
        """`keyspaces` by log name."""
        self._client = client
        self._process = process
        self._keyspaces = keyspaces
        self._options = options
        self._clock = clock
        self._trusted_until: dict[Seat, float] = {}

    def trusted(self, seat: Seat) -> bool:
        """May we still believe that this seat is ours?"""
        return self._clock.monotonic() < self._trusted_until.get(seat, 0.0)

    async def take(self, seats: Iterable[Seat]) -> dict[Seat, str]:
        """Take or renew seats; who holds each now. Raises store faults."""
        return await self._call(seats, "take")

    async def release(self, seats: Iterable[Seat]) -> None:
        """Give seats back."""
        await self._call(seats, "release")

    async def _call(self, seats: Iterable[Seat], what: str) -> dict[Seat, str]:
        """One call for all keys that share a tag, all calls at once: one partition that is away holds up no other.

        Its fault is raised when the others have been dealt with.
        """
        owners: dict[Seat, str] = {}
        calls = [self._one_call(group, what, owners) for group in self._by_tag(seats)]
        for problem in await asyncio.gather(*calls, return_exceptions=True):
            if problem is not None:
                raise problem
        return owners

    async def _one_call(self, group: Sequence[Seat], what: str, owners: dict[Seat, str]) -> None:
        began = self._clock.monotonic()
        keys = [self._keyspaces[seat.log].lease(seat.group, seat.partition) for seat in group]
        args = [self._process, str(int(self._options.ttl_seconds * 1000)), *(what for _ in group)]
        reply = await functions.call(self._client, functions.LEASE, keys, args)
        for seat, owner in zip(group, reply[1:], strict=True):
            owners[seat] = owner.decode()
            if what == "take" and owners[seat] == self._process:
                self._trusted_until[seat] = began + self._options.ttl_seconds - self._options.margin_seconds
            else:
                self._trusted_until.pop(seat, None)

    def _by_tag(self, seats: Iterable[Seat]) -> list[list[Seat]]:
        """Seats whose lease keys lie in one slot: those of one partition, of whatever log."""
        groups: dict[str, list[Seat]] = defaultdict(list)
        for seat in sorted(seats):
            groups[self._keyspaces[seat.log].name("", seat.partition)].append(seat)
        return list(groups.values())
