"""One claim as the log tells it: its entries in order, the claim as it stood at a time. Reads only.

Works on a bare connection, without the key vault: whatever is sealed stays sealed.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING

from domain.claim import fold
from domain.events import EVENTS, decode_body
from domain.privacy import is_sealed
from runtime.entry import EntryReader
from workers.adapters.records import StoredClaims
from workers.archivists import NO_ARCHIVES
from workers.claim_log import EventCodec, fact_of
from workers.whole_log import WholeLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.bodies.base import Body
    from domain.claim_record import Claim
    from runtime.entry import Entry
    from runtime.store.keys import Keyspace
    from runtime.store.reads import Reads
    from workers.archivists import Archives
    from workers.sql_archive import SqlArchive


class ClaimReader:
    """Reads claims and their histories, from the log and, what was trimmed from it, from the archive."""

    def __init__(self, reads: Reads, keyspace: Keyspace, archives: Archives = NO_ARCHIVES) -> None:
        """`keyspace` of the claim log."""
        self._archives = archives
        self._reads = reads
        self._keyspace = keyspace
        self._claims = StoredClaims(reads, keyspace)
        self._entries = EntryReader(keyspace.spec.entity_field, EventCodec(tuple(EVENTS), decode_body))

    async def claim(self, claim_id: str) -> Claim | None:
        """The snapshot: never staler than the log."""
        return (await self._claims.read([claim_id]))[0]

    async def entries(self, claim_id: str, *, after: int = 0) -> list[Entry]:
        """The entries of the claim with a sequence above `after`, in order. Raises `Trimmed`."""
        rows = await self._reads.one("LRANGE", self._keyspace.history(claim_id), after, -1)
        ids = [row.decode() for row in rows]
        partition = self._keyspace.partition_of(claim_id)
        found = await WholeLog(self._reads, self._keyspace, partition, self._archives).find(ids)
        return [self._entries.read(found[entry_id]) for entry_id in ids]

    async def told_to(self, archive: SqlArchive, told: Callable[[int], None]) -> int:
        """Let an archive in SQL take in what it does not have; how many facts. Raises `Trimmed`, `sqlite3.Error`."""
        return await archive.follow(self._reads, self._keyspace, self._archives, told)

    async def at(self, claim_id: str, moment: datetime) -> Claim | None:
        """The claim as it stood at a time: its facts in order up to the first that happened later.

        None: it did not exist yet. Raises `Trimmed`.
        """
        facts = map(fact_of, await self.entries(claim_id))
        return fold(takewhile(lambda fact: fact.at <= moment, facts))


def moment_of(text: str) -> datetime:
    """A day (its end, UTC) or an ISO 8601 time (UTC when it names no zone). Raises `ValueError`."""
    if len(text) == len("2025-01-20"):
        return datetime.combine(date.fromisoformat(text), time(), UTC) + timedelta(days=1, microseconds=-1)
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


_REASONS = ("reason", "explanation", "reason_codes", "codes", "finding", "scope", "outcome", "kind", "note", "purpose")
"""Fields of bodies that say why, the most telling one first."""


def reason_of(body: Body) -> str:
    """Why it happened, in the words of the fact; '' when it says nothing of the kind. Sealed stays sealed."""
    for name in _REASONS:
        value = getattr(body, name, "")
        if value:
            text = ", ".join(value) if isinstance(value, tuple) else str(value)
            return "(sealed)" if is_sealed(text) else text
    return ""
