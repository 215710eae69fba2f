"""Trims a log below min(all positions), the archive's among them, in slices; and ends groups that nobody serves.

The store's function decides, in one atomic step per slice: a position that was read a moment ago proves nothing. It
keeps the entry at each position, which settle looks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from runtime import failpoints
from runtime.errors import Halted, RuntimeFault
from runtime.store import functions

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.store.keys import Keyspace
    from runtime.store.reads import Reads

SLICE = 10_000
"""Entries of one slice: some 1.2 ms of a blocked server (redis-facts S19: 35 ms for 300,000)."""

_GROUP = b"group:"


class NotArchived(RuntimeFault):
    """The log has no archive: what is removed from it is gone for good."""


class Refused(RuntimeFault):
    """What an operator asked for cannot be done now."""


class Limit(msgspec.Struct, frozen=True):
    """Up to where entries may be removed (not that one itself), and the group that stands in the way of more.

    `slowest` is the group that stands farthest back, `position` where; '' when the log has no group.
    """

    upto: str
    slowest: str
    position: str

    def held_back(self, wanted: str) -> bool:
        """Does a group stand in the way of what was wanted?"""
        return self.upto != wanted


class Trimmed(msgspec.Struct, frozen=True):
    """What was removed from one partition."""

    limit: Limit
    removed: int


class Retention:
    """Retention of one partition of one log."""

    def __init__(
        self, client: functions.Client, reads: Reads, keys: Keyspace, partition: int, archivists: str = ""
    ) -> None:
        """`archivists`: the group without which nothing is removed; '' removes without an archive."""
        self._client = client
        self._reads = reads
        self._keys = keys
        self._partition = partition
        self._archivists = archivists

    async def limit(self, before: str) -> Limit:
        """How far a trim below the id `before` would get. Raises `NotArchived`, `Halted`."""
        limit, _, _ = await self._ask(before, 0, "", "")
        return limit

    async def trim(
        self, before: str, *, who: str, why: str, progress: Callable[[int], None] = lambda removed: None
    ) -> Trimmed:
        """Remove what lies below `before` and below every position. `progress` gets the entries removed so far."""
        removed, done, reason = 0, False, why
        while not done:
            await failpoints.reach("trim.before")
            limit, gone, done = await self._ask(before, SLICE, who, reason)
            removed, reason = removed + gone, ""
            progress(removed)
        return Trimmed(limit, removed)

    async def retire(self, group: str, *, who: str, why: str) -> str:
        """End a group in this partition; where it stood. Raises `Refused`."""
        keys, partition = self._keys, self._partition
        names = [
            keys.log(partition),
            keys.state(partition),
            keys.position(group, partition),
            keys.parked(group, partition),
            keys.held(group, partition),
            keys.retries(group, partition),
            keys.operations(partition),
            keys.lease(group, partition),
        ]
        reply = await functions.call(self._client, functions.RETIRE, names, [group, who, why])
        answer = reply[0]
        where = f"group {group} of {keys.log(partition)}"
        if answer == b"SERVED":
            raise Refused(
                f"{where} is served by process {reply[1].decode()}: stop serving it first (run without its actor)"
            )
        if answer == b"PARKED":
            raise Refused(f"{where} has {int(reply[1]):,} parked entries: retry or drop them first")
        if answer == b"UNKNOWN":
            raise Refused(f"there is no group {group!r} on {keys.log(partition)}")
        return str(reply[1].decode())

    async def _ask(self, before: str, most: int, who: str, why: str) -> tuple[Limit, int, bool]:
        keys, partition = self._keys, self._partition
        for _ in range(10):
            incarnation, groups = await self._state()
            names = [keys.log(partition), keys.state(partition), keys.operations(partition)]
            names += [keys.position(group, partition) for group in groups]
            args = [incarnation, before, str(most), self._archivists, who, why, *groups]
            reply = await functions.call(self._client, functions.TRIM, names, args)
            if reply[0] != b"CHANGED":
                break
        if reply[0] == b"UNARCHIVED":
            raise NotArchived(f"{keys.log(partition)} is not archived: what is trimmed would be gone for good")
        if reply[0] != b"OK":
            raise Halted(f"{keys.log(partition)}: {reply[0].decode()}: {reply[1].decode()}")
        texts = [part.decode() for part in reply[1:]]
        return Limit(texts[0], texts[1], texts[2]), int(texts[3]), texts[4] == "1"

    async def _state(self) -> tuple[str, list[str]]:
        fields = await self._reads.one("HGETALL", self._keys.state(self._partition))
        groups = sorted(field.removeprefix(_GROUP).decode() for field in fields if field.startswith(_GROUP))
        return fields.get(b"incarnation", b"").decode(), groups
