"""What the sampler found out about one (group, partition): the figures that only the store can tell."""

from __future__ import annotations

import msgspec


class BacklogSample(msgspec.Struct, frozen=True):
    """Backlog of one group on one partition, computed and never read from `lag` alone.

    Counts are entries, sizes bytes, ages seconds. `stream_*` describe the partition's stream, which several
    groups share: `stream` names it so that it is exposed once. `position` is an entry id ("" when it is not
    known), `settled_entries` the number of entries that the store counts as settled (None: not known).
    """

    group: str
    partition: int
    undelivered: int
    pending: int
    oldest_seconds: float
    parked: int
    stream_entries: int
    stream_bytes: int
    stream: str = ""
    position: str = ""
    settled_entries: int | None = None

    @property
    def backlog(self) -> int:
        """Entries not settled yet: undelivered + pending."""
        return self.undelivered + self.pending
