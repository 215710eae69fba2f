"""Ex gratia: something is given after a denial, by authority, without being owed under the policy.

It is an approval that sets the policy aside: the override is a fact of its own with the reason, the lines say so, and
the guards that hold an approval against the policy hold it against the authority and the claimed amount instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain import portrait
from domain.adjudication import Line
from domain.authority import role_for_ex_gratia
from domain.bodies.deciding import ApprovalRequested, ClaimApproved, OverrideRecorded
from domain.decisions.step import Problem
from domain.major_units import hours, major, seconds_between
from domain.money import Money, split_minor
from domain.reasons import EX_GRATIA

if TYPE_CHECKING:
    from domain import commands
    from domain.claim_record import Claim
    from domain.context import Context
    from domain.decisions.draft import Draft

SUBJECT = "ex gratia"
"""What the override of the policy is called in its fact."""


def record_override(draft: Draft, command: commands.ApproveClaim) -> None:
    """Before an approval ex gratia: the policy is set aside, and why."""
    if command.ex_gratia:
        draft.emit(OverrideRecorded(subject=SUBJECT, reason=command.reason, overridden_by=draft.context.actor.id))


def approved(claim: Claim, command: commands.ApproveClaim, context: Context) -> ClaimApproved | Problem:
    """The gift as an approval in part."""
    problem = _problem(claim, command.amount, command.reason)
    if problem is not None:
        return problem
    assert command.amount is not None
    return approval(claim, context, command.amount)


def approval(claim: Claim, context: Context, amount: Money) -> ClaimApproved:
    """The fact; G10 and G12 judge who gives how much."""
    version = portrait.terms(claim, context)
    total = claim.money(claim.paid + amount.minor)
    seconds = seconds_between(claim.submitted_at, context.now)
    return ClaimApproved(
        decision="partial",
        approved_net=total,
        items=_lines(claim, total.minor),
        ex_gratia=amount,
        rule_version=context.rules.version,
        policy_version=version.version if version is not None else None,
        proposer_id=claim.proposal.proposer_id if claim.proposal is not None else context.actor.id,
        approver_id=context.actor.id,
        appeal_text_id=context.rules.partial_appeal_text,
        reason_codes=(EX_GRATIA,),
        limit=version.limit if version is not None and version.limit.currency == claim.currency else None,
        approved_amount=major(total),
        processing_time_hours=hours(seconds),
        processing_seconds=seconds,
    )


def proposed(claim: Claim, command: commands.ProposeDecision, context: Context) -> ApprovalRequested | Problem:
    """Above a manager's limit two of the committee decide: the proposal of the first."""
    problem = _problem(claim, command.amount, command.reason)
    if problem is not None:
        return problem
    assert command.amount is not None
    return ApprovalRequested(
        decision="ex_gratia",
        proposer_id=context.actor.id,
        proposer_role=context.actor.role,
        approved_net=claim.money(claim.paid + command.amount.minor),
        items=_lines(claim, claim.paid + command.amount.minor),
        reason_codes=(EX_GRATIA,),
        role_needed=role_for_ex_gratia(command.amount),
        ex_gratia=command.amount,
    )


def _problem(claim: Claim, amount: Money | None, reason: str) -> Problem | None:
    if claim.decision.kind != "denied":
        return Problem(
            "GUARD_FAILED", f"something is given ex gratia after a denial only, not after {_said(claim)}", "G12"
        )
    if not reason:
        return Problem("INVALID", "reason: what is given without being owed needs one")
    if amount is None or amount.minor <= 0:
        return Problem("INVALID", "amount: say how much is given")
    if amount.currency != claim.currency:
        return Problem("INVALID", f"amount: the claim is in {claim.currency}, not in {amount.currency}")
    return None


def _said(claim: Claim) -> str:
    return "no decision" if claim.decision.kind == "none" else f"a decision that is {claim.decision.kind}"


def _lines(claim: Claim, net: int) -> tuple[Line, ...]:
    """The gift divided over the items in proportion; what is not given is disallowed."""
    nothing = claim.money(0)
    items = claim.notice.items
    given = split_minor(net, [item.claimed.minor for item in items])
    return tuple(
        Line(
            item_id=item.item_id,
            coverage=item.coverage,
            claimed=item.claimed,
            disallowed=claim.money(max(item.claimed.minor - share, 0)),
            depreciation=nothing,
            covered=claim.money(share),
            deductible=nothing,
            over_limit=nothing,
            net=claim.money(share),
            reason_codes=(EX_GRATIA,),
        )
        for item, share in zip(items, given, strict=True)
    )
