"""Decisions on claims <-> the log: facts of an accepted decision as one append, entries as facts, snapshots as claims.

The append carries events, snapshot, history, result and timers; everything that is personal is sealed here, before it
leaves the process.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from domain.bodies.base import Actor
from domain.claim import KEEPS_SEALED, decode_claim, encode_claim, fold
from domain.events import SCHEMA_VERSION, Fact, encode_body
from domain.identity import event_id
from domain.privacy import claim_subject, sealed_fields
from domain.sla import timers
from domain.snapshot import snapshot_fields
from runtime.effects import Append, Effect, SortedSetAdd, SortedSetRemove
from runtime.errors import Unreadable
from workers.keys import CLAIM_LOG, ClaimKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from domain.bodies.base import Body
    from domain.claim_record import Claim
    from domain.events import NewFact
    from domain.outcome import Accepted
    from runtime.entry import Entry
    from runtime.store.keys import Keyspace
    from workers.ports import Sealer

SNAPSHOT_BODY = "body"
"""The field of the snapshot hash that holds the whole claim as JSON; the others are for people."""


class Cause(msgspec.Struct, frozen=True):
    """Why something is appended: the id of the event or command that caused it, and the whole story's id.

    `seed`: what the ids of the events are made from instead of the cause, for whoever answers to an event that the
    processor answers to as well: the first fact of both would else have the same id.
    """

    id: str
    correlation_id: str
    command_id: str = ""
    traceparent: str = ""
    seed: str = ""


def cause_of(entry: Entry, role: str = "") -> Cause:
    """What follows from an entry is caused by it. `role`: who answers, when that is not the processor."""
    return Cause(
        id=entry.event_id,
        correlation_id=entry.correlation_id or entry.event_id,
        traceparent=entry.traceparent,
        seed=f"{role}|{entry.event_id}" if role else "",
    )


@lru_cache(256)
def wire_time(at: datetime) -> str:
    """ISO 8601, UTC, milliseconds, `Z`: the form of the seeds. The facts of an append share their moment."""
    return at.astimezone(UTC).isoformat("T", "milliseconds")[:23] + "Z"


def to_the_millisecond(at: datetime) -> datetime:
    """The moment as the log keeps it: cut to milliseconds; the same object when nothing is cut."""
    beyond = at.microsecond % 1000
    return at - timedelta(microseconds=beyond) if beyond else at


def fact_of(entry: Entry) -> Fact:
    """The fact that an entry states. Raises `Unreadable`."""
    try:
        at = datetime.fromisoformat(entry.timestamp)
    except ValueError as problem:
        raise Unreadable(f"its timestamp is no ISO 8601 time: {entry.timestamp[:40]!r}") from problem
    if at.tzinfo is None:
        raise Unreadable(f"its timestamp names no zone: {entry.timestamp[:40]!r}")
    return Fact(entry.type, entry.entity, at, entry.sequence, _actor_of(entry.actor), entry.body)


_actor_of = lru_cache(4096)(Actor.from_wire)
"""A log names the same few actors again and again, the rules' own in most of its entries."""


def timer_member(claim_id: str, timer_id: str) -> str:
    """How a timer stands in the sorted set."""
    return f"{claim_id}|{timer_id}"


class ClaimLog:
    """Makes appends for one claim log."""

    def __init__(self, keyspace: Keyspace, sealer: Sealer) -> None:
        """`sealer` seals personal fields."""
        self._keyspace = keyspace
        self._sealer = sealer

    def prepare(self, claims: Iterable[Claim]) -> None:
        """Have the keys of these claims at hand, in one look at the vault: facts will be sealed for them.

        4 us a key that exists, instead of 16 when each is looked for once its fact is there. It blocks for that long.
        """
        self._sealer.prepare([claim_subject(claim.claim_id) for claim in claims])

    def append(self, before: Claim | None, accepted: Accepted, cause: Cause) -> tuple[Append, Claim]:
        """The append of an accepted decision, and the claim as the store will hold it."""
        version = before.version if before is not None else 0
        claim_id = accepted.claim.claim_id
        seed = f"{cause.seed or cause.id}|{claim_id}"
        events: list[tuple[str, ...]] = []
        facts: list[Fact] = []
        changed = False
        for place, new in enumerate(accepted.facts, 1):
            identity = event_id(seed, place)
            body = self._sealed_body(claim_id, new, identity)
            at = to_the_millisecond(new.at)
            changed = changed or at is not new.at or (body is not new.body and new.type in KEEPS_SEALED)
            fact = Fact(new.type, claim_id, at, version + place, new.actor, body)
            facts.append(fact)
            events.append(_fields(fact, identity, cause))
        # Sealing, and the precision of the log, can change what the claim keeps of its facts: then the snapshot is
        # folded from the facts as they will be read back.
        after = _known(fold(facts, before)) if changed else accepted.claim
        unit = Append(
            log=CLAIM_LOG,
            entity=after.claim_id,
            expected_version=version,
            events=tuple(events),
            snapshot={**snapshot_fields(after), SNAPSHOT_BODY: encode_claim(after).decode()},
            effects=tuple(self._timer_changes(before, after)),
            command_id=cause.command_id,
        )
        return unit, after

    def put_back(
        self,
        before: Claim | None,
        facts: Sequence[Fact],
        events: tuple[tuple[bytes, ...], ...],
        command_id: str,
        effects: Sequence[Effect] = (),
    ) -> Append:
        """The append of facts that were in the log before, as they were: sealed bodies stay as they are.

        `effects`: what was settled together with them.
        """
        after = _known(fold(facts, before))
        return Append(
            log=CLAIM_LOG,
            entity=after.claim_id,
            expected_version=facts[0].sequence - 1,
            events=events,
            snapshot={**snapshot_fields(after), SNAPSHOT_BODY: encode_claim(after).decode()},
            effects=(*self._timer_changes(before, after), *effects),
            command_id=command_id,
        )

    def _sealed_body(self, claim_id: str, new: NewFact, identity: str) -> Body:
        """The body with its personal fields sealed under its own event id; the same object when it has none."""
        if not sealed_fields(new.type):
            return new.body
        body = self._sealer.seal_body(identity, new.type, SCHEMA_VERSION, claim_id, new.body)
        return new.body if body == new.body else body

    def _timer_changes(self, before: Claim | None, after: Claim) -> list[Effect]:
        """What has to be scheduled and what no longer; timers belong to their claim and change with it alone."""
        keys = ClaimKeys(self._keyspace, self._keyspace.partition_of(after.claim_id))
        old = {timer.id: timer.due for timer in timers(before, but=after.clocks)} if before is not None else {}
        new = {timer.id: timer.due for timer in timers(after, but=before.clocks if before is not None else {})}
        changes: list[Effect] = []
        gone = tuple(timer_member(after.claim_id, name) for name in old if name not in new)
        if gone:
            changes.append(SortedSetRemove(keys.timers, gone))
        due = {
            timer_member(after.claim_id, name): int(at.timestamp() * 1000)
            for name, at in new.items()
            if old.get(name) != at
        }
        if due:
            changes.append(SortedSetAdd(keys.timers, due))
        return changes


def _known(claim: Claim | None) -> Claim:
    assert claim is not None, "an accepted decision has at least one fact or a claim before it"
    return claim


def _fields(fact: Fact, identity: str, cause: Cause) -> tuple[str, ...]:
    """The entry of a fact, in the order of the envelope."""
    return (
        "eventId", identity, "eventType", fact.type, "claimId", fact.claim_id, "timestamp", wire_time(fact.at),
        "data", encode_body(fact.body).decode(), "version", SCHEMA_VERSION, "sequence", str(fact.sequence),
        "correlationId", cause.correlation_id, "causationId", cause.id, "actor", fact.actor.to_wire(),
        "traceparent", cause.traceparent,
    )  # fmt: skip


class EventCodec:
    """Bodies of claim events for the runtime: decodes with the domain's own decoders."""

    def __init__(self, known: Sequence[str], decode: Callable[[str, bytes], Any], *, keep: int = 0) -> None:
        """`known`: the event types; `decode(type, data)`: the domain's decoder, of values that nobody changes.

        `keep` so many of the last bodies by their content: the groups of one process read the same entries soon
        after each other, and decoding is a tenth of their work. About 2 kB each.
        """
        self._known = frozenset(known)
        self._decode = lru_cache(keep)(decode) if keep else decode

    def knows(self, event_type: str) -> bool:
        """Is it a type that this program was built for?"""
        return event_type in self._known

    def decode(self, event_type: str, data: bytes) -> Any:
        """The typed body. Raises `Unreadable` saying what does not fit."""
        try:
            return self._decode(event_type, data)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as problem:
            raise Unreadable(f"the data of {event_type[:80]} does not fit: {problem}") from problem


def claim_of(body: bytes | None) -> Claim | None:
    """The claim of a snapshot's body; None when there is no claim."""
    return decode_claim(body) if body else None
