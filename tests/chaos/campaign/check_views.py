"""I7: projections are the fold of the prefix that their group applied: claims, counts per type and hour, money exact.

Counts and money are tallied here from the raw entries, by hand; only the fold of a claim is the domain's own.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import msgspec

from domain.bodies.base import Actor
from domain.claim import decode_claim, evolve
from domain.events import Fact, decode_body
from domain.snapshot import snapshot_fields
from tests.chaos.campaign.evidence import CLAIMS
from tests.chaos.campaign.verdict import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from domain.claim_record import Claim
    from tests.chaos.campaign.evidence import Evidence, LogEntry

AMOUNT_OF = {
    "claim.approved": "approvedNet",
    "claim.payment.initiated": "amount",
    "claim.payment.completed": "amount",
    "claim.payment.failed": "amount",
}
"""Event type -> the field of its body that is the amount that is added up; of a submission all items."""


def claims_are_their_fold(seen: Evidence) -> Iterator[Violation]:
    """I7: a claim's snapshot is what its facts fold to, field by field, and so is the body in it."""
    for claim_id, rows in seen.facts().items():
        stored = seen.dump.hashes.get(seen.key(f"claim:{claim_id}", seen.partition_of(claim_id)), {})
        try:
            claim = _folded(rows)
        except Exception as problem:  # a fold that is not possible is a finding, whatever it raises
            yield Violation("I7", f"{claim_id}: its facts cannot be folded: {problem}")
            continue
        wanted = {name: value.encode().decode("latin-1") for name, value in snapshot_fields(claim).items()}
        for name in wanted.keys() | stored.keys() - {"body"}:
            if wanted.get(name) != stored.get(name):
                yield Violation(
                    "I7", f"{claim_id}: {name} is {stored.get(name)!r}, its facts give {wanted.get(name)!r}"
                )
        try:
            body = decode_claim(stored.get("body", "").encode("latin-1"))
        except msgspec.DecodeError as problem:
            yield Violation("I7", f"{claim_id}: its body cannot be read: {problem}")
            continue
        for name in claim.__struct_fields__:
            if getattr(body, name) != getattr(claim, name):
                yield Violation(
                    "I7", f"{claim_id}: body.{name} is {getattr(body, name)!r}, its facts give {getattr(claim, name)!r}"
                )


def _folded(rows: list[LogEntry]) -> Claim:
    claim: Claim | None = None
    for entry in rows:
        claim = evolve(claim, fact_of(entry))
    assert claim is not None
    return claim


def fact_of(entry: LogEntry) -> Fact:
    """The fact that an entry states."""
    from datetime import datetime

    data = entry.named["data"].encode("latin-1")
    kind, actor = entry.named["eventType"], Actor.from_wire(entry.named["actor"])
    at = datetime.fromisoformat(entry.named["timestamp"])
    return Fact(kind, entry.claim, at, entry.sequence, actor, decode_body(kind, data))


def counts_are_what_was_applied(seen: Evidence) -> Iterator[Violation]:
    """I7: per day, hour and type, and money per day and currency: exactly the applied facts, no more, no less."""
    for name, partition in seen.places():
        if name == CLAIMS and "analytics" in seen.groups(name, partition):
            wanted = tallied(seen.due(name, "analytics", partition))
            yield from _compared(seen, partition, wanted)


Tally = dict[str, Counter[str]]


def tallied(entries: list[LogEntry]) -> Tally:
    """Key (without tag) -> field -> count or minor units, counted from the raw entries."""
    found: Tally = defaultdict(Counter)
    for entry in entries:
        kind, day = entry.named["eventType"], entry.named["timestamp"][:10]
        hour = str(int(entry.named["timestamp"][11:13]))
        body = json.loads(entry.named["data"])
        word = body.get("type") or "other"
        found[f"analytics:hourly:{day}"][kind] += 1
        found[f"analytics:hourly:{day}:{hour}"][kind] += 1
        found[f"analytics:daily:{day}"][f"{word}:{kind}"] += 1
        for amount in _amounts(kind, body):
            found[f"analytics:amounts:{day}"][f"{kind}:minor:{amount['currency']}"] += amount["minor"]
    return found


def _amounts(kind: str, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    if kind == "claim.submitted":
        return [item["claimed"] for item in body["items"]]
    return [body[AMOUNT_OF[kind]]] if kind in AMOUNT_OF else []


def _compared(seen: Evidence, partition: int, wanted: Tally) -> Iterator[Violation]:
    for base, counts in wanted.items():
        key = seen.key(base, partition)
        stored = seen.dump.hashes.get(key, {})
        for field, count in counts.items():
            if stored.get(field, "0") != str(count):
                yield Violation("I7", f"{key} {field} is {stored.get(field)}, the applied facts give {count}")
        if base.startswith(("analytics:hourly", "analytics:daily")):
            for field in stored.keys() - counts.keys():
                yield Violation("I7", f"{key} {field} is {stored[field]}, and no applied fact gives it")
    known = {seen.key(base, partition) for base in wanted}
    for key in seen.dump.hashes:
        if (
            key.startswith(("analytics:hourly:", "analytics:daily:"))
            and key not in known
            and _here(seen, key, partition)
        ):
            yield Violation("I7", f"{key} is there, and no applied fact gives it")


def _here(seen: Evidence, key: str, partition: int) -> bool:
    return key.endswith(f":{{p{partition}}}") if seen.partitions > 1 else True
