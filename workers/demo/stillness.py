"""Is the cluster at rest? No group has anything to do, and nothing was added while we looked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from runtime.store.position import look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.cluster.lease import Seat
    from runtime.store.opening import OpenStore


class GroupStanding(msgspec.Struct, frozen=True):
    """One group over all its partitions: entries not settled, pending among them, dead letters."""

    backlog: int
    pending: int
    parked: int


class Stillness:
    """Looks at every seat."""

    def __init__(self, store: OpenStore, seats: Sequence[Seat]) -> None:
        """`seats` that read streams."""
        self._store = store
        self._seats = seats
        self._added = -1

    async def standing(self) -> tuple[dict[str, GroupStanding], int]:
        """Every group as it stands now, and how many entries were ever added to all logs."""
        groups: dict[str, GroupStanding] = {}
        added: dict[tuple[str, int], int] = {}
        for seat in self._seats:
            seen = await look(self._store.commands, self._store.logs[seat.log].keys, seat.group, seat.partition)
            name = seat.group
            before = groups.get(name, GroupStanding(0, 0, 0))
            groups[name] = GroupStanding(
                before.backlog + seen.backlog, before.pending + max(seen.pending, 0), before.parked + seen.parked
            )
            added[seat.log, seat.partition] = seen.added
        return groups, sum(added.values())

    async def reached(self) -> bool:
        """True when two looks in a row found nothing to do and nothing added between them."""
        groups, added = await self.standing()
        quiet = all(group.backlog == 0 and group.pending == 0 for group in groups.values())
        same = added == self._added
        self._added = added if quiet else -1
        return quiet and same
