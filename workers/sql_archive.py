"""The claim log in SQL: a SQLite file that follows the log, for people who ask in SELECTs.

Facts and place are written in one transaction a page, so a fact stands in it once, however often it is followed. What
is personal stays sealed, as in the log. The file can be thrown away: the next question builds it again.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

from domain.claim import ImpossibleFact, decode_claim, encode_claim, evolve
from domain.events import EVENTS, decode_body
from domain.snapshot import status_word
from runtime.entry import EntryReader
from workers.claim_log import EventCodec, wire_time
from workers.verifying.places import read_page
from workers.whole_log import WholeLog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from domain.claim_record import Claim
    from domain.events import Fact
    from runtime.entry import Entry, RawEntry
    from runtime.store.keys import Keyspace
    from runtime.store.reads import Reads
    from workers.archivists import Archives

SCHEMA = "claims_service"
"""The name under which queries see the tables: that of the service that owned them."""

TABLES = """
CREATE TABLE IF NOT EXISTS place (partition INTEGER PRIMARY KEY, incarnation TEXT NOT NULL, last TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events (
  event_id TEXT PRIMARY KEY, entry_id TEXT NOT NULL, partition INTEGER NOT NULL, claim_id TEXT NOT NULL,
  sequence INTEGER NOT NULL, type TEXT NOT NULL, at TEXT NOT NULL, actor TEXT NOT NULL, causation_id TEXT NOT NULL,
  correlation_id TEXT NOT NULL, data TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS events_of_a_claim ON events (claim_id, sequence);
CREATE TABLE IF NOT EXISTS claims (
  claim_id TEXT PRIMARY KEY, version INTEGER NOT NULL, state TEXT NOT NULL, status TEXT NOT NULL, outcome TEXT NOT NULL,
  policy_number TEXT NOT NULL, claimant_id TEXT NOT NULL, line TEXT NOT NULL, jurisdiction TEXT NOT NULL,
  loss_date TEXT NOT NULL, submitted_at TEXT NOT NULL, owner TEXT NOT NULL, currency TEXT NOT NULL,
  claimed_minor INTEGER NOT NULL, approved_minor INTEGER NOT NULL, paid_minor INTEGER NOT NULL,
  reserve_minor INTEGER NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
"""

READS_ONLY = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE})
"""What a question may do. Nothing else: no ATTACH, no PRAGMA, no write."""

STEPS_BETWEEN_LOOKS = 10_000
"""Instructions of SQLite between two looks at the time: some milliseconds."""


class Rows(NamedTuple):
    """An answer: names, rows, and whether there were more."""

    columns: list[str]
    rows: list[list[Any]]
    more: bool


class Refused(Exception):
    """The question cannot be answered: no SELECT, a mistake in it, or it takes too long. Says which."""


class SqlArchive:
    """One file."""

    def __init__(self, path: Path) -> None:
        """Nothing is opened."""
        self._path = path

    async def follow(
        self, reads: Reads, keys: Keyspace, archives: Archives, told: Callable[[int], None] = lambda _: None
    ) -> int:
        """Take in what the log has more, trimmed entries from the archive; how many facts. `told` hears the count.

        Raises `Trimmed`, store faults, `sqlite3.Error`.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        taken = 0
        with closing(sqlite3.connect(self._path, isolation_level=None)) as file:
            self._path.chmod(0o600)
            file.executescript(TABLES)
            reader = EntryReader(keys.spec.entity_field, EventCodec(tuple(EVENTS), decode_body))
            for partition in range(keys.spec.partitions):
                raw = await reads.one("HGET", keys.state(partition), "incarnation")
                incarnation = raw.decode() if raw else ""
                last = _place(file, partition, incarnation)
                async for rows in WholeLog(reads, keys, partition, archives).pages(last):
                    taken += _take(file, reader, rows, partition, incarnation)
                    told(taken)
        return taken

    def ask(self, query: str, *, limit: int, seconds: float) -> Rows:
        """The answer to one SELECT over `claims_service.claims` and `claims_service.events`. Raises `Refused`."""
        deadline = time.monotonic() + seconds
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as file:
            file.execute(f"ATTACH DATABASE ? AS {SCHEMA}", (f"{self._path}",))
            file.execute("PRAGMA query_only = ON")
            file.set_progress_handler(lambda: time.monotonic() > deadline, STEPS_BETWEEN_LOOKS)
            file.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in READS_ONLY else sqlite3.SQLITE_DENY)
            try:
                found = file.execute(query)
                rows = [list(row) for row in found.fetchmany(limit + 1)]
            except sqlite3.OperationalError as problem:
                late = "interrupted" in str(problem)
                raise Refused(f"it takes longer than {seconds:g} s" if late else str(problem)) from problem
            except (sqlite3.Error, sqlite3.Warning) as problem:
                denied = "not authorized" in str(problem)
                raise Refused("only SELECT is answered here" if denied else str(problem)) from problem
            if found.description is None:
                raise Refused("only SELECT is answered here")
            return Rows([column[0] for column in found.description], rows[:limit], len(rows) > limit)


def _place(file: sqlite3.Connection, partition: int, incarnation: str) -> str:
    """The last entry taken in. Of another log everything is forgotten first."""
    row = file.execute("SELECT incarnation, last FROM place WHERE partition = ?", (partition,)).fetchone()
    if row is None:
        return ""
    if row[0] != incarnation:
        file.executescript("BEGIN; DELETE FROM place; DELETE FROM events; DELETE FROM claims; COMMIT;")
        return ""
    return str(row[1])


def _take(
    file: sqlite3.Connection, reader: EntryReader, rows: Sequence[RawEntry], partition: int, incarnation: str
) -> int:
    """One page, its claims and the place behind it, together."""
    page, _ = read_page(reader, rows)
    claims: dict[str, Claim | None] = {}
    events = []
    for entry, fact in zip(page.entries, page.facts, strict=True):
        if fact is None:
            continue  # a request, or what no append wrote: it states nothing
        try:
            claims[fact.claim_id] = evolve(_claim(file, claims, fact.claim_id), fact)
        except ImpossibleFact:
            continue  # `verify` names it
        events.append(_event(entry, fact, partition))
    file.execute("BEGIN")
    file.executemany("INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", events)
    file.executemany(
        f"INSERT OR REPLACE INTO claims VALUES ({', '.join('?' * 18)})",
        [_row(claim) for claim in claims.values() if claim is not None],
    )
    last = rows[-1][0].decode()
    file.execute("INSERT OR REPLACE INTO place VALUES (?, ?, ?)", (partition, incarnation, last))
    file.execute("COMMIT")
    return len(events)


def _claim(file: sqlite3.Connection, claims: dict[str, Claim | None], claim_id: str) -> Claim | None:
    if claim_id not in claims:
        row = file.execute("SELECT body FROM claims WHERE claim_id = ?", (claim_id,)).fetchone()
        claims[claim_id] = decode_claim(row[0].encode()) if row else None
    return claims[claim_id]


def _event(entry: Entry, fact: Fact, partition: int) -> tuple[Any, ...]:
    return (
        entry.event_id, entry.id, partition, fact.claim_id, fact.sequence, fact.type, wire_time(fact.at), entry.actor,
        entry.causation_id, entry.correlation_id, entry.data.decode(),
    )  # fmt: skip


def _row(claim: Claim) -> tuple[Any, ...]:
    notice = claim.notice
    return (
        claim.claim_id, claim.version, claim.state.value, status_word(claim), claim.closed_outcome,
        notice.policy_number, notice.claimant_id, notice.line, notice.jurisdiction, notice.loss_date.isoformat(),
        wire_time(claim.submitted_at), claim.owner.adjuster_id if claim.owner is not None else "", claim.currency,
        claim.claimed, claim.approved, claim.paid_out, claim.reserve.total, encode_claim(claim).decode(),
    )  # fmt: skip
