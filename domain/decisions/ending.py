"""Appeal, withdrawal, closing, reopening."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.bodies.deciding import AppealDecided, AppealFiled
from domain.bodies.ending import ClaimClosed, ClaimReopened, ClaimWithdrawn
from domain.decisions.handling import give_owner
from domain.decisions.step import Problem
from domain.major_units import seconds_between

if TYPE_CHECKING:
    from domain import commands
    from domain.bodies.base import Body
    from domain.claim_record import Claim
    from domain.context import Context
    from domain.decisions.draft import Draft


def appeal_filed(claim: Claim, command: commands.FileAppeal, context: Context) -> Body | Problem:
    """`FileAppeal`; G14 judges who and when."""
    return AppealFiled(
        filed_by=context.actor.id,
        filed_by_role=context.actor.role,
        grounds=command.grounds,
        from_state=claim.state,
    )


def appeal_decided(claim: Claim, command: commands.DecideAppeal, context: Context) -> Body | Problem:
    """`DecideAppeal`."""
    return AppealDecided(
        outcome=command.outcome,
        reviewer_id=context.actor.id,
        reason_codes=command.reason_codes,
        provisions=command.provisions,
        appeal_text_id=command.appeal_text_id,
    )


def owner_after_appeal(draft: Draft, command: commands.DecideAppeal) -> None:
    """An overturned decision goes to somebody who did not make it."""
    claim = draft.claim
    assert claim is not None
    if claim.state == "ASSIGNED":
        barred = frozenset({claim.decision.decider_id, claim.decision.proposer_id} - {""})
        give_owner(draft, "appeal overturned", barred)


def closing_outcome(claim: Claim) -> str:
    """The outcome that follows from what was decided and paid."""
    if claim.state == "AWAITING_INFORMATION":
        return "inactive"
    if claim.state == "REJECTED":
        return "paid_partial" if claim.paid_out else "denied"
    return "paid" if claim.decision.kind == "full" else "paid_partial"


def closed(claim: Claim, context: Context, reason: str = "") -> ClaimClosed:
    """The closing as a fact."""
    return ClaimClosed(
        outcome=closing_outcome(claim),
        reason=reason,
        paid_total=claim.money(claim.paid_all),
        approved_net=claim.money(claim.approved),
        weight=claim.owner.weight if claim.owner is not None else 0,
        processing_seconds=seconds_between(claim.submitted_at, context.now),
    )


def close(claim: Claim, command: commands.CloseClaim, context: Context) -> Body | Problem:
    """`CloseClaim`: an inactive claim only after the reminders."""
    request = claim.request
    if claim.state == "AWAITING_INFORMATION" and request is not None:
        if request.reminded < len(request.reminders_at) or request.inactive_at is None:
            return Problem("GUARD_FAILED", "a claim is closed as inactive only after its reminders", "G17")
        if context.now < request.inactive_at:
            return Problem("GUARD_FAILED", f"the claimant has until {request.inactive_at.isoformat()}", "G17")
    return closed(claim, context, command.reason)


def withdrawn(claim: Claim, command: commands.WithdrawClaim, context: Context) -> Body | Problem:
    """`WithdrawClaim`; once something was paid only with outcome paid or paid_partial."""
    weight = claim.owner.weight if claim.owner is not None else 0
    return ClaimWithdrawn(reason=command.reason, outcome=command.outcome, weight=weight)


def reopened(claim: Claim, command: commands.ReopenClaim, context: Context) -> Body | Problem:
    """`ReopenClaim`: remembers who had it."""
    return ClaimReopened(
        reason_code=command.reason_code,
        reason=command.reason,
        count=claim.reopen_count + 1,
        previous_adjuster_id=claim.owner.adjuster_id if claim.owner is not None else claim.previous_owner,
        closed_at=claim.closed_at,
    )
