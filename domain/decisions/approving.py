"""Decisions on the claim: propose, return, approve, reject, rescind."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from domain import authority, portrait
from domain.bodies.deciding import (
    ApprovalRequested,
    ApprovalReturned,
    ClaimApproved,
    ClaimRejected,
    DecisionRescinded,
)
from domain.commands import ItemAssessment
from domain.coverage import in_force_failures
from domain.decisions import ex_gratia
from domain.decisions.handling import give_owner
from domain.decisions.step import Problem
from domain.guards_money import missing_authority
from domain.major_units import hours, major, seconds_between
from domain.money import Money, split_minor
from domain.reasons import INSUFFICIENT_PROOF

if TYPE_CHECKING:
    from domain import commands
    from domain.adjudication import Adjudication
    from domain.bodies.base import Body
    from domain.claim_record import Claim
    from domain.context import Context
    from domain.decisions.draft import Draft


def assess(
    claim: Claim, context: Context, command: commands.ApproveClaim | commands.ProposeDecision
) -> Adjudication | Problem:
    """What the policy pays less what the person takes off; cut to `amount` when that is less."""
    unknown = {given.item_id for given in command.items} - {item.item_id for item in claim.notice.items}
    if unknown:
        return Problem("INVALID", f"items: the claim has no item {', '.join(sorted(unknown))}")
    try:
        found = portrait.adjudicated(claim, context, command.items)
    except ValueError as error:
        return Problem("INVALID", f"items: {error}")
    if found is None:
        return _no_terms(claim, context)
    if command.amount is None or command.amount >= found.approved_net:
        return found
    return _cut(claim, context, command, found)


def _no_terms(claim: Claim, context: Context) -> Problem:
    """There is nothing to adjudicate under: guard G03 in its own words, or G12's about two currencies."""
    version = portrait.terms(claim, context)
    if version is not None:
        theirs = version.limit.currency
        return Problem(
            "GUARD_FAILED",
            f"the claim is in {claim.currency} and the policy in {theirs}, and nothing is exchanged here: the claimant "
            f"withdraws it and reports the loss in {theirs}",
            "G12",
        )
    codes = ", ".join(in_force_failures(portrait.cover(claim, context)))
    day = claim.notice.loss_date
    return Problem("GUARD_FAILED", f"no policy version was in force on the loss date {day}: {codes}", "G03")


def _cut(
    claim: Claim,
    context: Context,
    command: commands.ApproveClaim | commands.ProposeDecision,
    found: Adjudication,
) -> Adjudication | Problem:
    """Disallow so much, in proportion over the items, that the net is the amount that the person allows."""
    amount = command.amount
    assert amount is not None
    if amount.minor < 0:
        return Problem("INVALID", f"amount: {amount} is below zero")
    covered = [line.covered.minor for line in found.lines]
    deductible = sum(line.deductible.minor for line in found.lines)
    borne = sum((line.coinsurance or _ZERO).minor + (line.copay or _ZERO).minor for line in found.lines)
    off = split_minor(max(sum(covered) - deductible - borne - amount.minor, 0), covered)
    reasons = command.reason_codes or (INSUFFICIENT_PROOF,)
    given = {known.item_id: known for known in command.items}
    cut = tuple(
        replace(
            given.get(line.item_id, ItemAssessment(item_id=line.item_id)),
            disallowed=line.disallowed.minor + less,
            reason_codes=reasons,
        )
        for line, less in zip(found.lines, off, strict=True)
        if less
    )
    kept = tuple(known for known in command.items if known.item_id not in {item.item_id for item in cut})
    return portrait.adjudicated(claim, context, (*cut, *kept)) or found


_ZERO = Money(0, "")


def approved(claim: Claim, found: Adjudication, context: Context, *, straight_through: bool = False) -> ClaimApproved:
    """The approval as a fact, with its lines, authority and derived keys."""
    notice, actor = claim.notice, context.actor
    version = portrait.terms(claim, context)
    seconds = seconds_between(claim.submitted_at, context.now)
    partial = found.decision == "partial"
    role = "system" if straight_through else actor.role
    return ClaimApproved(
        decision="partial" if partial else "full",
        approved_net=found.approved_net,
        items=found.lines,
        straight_through=straight_through,
        rule_version=context.rules.version,
        policy_version=found.policy_version,
        proposer_id=claim.proposal.proposer_id if claim.proposal is not None else actor.id,
        approver_id=actor.id,
        authority=_authority(role, notice.line, found.approved_net),
        appeal_text_id=context.rules.partial_appeal_text if partial else "",
        reason_codes=found.codes,
        deductible=version.deductible if version is not None else None,
        limit=version.limit if version is not None else None,
        approved_amount=major(found.approved_net),
        processing_time_hours=hours(seconds),
        processing_seconds=seconds,
    )


def _authority(role: str, line: str, cumulative: Money) -> authority.Authority | None:
    known = next((known for known in authority.ROLES if known == role), None)
    return authority.authority(known, line, cumulative) if known is not None else None


def approve(claim: Claim, command: commands.ApproveClaim, context: Context) -> Body | Problem:
    """`ApproveClaim`; with nothing said about items and amount an approver confirms the proposal as it is."""
    if claim.proposal is not None and command.amount is None and not command.items:
        return _proposed(claim, context)
    if command.ex_gratia:
        return ex_gratia.approved(claim, command, context)
    found = assess(claim, context, command)
    if isinstance(found, Problem):
        return found
    body = approved(claim, found, context)
    if command.amount is not None and command.amount > found.approved_net:
        body = replace(body, approved_net=command.amount, approved_amount=major(command.amount))
    return body


def _proposed(claim: Claim, context: Context) -> Body | Problem:
    """The proposal, adjudicated again with the same deductions, so that a policy that changed is seen."""
    proposal = claim.proposal
    assert proposal is not None
    if proposal.kind == "denied":
        return Problem("WRONG_STATE", "a denial was proposed: reject the claim, or return the proposal")
    if proposal.kind == "ex_gratia":
        return ex_gratia.approval(claim, context, claim.money(proposal.net - claim.paid))
    given = tuple(
        ItemAssessment(
            item_id=line.item_id,
            disallowed=line.disallowed.minor,
            depreciation=line.depreciation.minor,
            reason_codes=line.reason_codes if line.disallowed.minor else (),
        )
        for line in proposal.items
    )
    found = portrait.adjudicated(claim, context, given)
    if found is None:
        return _no_terms(claim, context)
    return approved(claim, found, context)


def proposed(claim: Claim, command: commands.ProposeDecision, context: Context) -> Body | Problem:
    """`ProposeDecision`: an approval with its adjudication, or a denial with its reasons."""
    if command.kind == "deny":
        if not command.reason_codes or not command.provisions:
            return Problem("INVALID", "reason codes and provisions: a proposed denial names both")
        return ApprovalRequested(
            decision="denied",
            proposer_id=context.actor.id,
            proposer_role=context.actor.role,
            approved_net=claim.money(0),
            reason_codes=command.reason_codes,
            provisions=command.provisions,
            policy_version=claim.coverage.policy_version,
            role_needed=authority.role_for(claim.notice.line, claim.notice.claimed, "denial"),
        )
    if command.kind == "ex_gratia":
        return ex_gratia.proposed(claim, command, context)
    found = assess(claim, context, command)
    return found if isinstance(found, Problem) else requested(claim, found, context)


def requested(claim: Claim, found: Adjudication, context: Context) -> ApprovalRequested:
    """The proposal of an approval as a fact, with the role that may confirm it."""
    return ApprovalRequested(
        decision=found.decision,
        proposer_id=context.actor.id,
        proposer_role=context.actor.role,
        approved_net=found.approved_net,
        items=found.lines,
        reason_codes=found.codes,
        policy_version=found.policy_version,
        role_needed=authority.role_for(claim.notice.line, found.approved_net),
    )


def returned(claim: Claim, command: commands.ReturnProposal, context: Context) -> Body | Problem:
    """`ReturnProposal`: with a reason."""
    if not command.reason:
        return Problem("INVALID", "reason: the proposer must know why")
    return ApprovalReturned(approver_id=context.actor.id, reason=command.reason)


def rejection(
    claim: Claim,
    context: Context,
    reason_codes: tuple[str, ...],
    provisions: tuple[str, ...],
    appeal_text_id: str,
    *,
    clerical: bool = False,
) -> ClaimRejected:
    """The denial as a fact, with the lines that lead to it where there are terms."""
    rules = context.rules
    found = portrait.adjudicated(claim, context)
    seconds = seconds_between(claim.submitted_at, context.now)
    return ClaimRejected(
        reason_codes=reason_codes,
        provisions=provisions,
        decided_by="clerical" if clerical else context.actor.id,
        proposer_id=claim.proposal.proposer_id if claim.proposal is not None else "",
        clerical_rule="clerical-denial" if clerical else "",
        rule_version=rules.version,
        policy_version=found.policy_version if found is not None else claim.coverage.policy_version,
        second_lookup=max(context.lookups, claim.coverage.lookups) >= 2,
        appeal_text_id=appeal_text_id,
        appeal_by=context.now + timedelta(days=rules.appeal_window_days),
        regulator_id=rules.regulator(claim.notice.jurisdiction),
        items=found.lines if found is not None and found.decision == "denied" else (),
        processing_time_hours=hours(seconds),
        processing_seconds=seconds,
    )


def reject(claim: Claim, command: commands.RejectClaim, context: Context) -> Body | Problem:
    """`RejectClaim`: within the authority to deny; the lowest role only recommends."""
    actor = context.actor
    if actor.role != "system":
        lacking = missing_authority(actor.role, claim.notice.line, claim.currency, claim.claimed, "denial")
        if lacking is not None:
            return Problem("NOT_ALLOWED", lacking)
    codes, provisions = command.reason_codes, command.provisions
    if claim.proposal is not None and claim.proposal.kind == "denied":
        codes, provisions = codes or claim.proposal.reason_codes, provisions or claim.proposal.provisions
    return rejection(claim, context, codes, provisions, command.appeal_text_id, clerical=actor.role == "system")


def rescinded(claim: Claim, command: commands.RescindDecision, context: Context) -> Body | Problem:
    """`RescindDecision`: with a reason, which the claimant is told."""
    if not command.reason:
        return Problem("INVALID", "reason: the claimant is told why")
    return DecisionRescinded(
        reason=command.reason, rescinded_by=context.actor.id, approved_net=claim.money(claim.approved)
    )


def owner_after_rescission(draft: Draft, command: object) -> None:
    """A claim that a machine decided has no owner yet."""
    give_owner(draft, "decision rescinded")


def escalated(claim: Claim, command: commands.ApproveClaim, context: Context) -> ApprovalRequested | None:
    """The proposal instead of an approval that only lacks authority."""
    if claim.state != "ASSIGNED" or not command.escalate or command.ex_gratia:
        return None
    found = assess(claim, context, command)
    return None if isinstance(found, Problem) else requested(claim, found, context)
