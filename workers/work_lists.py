"""Work lists and loads of adjusters: who has which claims, what waits for payment, what is closed.

Views of the processor's group, folded from facts. An assignment that the processor itself decides counts in the load at
once, in the same settle, so that the next decision sees it; assignments by people count when their fact arrives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.bodies.base import SYSTEM
from domain.bodies.handling import ClaimAssigned, ClaimReassigned
from domain.roster import with_load
from runtime.effects import HashIncrement, HashSet, ListPush, ListRemove

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.events import Fact, NewFact
    from domain.roster import Roster
    from runtime.effects import Effect
    from workers.keys import ClaimKeys

ASSIGNED, TO_PAY, CLOSED = "assigned:claims", "payment:pending", "claims:closed"

ENDS = frozenset({"claim.closed", "claim.withdrawn", "claim.duplicate.confirmed"})
"""Facts after which nobody works on the claim any more."""


class WorkLists:
    """Effects on the work lists of one partition."""

    def __init__(self, keys: ClaimKeys) -> None:
        """`keys` name the lists."""
        self._keys = keys

    def follow(self, facts: Sequence[Fact]) -> list[Effect]:
        """What these facts change."""
        effects: list[Effect] = []
        for fact in facts:
            body = fact.body
            if isinstance(body, ClaimAssigned):
                effects += self._assigned(fact, body)
            elif isinstance(body, ClaimReassigned):
                effects += self._reassigned(fact, body)
            elif fact.type == "claim.approved":
                effects.append(ListPush(self._keys.queue(TO_PAY), (fact.claim_id,)))
            elif fact.type in {"claim.payment.completed", "claim.decision.rescinded"}:
                effects.append(ListRemove(self._keys.queue(TO_PAY), (fact.claim_id,)))
            elif fact.type in ENDS:
                effects += self._ended(fact)
        return effects

    def taken(self, facts: Sequence[NewFact], roster: Roster) -> tuple[list[Effect], Roster]:
        """Count what the processor just decided, and the roster with it."""
        effects: list[Effect] = []
        for fact in facts:
            body = fact.body
            if fact.actor != SYSTEM or not isinstance(body, ClaimAssigned | ClaimReassigned):
                continue
            at = str(int(fact.at.timestamp() * 1000))
            effects.append(self._load(body.adjuster_id, body.weight))
            effects.append(HashSet(self._keys.adjuster_last, {body.adjuster_id: at}))
            roster = with_load(roster, body.adjuster_id, body.weight, fact.at)
            if isinstance(body, ClaimReassigned) and body.previous_adjuster_id:
                effects.append(self._load(body.previous_adjuster_id, -body.weight))
                roster = with_load(roster, body.previous_adjuster_id, -body.weight)
        return effects, roster

    def _load(self, adjuster: str, weight: int) -> Effect:
        return HashIncrement(self._keys.adjuster_load, {adjuster: weight, "#decisions": 1})

    def _assigned(self, fact: Fact, body: ClaimAssigned) -> list[Effect]:
        effects: list[Effect] = [
            ListPush(self._keys.workload(body.adjuster_id), (fact.claim_id,)),
            ListPush(self._keys.queue(ASSIGNED), (fact.claim_id,)),
        ]
        if fact.actor != SYSTEM:
            effects.append(self._load(body.adjuster_id, body.weight))
        return effects

    def _reassigned(self, fact: Fact, body: ClaimReassigned) -> list[Effect]:
        effects: list[Effect] = [ListPush(self._keys.workload(body.adjuster_id), (fact.claim_id,))]
        if body.previous_adjuster_id:
            effects.append(ListRemove(self._keys.workload(body.previous_adjuster_id), (fact.claim_id,)))
        if fact.actor != SYSTEM:
            effects.append(self._load(body.adjuster_id, body.weight))
            if body.previous_adjuster_id:
                effects.append(self._load(body.previous_adjuster_id, -body.weight))
        return effects

    def _ended(self, fact: Fact) -> list[Effect]:
        effects: list[Effect] = [ListPush(self._keys.queue(CLOSED), (fact.claim_id,))]
        adjuster = fact.body.assigned_to
        if adjuster:
            effects.append(ListRemove(self._keys.workload(adjuster), (fact.claim_id,)))
            effects.append(ListRemove(self._keys.queue(ASSIGNED), (fact.claim_id,)))
            effects.append(self._load(adjuster, -getattr(fact.body, "weight", 0)))
        return effects
