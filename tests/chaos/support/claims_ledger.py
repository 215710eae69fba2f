"""The test's own verdict, event by event from the raw log: no sum, no code of the application.

Counts of `verify` may cancel out; an id that is missing or there twice may not.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runtime.store.keys import Keyspace
    from tests.chaos.support.claims_producer import Sent
    from tests.chaos.support.claims_run import ClaimsCluster

Row = tuple[str, dict[bytes, bytes]]


class Ledger:
    """Everything that the store holds about the claims, read once at rest."""

    def __init__(self) -> None:
        """Read by `ledger`."""
        self.facts: dict[str, list[Row]] = defaultdict(list)
        self.wrong: list[str] = []
        self.entries: set[tuple[str, str]] = set()
        self.parked: Counter[tuple[str, str]] = Counter()
        self.intents: Counter[bytes] = Counter()
        self.outcomes: set[bytes] = set()
        self.kinds: Counter[str] = Counter()

    def outcomes_of(self, requests: Iterable[Sent]) -> list[str]:
        """What is wrong with requests that the store had taken."""
        made: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for claim_id, rows in self.facts.items():
            for _, fields in rows:
                made[claim_id, fields[b"causationId"].decode()].append(fields[b"eventType"].decode())
        wrong: list[str] = []
        groups: defaultdict[tuple[str, str, str], list[Sent]] = defaultdict(list)
        for one in requests:
            if (one.log, one.entry_id) not in self.entries:
                wrong.append(f"confirmed and lost: {one}")
            if one.good:
                groups[one.claim_id, one.event_id, one.event_type].append(one)
            elif self.parked[one.log, one.entry_id] != 1:
                wrong.append(f"rubbish parked {self.parked[one.log, one.entry_id]} times: {one}")
        for (claim_id, event_id, kind), copies in groups.items():
            facts = made[claim_id, event_id]
            refused = sum(self.parked[one.log, one.entry_id] for one in copies)
            if len(facts) != len(set(facts)):
                wrong.append(f"{claim_id} {kind} {event_id}: done more than once: {facts}")
            if kind == "claim.submitted" and "claim.submitted" not in facts:
                wrong.append(f"{claim_id} {event_id}: a good notice of loss became {facts}, parked {refused}")
            if not facts and not refused:
                wrong.append(f"{claim_id} {kind} {event_id}: neither a fact nor a dead letter")
        return wrong

    def submitted(self) -> set[str]:
        """Claims that were registered."""
        return {
            claim for claim, rows in self.facts.items() if any(f[b"eventType"] == b"claim.submitted" for _, f in rows)
        }


async def ledger(cluster: ClaimsCluster) -> Ledger:
    """Read and judge everything."""
    book = Ledger()
    for keys in (cluster.claims, cluster.requests):
        for partition in range(keys.spec.partitions):
            await _log(cluster.client, keys, partition, book)
    await _claims(cluster, book)
    await _outbox(cluster, book)
    for name, look in (await cluster.looks()).items():
        if not look.at_rest or look.settled != look.added or look.halted or look.torn:
            book.wrong.append(f"{name} is not at rest: {look}")
    return book


async def _log(client: Any, keys: Keyspace, partition: int, book: Ledger) -> None:
    log = keys.log(partition)
    for raw, fields in await client.xrange(log):
        entry_id = raw.decode()
        book.entries.add((log, entry_id))
        if fields.get(b"sequence"):
            book.facts[fields[b"claimId"].decode()].append((entry_id, fields))
            book.kinds[fields[b"eventType"].decode()] += 1
    groups = "processors" if keys.spec.name == "claims:events" else "intake"
    for _, fields in await client.xrange(keys.parked(groups, partition)):
        book.parked[log, fields[b"originId"].decode()] += 1


async def _claims(cluster: ClaimsCluster, book: Ledger) -> None:
    """Sequences without a hole, ids once, history and version as the log says."""
    keys, seen = cluster.claims, Counter[bytes]()
    for claim_id, rows in book.facts.items():
        sequences = [int(fields[b"sequence"]) for _, fields in rows]
        if sequences != list(range(1, len(rows) + 1)):
            book.wrong.append(f"{claim_id}: sequences {sequences}")
        seen.update(fields[b"eventId"] for _, fields in rows)
        history = await cluster.client.lrange(keys.history(claim_id), 0, -1)
        if [one.decode() for one in history] != [entry_id for entry_id, _ in rows]:
            book.wrong.append(f"{claim_id}: its history is not its log")
        head = await cluster.client.get(keys.head(claim_id))
        if head != str(len(rows)).encode():
            book.wrong.append(f"{claim_id}: version {head!r} after {len(rows)} facts")
    book.wrong += [f"event id {event_id!r} is there {count} times" for event_id, count in seen.items() if count > 1]


async def _outbox(cluster: ClaimsCluster, book: Ledger) -> None:
    """Each intent once, of a fact that is there; each with one outcome."""
    keys = cluster.keyspaces[2]
    facts = {fields[b"eventId"] for rows in book.facts.values() for _, fields in rows}
    for partition in range(keys.spec.partitions):
        for _, fields in await cluster.client.xrange(keys.log(partition)):
            book.intents[fields[b"eventId"]] += 1
            if fields[b"causationId"] not in facts:
                book.wrong.append(f"an intent of no fact: {fields[b'causationId']!r}")
        outcomes = await cluster.client.hkeys(keys.name("outbox:outcomes", partition))
        book.outcomes |= set(outcomes)
    book.wrong += [f"intent {name!r} is there {count} times" for name, count in book.intents.items() if count > 1]
    if book.outcomes != set(book.intents):
        book.wrong.append(f"{len(set(book.intents) ^ book.outcomes)} intents without outcome, or the other way")
