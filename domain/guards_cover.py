"""Guards on cover, duplicates, straight-through and assignment: G03 to G07."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain import authority, portrait
from domain.bodies import deciding, handling
from domain.coverage import held_failures, in_force_failures
from domain.duplicates import POSSIBLE_FROM

if TYPE_CHECKING:
    from domain.situation import Situation


def g03(situation: Situation) -> str | None:
    """A policy version in force on the loss date."""
    if _is_given(situation):
        return None
    failed = in_force_failures(situation.cover)
    day = situation.claim.notice.loss_date
    return f"no policy version was in force on the loss date {day}: {', '.join(failed)}" if failed else None


def g04(situation: Situation) -> str | None:
    """Coverage for the peril held, not excluded, waiting period served, claimant insured."""
    if _is_given(situation):
        return None
    failed = held_failures(situation.cover)
    peril = situation.claim.notice.peril
    return f"the policy does not answer for {peril or 'this peril'}: {', '.join(failed)}" if failed else None


def _is_given(situation: Situation) -> bool:
    """Ex gratia: it is not given under the policy, so the policy is not asked."""
    return isinstance(situation.body, deciding.ClaimApproved) and situation.body.ex_gratia is not None


def g05(situation: Situation) -> str | None:
    """Duplicate score below the threshold, or cleared by a person; looked at again now, not only at
    validation.
    """
    claim = situation.claim
    if claim.duplicate.status == "cleared":
        return None
    if claim.duplicate.status in ("suspected", "confirmed"):
        return f"a duplicate is {claim.duplicate.status} (score {claim.duplicate.score}): a person clears it"
    match = portrait.similar(claim, situation.context)
    if match is not None and match.score >= POSSIBLE_FROM:
        return f"{match.claim_id} looks alike (score {match.score}): a person must clear it first"
    return None


def g06(situation: Situation) -> str | None:
    """Straight-through: small, clean, complete, in force, no flag, not in the sample."""
    claim, context, body = situation.claim, situation.context, situation.body
    if context.actor.role != "system":
        return "only the straight-through rule approves an unassigned claim"
    net = body.approved_net.minor if isinstance(body, deciding.ClaimApproved) else 0
    limit = authority.stp_limit(claim.notice.line, claim.currency)
    if limit is None or net > limit.minor:
        return f"{claim.money(net)} is above the straight-through limit {limit or 'of this line (none)'}"
    if claim.reopen_count:
        return "a reopened claim never goes straight through"
    if claim.notice.injured_count or any(
        item.coverage == "injury" and item.claimed.minor for item in claim.notice.items
    ):
        return "somebody is injured"
    if not claim.proof_of_loss:
        return f"documents are missing: {', '.join(claim.missing_documents)}"
    if claim.coverage.outcome != "pass":
        return f"coverage is {claim.coverage.outcome}: {', '.join(claim.coverage.codes) or 'for review'}"
    if claim.red_flags.codes:
        return "a red flag needs a person's look"
    if context.rules.in_sample(claim.claim_id):
        return "drawn for the quality sample"
    return g03(situation) or g04(situation)


def g07(situation: Situation) -> str | None:
    """The assignee passes the filter: active, in office, licensed, skilled, below capacity, no conflict."""
    body = situation.body
    if not isinstance(body, handling.ClaimAssigned | handling.ClaimReassigned):
        return None
    for candidate in body.candidates:
        if candidate.adjuster_id == body.adjuster_id:
            refused = candidate.refused_by
            return f"{body.adjuster_id} cannot take the claim: {refused.replace('_', ' ')}" if refused else None
    return f"{body.adjuster_id} is not on the roster (version {body.roster_version})"
