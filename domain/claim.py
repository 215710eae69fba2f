"""`evolve`: a claim is the fold of its facts. Total over every legal fact, the same result for ever.

Facts are never judged here. A fact that the state table does not know in this state, or whose sequence is
not the next one, cannot have been written by these rules: `ImpossibleFact` says so, and whoever reads the
log must stop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from domain import applying, payment
from domain.bodies.ending import SlaBreached, SlaWarned
from domain.bodies.intake import ClaimSubmitted
from domain.claim_record import Claim
from domain.facets import Clock
from domain.transitions import EVENT_TYPES, State, row_for, rows_for

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from domain.bodies.base import Body, ClockChange
    from domain.events import Fact
    from domain.transitions import Row

__all__ = ["KEEPS_SEALED", "Claim", "ImpossibleFact", "decode_claim", "encode_claim", "evolve", "fitting_row", "fold"]

_APPLIERS = applying.APPLIERS | payment.APPLIERS
_TABLE_EVENTS = frozenset(EVENT_TYPES)
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_DECODER = msgspec.json.Decoder(Claim)


KEEPS_SEALED = frozenset({"claim.submitted", "claim.document.waived"})
"""Facts of which the claim keeps what is sealed. After every other fact it is the same, sealed or in clear."""


class ImpossibleFact(ValueError):
    """The log holds a fact that cannot follow the facts before it."""


def evolve(claim: Claim | None, fact: Fact) -> Claim:
    """The claim after one more fact. Raises `ImpossibleFact` when the fact cannot follow."""
    if claim is None:
        return _begin(fact)
    if fact.sequence != claim.version + 1:
        raise ImpossibleFact(f"{claim.claim_id}: fact {fact.sequence} follows {claim.version}")
    body, at = fact.body, fact.at
    applier = _APPLIERS.get(fact.type)
    if applier is None:
        raise ImpossibleFact(f"{claim.claim_id}: {fact.type} cannot follow anything")
    changes = applier(claim, body, at)
    changes["version"] = fact.sequence
    if at > claim.updated_at:
        changes["updated_at"] = at
    if body.clocks:
        changes["clocks"] = _clocks_after(claim.clocks, body.clocks, at)
    elif type(body) is SlaBreached or type(body) is SlaWarned:
        changes["clocks"] = _clock_rang(claim.clocks, body)
    if fact.type in _TABLE_EVENTS:
        return _moved(claim, fact, changes)
    return replace(claim, **changes)


def fold(facts: Iterable[Fact], claim: Claim | None = None) -> Claim | None:
    """All facts in order, from nothing or from a snapshot."""
    for fact in facts:
        claim = evolve(claim, fact)
    return claim


def encode_claim(claim: Claim) -> bytes:
    """The claim as JSON, for the snapshot."""
    return _ENCODER.encode(claim)


def decode_claim(data: bytes | str) -> Claim:
    """The claim from its snapshot."""
    return _DECODER.decode(data)


def _begin(fact: Fact) -> Claim:
    body = fact.body
    if not isinstance(body, ClaimSubmitted) or fact.sequence != 1:
        raise ImpossibleFact(f"{fact.claim_id}: its first fact is {fact.type} with sequence {fact.sequence}")
    return Claim(
        claim_id=fact.claim_id,
        state=State.SUBMITTED,
        version=1,
        notice=replace(body, clocks=()) if body.clocks else body,
        currency=body.claimed.currency,
        submitted_at=fact.at,
        updated_at=fact.at,
        clocks=_clocks_after({}, body.clocks, fact.at),
    )


def _moved(claim: Claim, fact: Fact, changes: applying.Changes) -> Claim:
    """Apply the changes and the state that the one fitting row of the table names."""
    rows = rows_for(claim.state, fact.type)
    if len(rows) == 1 and not rows[0].when:
        if rows[0].to is not None:
            changes["state"] = rows[0].to
        return replace(claim, **changes)
    after = replace(claim, **changes)
    row = row_for(claim.state, fact.type, after, fact.body)
    if row is None:
        raise ImpossibleFact(f"{claim.claim_id}: {fact.type} cannot happen in {claim.state}")
    return after if row.to is None else replace(after, state=row.to)


def fitting_row(claim: Claim, event: str, body: Body, at: datetime) -> Row | None:
    """The row of the table that this fact would take from the claim as it is; None when there is none."""
    rows = rows_for(claim.state, event)
    if len(rows) == 1 and not rows[0].when:
        return rows[0]
    if not rows:
        return None
    return row_for(claim.state, event, replace(claim, **_APPLIERS[event](claim, body, at)), body)


def _clocks_after(clocks: dict[str, Clock], changes: tuple[ClockChange, ...], at: datetime) -> dict[str, Clock]:
    after = dict(clocks)
    for change in changes:
        name = change.clock
        known = after.get(name)
        if change.op == "start" and change.due is not None:
            after[name] = Clock(cycle=change.cycle, status="running", started=at, due=change.due, warn=change.warn)
        elif known is not None:
            after[name] = _changed(known, change, at)
    return after


def _changed(clock: Clock, change: ClockChange, at: datetime) -> Clock:
    if change.op == "stop":
        return replace(clock, status="stopped", paused_at=None)
    if change.op == "pause":
        return replace(clock, status="paused", paused_at=at)
    if change.op == "extend":
        return replace(clock, due=change.due or clock.due, extended=clock.extended + 1)
    if change.op == "lengthen":
        return replace(clock, due=change.due or clock.due)
    status = "breached" if clock.breached else "running"
    return replace(clock, status=status, due=change.due or clock.due, paused_at=None)


def _clock_rang(clocks: dict[str, Clock], body: SlaBreached | SlaWarned) -> dict[str, Clock]:
    known = clocks.get(body.clock)
    if known is None or known.cycle != body.cycle:
        return clocks
    if isinstance(body, SlaWarned):
        return clocks | {body.clock: replace(known, warned=body.percent)}
    return clocks | {body.clock: replace(known, status="breached", breached=True)}
