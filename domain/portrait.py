"""The claim as the calculating rules see it: tier, cover, red flags, duplicates, adjudication, assignment.

Each function turns a claim and a context into the arguments of one pure rule and returns its answer
unchanged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain import triage
from domain.adjudication import Adjudication, AssessedItem, Used, adjudicate
from domain.assignment import Assignment, Deferred, Subject, assign, assign_manually, preferences
from domain.calendar import local_day
from domain.coverage import CoverageResult, LossFacts, check_cover
from domain.duplicates import DuplicateMatch, LossTrace, best_match
from domain.money import CurrencyMismatch
from domain.policy import PolicyVersion, cover_increased_on, inception, version_on
from domain.portrait_notice import triage_facts
from domain.red_flags import RedFlagFacts, RedFlags, red_flags

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from domain.bodies.intake import ClaimSubmitted
    from domain.claim_record import Claim
    from domain.commands import ItemAssessment
    from domain.context import Context
    from domain.roster import Catastrophe


def reported_day(notice: ClaimSubmitted, context: Context) -> date:
    """The day of the report where the policy lives."""
    return local_day(notice.reported_at, context.zone)


def cover(claim: Claim, context: Context, duplicate_score: int = 0) -> CoverageResult:
    """All checks of cover on the loss date."""
    notice, history = claim.notice, context.history
    facts = LossFacts(
        loss_day=notice.loss_date,
        reported_day=reported_day(notice, context),
        peril=notice.peril,
        claimant_id=notice.claimant_id,
        items=notice.items,
        duplicate_score=duplicate_score,
        other_insurance=history.other_insurance,
        deductible_used=history.deductible_used,
        limit_used=history.limit_used,
    )
    return check_cover(context.policy, facts)


def terms(claim: Claim, context: Context) -> PolicyVersion | None:
    """The version in force on the loss date, or None."""
    return version_on(context.policy, claim.notice.loss_date) if context.policy is not None else None


def trace(claim: Claim) -> LossTrace:
    """The claim as duplicates compare it."""
    notice = claim.notice
    return LossTrace(
        claim_id=claim.claim_id,
        policy_number=notice.policy_number,
        loss_day=notice.loss_date,
        peril=notice.peril,
        claimed=notice.claimed,
        asset=notice.asset_key,
        claimant=notice.claimant_id,
    )


def similar(claim: Claim, context: Context) -> DuplicateMatch | None:
    """The other claim that looks most like this one, from a score that is worth a look."""
    others = context.history.similar
    return best_match(trace(claim), others) if others else None


def flags(claim: Claim, context: Context) -> RedFlags:
    """Red flags of the notice under the policy (restricted)."""
    notice, history, policy = claim.notice, context.history, context.policy
    version = terms(claim, context)
    facts = RedFlagFacts(
        loss_day=notice.loss_date,
        reported_day=reported_day(notice, context),
        claimed=notice.claimed,
        limit=version.limit if version is not None else None,
        inception=inception(policy) if policy is not None else None,
        cover_increased_on=cover_increased_on(policy, notice.loss_date) if policy is not None else None,
        injured_count=notice.injured_count,
        trivial_damage=notice.severity == "trivial",
        theft="theft" in notice.peril,
        total_loss=notice.severity == "total",
        police_report=notice.police_report,
        claims_in_24_months=history.claims_in_24_months,
        shared_contact=history.shared_contact,
        document_reused=history.document_reused,
    )
    return red_flags(facts)


def adjudicated(claim: Claim, context: Context, assessments: Sequence[ItemAssessment] = ()) -> Adjudication | None:
    """What the policy pays for the claim; None without terms in the claim's currency."""
    version = terms(claim, context)
    if version is None:
        return None
    by_item = {given.item_id: given for given in assessments}
    items = []
    for item in claim.notice.items:
        given = by_item.get(item.item_id)
        if given is None:
            items.append(AssessedItem(item.item_id, item.coverage, item.claimed))
        else:
            items.append(
                AssessedItem(
                    item.item_id,
                    item.coverage,
                    item.claimed,
                    given.disallowed,
                    given.depreciation,
                    given.reason_codes,
                )
            )
    history = context.history
    used = Used(paid=claim.paid, deductible=history.deductible_used, limit=history.limit_used)
    try:
        return adjudicate(items, version, used)
    except CurrencyMismatch:
        return None


def subject(claim: Claim, context: Context, barred: frozenset[str] = frozenset()) -> Subject:
    """The claim as assignment sees it."""
    notice, ties = claim.notice, context.ties
    siu = claim.siu.status in ("referred", "confirmed")
    facts = triage_facts(notice, siu=siu)
    catastrophe = _catastrophe(notice, context)
    return Subject(
        line=notice.line,
        jurisdiction=notice.jurisdiction,
        tier=triage.tier(facts),
        weight=triage.weight(facts),
        day=context.today,
        parties=frozenset((notice.claimant_id, notice.insured_id)),
        restricted=bool(notice.restricted_group),
        barred=barred,
        catastrophe=catastrophe.code if catastrophe is not None else "",
        group=catastrophe.adjusters if catastrophe is not None else frozenset(),
        preferences=preferences(
            # One adjuster for all claims of a storm would be no help to anybody.
            same_event=ties.same_event if ties.same_event and catastrophe is None else None,
            household=ties.household or None,
            previous=_previous(claim, barred),
            days_since_closing=_days_closed(claim, context),
        ),
    )


def _catastrophe(notice: ClaimSubmitted, context: Context) -> Catastrophe | None:
    """The catastrophe that the loss belongs to; the first of several."""
    for known in context.roster.catastrophes if context.roster is not None else ():
        if known.holds(notice.jurisdiction, notice.peril, notice.loss_date, notice.loss_event):
            return known
    return None


def _previous(claim: Claim, barred: frozenset[str]) -> str | None:
    name = claim.previous_owner
    return name if claim.reopen_count and name and name not in barred else None


def _days_closed(claim: Claim, context: Context) -> int:
    return (context.now - claim.last_closed_at).days if claim.last_closed_at is not None else 0


def assignment(
    claim: Claim, context: Context, adjuster_id: str = "", barred: frozenset[str] = frozenset()
) -> Assignment | Deferred | None:
    """Who gets the claim by rule, or the named adjuster if he passes the filter; None without a roster."""
    if context.roster is None:
        return None
    about = subject(claim, context, barred)
    if adjuster_id:
        return assign_manually(context.roster, about, adjuster_id)
    return assign(context.roster, about)
