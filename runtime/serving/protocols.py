"""What a runner needs of the store, so that serving never sees the client library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.answers import Look, ParkedEntry, SettleAnswer, Settlement, Standing
    from runtime.effects import Effect
    from runtime.entry import Entry


class Link(Protocol):
    """One (log, group, partition) of the store: read, settle, look."""

    async def resync(self, *, start: bool = False) -> Standing:
        """Forget what is prefetched and put the group back to its position."""
        ...

    def begin(self) -> None:
        """Have a read in flight."""
        ...

    async def take(self) -> list[Entry]:
        """The next batch; empty after a quiet while."""
        ...

    async def interrupt(self) -> None:
        """End the read in flight early."""
        ...

    async def close(self) -> None:
        """Close the reading connection."""
        ...

    async def settle(self, position: str, token: str, what: Settlement, *, after: str = "") -> SettleAnswer:
        """The second atomic step; `after` is the token of the last settle that we know of."""
        ...

    async def look(self) -> Look:
        """Where the group stands."""
        ...

    async def mark(self, position: str, last_id: str, count: int, *, alone: bool) -> bool:
        """Say durably which entries are handled now, in company or alone; False when fenced."""
        ...

    async def tidy(self) -> None:
        """Delete the consumers of processes that are no more."""
        ...

    async def halt(self, why: str) -> None:
        """Halt the partition until an operator resumes it."""
        ...

    async def clear_start(self) -> None:
        """Leave in good order: no death is to be counted."""
        ...

    def park(
        self, entry: Entry, entity: str, reason: str, attempts: int, since: str, *, held: bool, now: str
    ) -> Sequence[Effect]:
        """The effects that move one entry to the dead letters."""
        ...

    async def wanted_again(self) -> dict[str, list[ParkedEntry]]:
        """Parked entries, per entity and in order, that an operator asked to try again."""
        ...

    async def unretry(self, entity: str) -> None:
        """The request for another try is dealt with."""
        ...
