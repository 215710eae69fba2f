"""A claim as the claimant's side may see it: what the letters say, and nothing of suspicion, reserve or authority.

The history is exactly what was told: the matrix of notices decides, so that no view knows more than the letters do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from domain.notices import intents
from domain.snapshot import status_word

if TYPE_CHECKING:
    from collections.abc import Iterable

    from domain.bodies.base import Actor
    from domain.claim_record import Claim
    from domain.events import Fact

OUTSIDE = frozenset(("claimant", "representative", "insured", "broker", "provider", "fnol"))
"""Roles that see the claimant's view."""


def is_outside(actor: Actor) -> bool:
    """Does this actor see the claimant's view only?"""
    return actor.role in OUTSIDE


def may_look(actor: Actor, claim: Claim) -> bool:
    """Claimants and insured see their own claims; others from outside only those for which they were named."""
    if not is_outside(actor):
        return True
    own = (claim.notice.claimant_id, claim.notice.insured_id)
    return actor.id in (own if actor.role in ("claimant", "insured") else claim.representatives)


def claimant_view(claim: Claim) -> dict[str, Any]:
    """The claim in the words of letters: a status without its inner reasons, what is owed, decided and paid."""
    notice, request = claim.notice, claim.request
    asked = request.outstanding if request is not None and request.owed_by == "claimant" else ()
    return {
        "claimId": claim.claim_id,
        "status": status_word(claim),
        "policyNumber": notice.policy_number,
        "lossDate": notice.loss_date.isoformat(),
        "claimed": str(notice.claimed),
        "submitted": claim.submitted_at.isoformat(timespec="seconds"),
        "handler": claim.owner.adjuster_id if claim.owner is not None else "",
        "pleaseSend": sorted({*asked, *(claim.missing_documents if claim.validated_at is not None else ())}),
        "decision": claim.decision.kind,
        "approved": str(claim.money(claim.approved)) if claim.decision.kind in ("full", "partial") else "",
        "paid": str(claim.money(claim.paid_out)) if claim.paid_out else "",
        "appeal": claim.appeal.status if claim.appeal is not None else "",
    }


def claimant_history(facts: Iterable[Fact]) -> list[dict[str, Any]]:
    """What the claimant's side was told, in order: when, which letter, what it said."""
    return [
        {"time": fact.at.isoformat(timespec="seconds"), "letter": intent.template, "says": intent.fields}
        for fact in facts
        for intent in intents(fact)
        if intent.recipient == "claimant"
    ]
