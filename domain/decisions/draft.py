"""The facts of one decision while they are made: each is stamped, applied, and the next one sees the claim
after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from domain import sla
from domain.bodies.base import TIMEKEEPER, Actor, Body
from domain.bodies.ending import SlaBreached
from domain.bodies.handling import ClaimAssigned, ClaimReassigned
from domain.bodies.intake import ClaimSubmitted
from domain.claim import evolve
from domain.claim_record import LAB_TYPES, Claim
from domain.events import TYPE_OF, Fact, NewFact
from domain.outcome import Accepted
from domain.snapshot import status_word

if TYPE_CHECKING:
    from datetime import datetime

    from domain.bodies.base import ClockChange
    from domain.context import Context


class Draft:
    """A claim and the facts that were added to it. Lives inside one decision and never leaves it."""

    __slots__ = ("_claim_id", "claim", "context", "facts")

    def __init__(self, claim: Claim | None, context: Context, claim_id: str = "") -> None:
        """Start from the claim as it is; `claim_id` only when there is none yet."""
        self.claim = claim
        self.context = context
        self.facts: list[NewFact] = []
        self._claim_id = claim.claim_id if claim is not None else claim_id

    def emit(self, body: Body, *, actor: Actor | None = None, at: datetime | None = None) -> Claim:
        """Add the fact of this body, with derived keys and changes of clocks; the claim after it."""
        claim, context = self.claim, self.context
        at = at or context.now
        event_type = TYPE_OF[type(body)]
        notice = claim.notice if claim is not None else body
        assert isinstance(notice, ClaimSubmitted)
        changes = sla.changes(claim, notice, body, at, context.rules.sla, context.zone)
        body = _stamped(body, claim, notice, at, changes)
        sequence = claim.version + 1 if claim is not None else 1
        who = actor or context.actor
        after = evolve(claim, Fact(event_type, self._claim_id, at, sequence, who, body))
        if claim is not None and after.state is not claim.state:
            body = _with_status(body, claim, after)
        self.claim = after
        self.facts.append(NewFact(event_type, at, body, who))
        return after

    def realise_overdue(self) -> None:
        """One breach for each clock whose time is over, dated when it was due: late deciding neither loses
        nor doubles it.
        """
        claim = self.claim
        if claim is None or not claim.clocks:
            return
        for key, clock in sla.overdue(claim, self.context.now):
            profile, _, name = key.partition(".")
            body = SlaBreached(
                clock=key,
                cycle=clock.cycle,
                due=clock.due,
                profile=profile,
                name=name,
                jurisdiction=claim.notice.jurisdiction,
            )
            self.emit(body, actor=TIMEKEEPER, at=max(clock.due, clock.started))

    def accepted(self) -> Accepted:
        """The answer."""
        assert self.claim is not None
        return Accepted(tuple(self.facts), self.claim)


def _with_status(body: Body, before: Claim, after: Claim) -> Body:
    """The body with the status words, when the state changed the word. `evolve` never reads them."""
    old, new = status_word(before), status_word(after)
    return replace(body, status=new, status_before=old) if new != old else body


_GIVES = (ClaimAssigned, ClaimReassigned)
"""Bodies that name the new owner; as a tuple made once, for each fact is asked."""


def _stamped(
    body: Body, claim: Claim | None, notice: ClaimSubmitted, at: datetime, changes: tuple[ClockChange, ...]
) -> Body:
    """The body with the keys that projections need beside it."""
    if isinstance(body, _GIVES):
        owner = body.adjuster_id
    else:
        owner = claim.owner.adjuster_id if claim is not None and claim.owner is not None else ""
    return replace(
        body,
        type=LAB_TYPES.get(notice.line, notice.line),
        priority=notice.priority,
        claimant_id=notice.claimant_id,
        assigned_to=owner,
        submitted_at=claim.submitted_at if claim is not None else at,
        policy_number=notice.policy_number,
        status="submitted" if claim is None else "",
        clocks=changes,
    )
