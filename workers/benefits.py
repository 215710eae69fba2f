"""The explanation of benefits of one claim: what was claimed, what was taken off and why, what is paid. Reads nothing.

Two readers: the claimant, who may not see who decided under which authority, and the file, which has to show it.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from domain.adjudication import Line
from domain.authority import Authority
from domain.bodies.deciding import AppealDecided, AppealFiled, ClaimApproved, ClaimRejected
from domain.bodies.paying import InterestAdded, PaymentCompleted
from domain.calendar import local_day
from domain.money import Money
from domain.reasons import PROVISIONS
from domain.rules import DEFAULT_RULES
from workers.zones import zone_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, tzinfo

    from domain.claim_record import Claim
    from domain.events import Fact
    from domain.rules import Rules

IN_WORDS = {
    "NO_POLICY_FOUND": "we found no policy with this number",
    "LOSS_BEFORE_INCEPTION": "the loss happened before the policy began",
    "LOSS_AFTER_EXPIRY": "the loss happened after the policy had ended",
    "POLICY_CANCELLED": "the policy was cancelled or lapsed on the day of the loss",
    "COVERAGE_NOT_HELD": "the policy does not include this coverage",
    "PERIL_EXCLUDED": "the policy excludes this cause of loss",
    "WAITING_PERIOD": "the waiting period of this coverage was not over",
    "NOT_AN_INSURED": "whoever claims is not insured under the policy",
    "LATE_NOTICE": "the loss was reported after the notice period",
    "DUPLICATE": "the same loss is handled, or was paid, under another claim",
    "BELOW_DEDUCTIBLE": "the covered loss is not above the deductible, which the policyholder bears",
    "LIMIT_EXHAUSTED": "the covered loss is above the most that the policy pays",
    "MISREPRESENTATION": "facts that matter were concealed or told wrongly",
    "INSUFFICIENT_PROOF": "what was sent in does not prove this part of the loss",
    "EX_GRATIA": "the policy does not owe this; we give it all the same, and owe nothing further because of it",
}
"""Reason code -> what it means, for people who never saw one."""

OTHERWISE = "as the adjuster explained in the letter"
"""What is said of a code that is not one of ours."""

ROLES_IN_WORDS = {
    "system": "the house's rules, no person",
    "adjuster_i": "Adjuster I",
    "adjuster_ii": "Adjuster II",
    "senior_adjuster": "Senior adjuster",
    "claims_manager": "Claims manager",
    "committee": "Committee",
}

DECISIONS_IN_WORDS = {"full": "approved in full", "partial": "approved in part", "denied": "denied"}


class Reason(msgspec.Struct, frozen=True, rename="camel"):
    """Why something was taken off or denied, in words, and the provision of the policy that it rests on."""

    code: str
    words: str
    provision: str


class Paid(msgspec.Struct, frozen=True, rename="camel"):
    """A payment that has left."""

    on: date
    amount: Money
    kind: str
    reference: str


class Interest(msgspec.Struct, frozen=True, rename="camel"):
    """Interest for late payment: simple, at so many basis points a year."""

    amount: Money
    principal: Money
    basis_points: int
    days: int
    since: date
    until: date


class Appeal(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The right to another look: until when, at which authority besides; and what became of it."""

    by: date | None
    regulator: str
    filed_on: date | None = None
    outcome: str = ""
    decided_on: date | None = None


class Decided(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """For the file, never for the claimant: who decided, under which authority, by which rules."""

    by: str
    proposed_by: str = ""
    authority: Authority | None = None
    straight_through: bool = False
    rule_version: str = ""


class Benefits(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The whole explanation. Amounts of `items` are those of the adjudication, line by line."""

    claim_id: str
    state: str
    decision: str
    decided_on: date | None
    policy_number: str
    policy_version: int | None
    line: str
    peril: str
    loss_date: date
    reported_on: date
    claimed: Money
    items: tuple[Line, ...]
    reasons: tuple[Reason, ...]
    reason_codes: tuple[str, ...]
    deductible: Money | None
    limit: Money | None
    approved: Money
    paid: Money
    balance: Money
    payments: tuple[Paid, ...]
    interest: tuple[Interest, ...]
    appeal: Appeal | None
    decided: Decided | None

    def for_claimant(self) -> Benefits:
        """The same without what the claimant's side may not see."""
        return msgspec.structs.replace(self, decided=None, state="")


def benefits(claim: Claim, facts: Sequence[Fact], rules: Rules = DEFAULT_RULES) -> Benefits:
    """The explanation of a claim from its facts in order (those of its decisions and payments are enough)."""
    decision, zone = claim.decision, zone_of(claim.notice.jurisdiction)
    approved = _last(facts, ClaimApproved) if decision.kind in ("full", "partial") else None
    rejected = _last(facts, ClaimRejected) if decision.kind == "denied" else None
    items = decision.items or (rejected.items if rejected is not None else ())
    provisions = rejected.provisions if rejected is not None else ()
    return Benefits(
        claim_id=claim.claim_id,
        state=claim.state.value,
        decision=decision.kind,
        decided_on=local_day(decision.decided_at, zone) if decision.decided_at is not None else None,
        policy_number=claim.notice.policy_number,
        policy_version=decision.policy_version,
        line=claim.notice.line,
        peril=claim.notice.peril,
        loss_date=claim.notice.loss_date,
        reported_on=local_day(claim.notice.reported_at, zone),
        claimed=claim.notice.claimed,
        items=items,
        reasons=_reasons(items, decision.reason_codes, provisions),
        reason_codes=decision.reason_codes,
        deductible=approved.deductible if approved is not None else None,
        limit=claim.money(decision.limit) if decision.limit is not None else None,
        approved=claim.money(claim.approved),
        paid=claim.money(claim.paid),
        balance=claim.money(claim.balance),
        payments=tuple(_paid(fact.body, zone) for fact in facts if isinstance(fact.body, PaymentCompleted)),
        interest=tuple(_interest(fact.body) for fact in facts if isinstance(fact.body, InterestAdded)),
        appeal=_appeal(claim, facts, rejected, rules),
        decided=_decided(claim, approved, rejected),
    )


def _last(facts: Iterable[Fact], kind: type[Any]) -> Any:
    found = None
    for fact in facts:
        if isinstance(fact.body, kind):
            found = fact.body
    return found


def _reasons(items: Sequence[Line], codes: Sequence[str], provisions: Sequence[str]) -> tuple[Reason, ...]:
    """Every code of the decision and of its lines, once, in that order, with its provision."""
    cited = dict(zip(codes, provisions, strict=False))
    every = dict.fromkeys((*codes, *(code for line in items for code in line.reason_codes)))
    return tuple(
        Reason(
            code, IN_WORDS.get(code, "as the adjuster wrote in the file"), cited.get(code) or PROVISIONS.get(code, "")
        )
        for code in every
    )


def _paid(body: PaymentCompleted, zone: tzinfo) -> Paid:
    return Paid(local_day(body.cleared_at, zone), body.amount, body.kind, body.provider_ref)


def _interest(body: InterestAdded) -> Interest:
    return Interest(body.amount, body.principal, body.basis_points, body.days, body.since, body.until)


def _appeal(claim: Claim, facts: Sequence[Fact], rejected: ClaimRejected | None, rules: Rules) -> Appeal | None:
    """A denial and a partial approval may be appealed; a full approval may not."""
    decided, zone = claim.decision.decided_at, zone_of(claim.notice.jurisdiction)
    if claim.decision.kind not in ("denied", "partial") or decided is None:
        return None
    by: datetime = decided + timedelta(days=rules.appeal_window_days)
    if rejected is not None and rejected.appeal_by is not None:
        by = rejected.appeal_by
    filed = [fact for fact in facts if isinstance(fact.body, AppealFiled)]
    answered = [(local_day(fact.at, zone), fact.body) for fact in facts if isinstance(fact.body, AppealDecided)]
    open_ = len(filed) > len(answered)
    return Appeal(
        by=local_day(by, zone),
        regulator=(rejected.regulator_id if rejected is not None else "") or rules.regulator(claim.notice.jurisdiction),
        filed_on=local_day(filed[-1].at, zone) if filed else None,
        outcome="" if open_ or not answered else answered[-1][1].outcome,
        decided_on=None if open_ or not answered else answered[-1][0],
    )


def _decided(claim: Claim, approved: ClaimApproved | None, rejected: ClaimRejected | None) -> Decided | None:
    decision = claim.decision
    if approved is not None:
        proposer = approved.proposer_id if approved.proposer_id != approved.approver_id else ""
        return Decided(
            approved.approver_id, proposer, approved.authority, approved.straight_through, approved.rule_version
        )
    if rejected is not None:
        clerical = rejected.decided_by == "clerical"
        return Decided(rejected.decided_by, rejected.proposer_id, None, clerical, rejected.rule_version)
    return Decided(decision.decider_id) if decision.kind != "none" else None
