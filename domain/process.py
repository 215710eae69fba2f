"""The process manager's rules: what follows from the state a claim is in. Pure and idempotent.

`advance` adds all facts that follow at once, as one append: called again on the claim that it gives, it
adds nothing. It acts on the state, not on the event that woke it, so a repeated, late or skipped wake-up
does no harm. It asks the same guards as a command; where a guard refuses, the claim waits for a person.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from domain import payment, portrait
from domain.assignment import Assignment, Deferred
from domain.authority import stp_limit
from domain.bodies.base import SYSTEM
from domain.bodies.handling import InformationCompleted, RedFlagsRaised, SiuReferred
from domain.bodies.intake import ClaimAcknowledged
from domain.claim import fitting_row
from domain.coverage import clerical_codes
from domain.decisions import approving, ending, handling, intake, paying
from domain.decisions.draft import Draft
from domain.events import TYPE_OF
from domain.guards import first_refusal
from domain.reasons import PROVISIONS
from domain.red_flags import REFER_FROM, with_flag
from domain.reserve import first_indemnity
from domain.situation import Situation
from domain.transitions import State, rows_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.bodies.base import Body
    from domain.claim_record import Claim
    from domain.context import Context
    from domain.events import NewFact
    from domain.outcome import Accepted


def follow_ups(claim: Claim, context: Context) -> tuple[NewFact, ...]:
    """All facts that follow at once from the claim as it is; empty when it waits for somebody."""
    return advance(claim, context).facts


def advance(claim: Claim, context: Context) -> Accepted:
    """The facts that follow and the claim after them. The actor of all of them is the system."""
    if context.actor is not SYSTEM:
        context = replace(context, actor=SYSTEM)
    draft = Draft(claim, context)
    draft.realise_overdue()
    _raise_flag(draft)
    while _next(draft):
        pass
    return draft.accepted()


def _next(draft: Draft) -> bool:
    """Add what follows from the state; True when something was added and the new state must be looked at."""
    claim = draft.claim
    assert claim is not None
    rule = _RULES.get(claim.state)
    return rule is not None and rule(draft, claim)


_FLAGGED_LATER = frozenset(State) - {State.SUBMITTED, State.CLOSED}
"""Where a document that another claim has already raises its flag; validation looks by itself, and CLOSED rests."""


def _raise_flag(draft: Draft) -> None:
    """A document of this claim was seen on another one: the flag, and the referral where the table lets refer."""
    claim = draft.claim
    assert claim is not None
    known = claim.red_flags.codes
    if not draft.context.history.document_reused or "DOCUMENT_REUSED" in known or claim.state not in _FLAGGED_LATER:
        return
    found = with_flag(known, "DOCUMENT_REUSED")
    claim = draft.emit(RedFlagsRaised(red_flags=found.flags, flag_score=found.score))
    if found.refer and claim.siu.status != "referred" and rows_for(claim.state, "claim.siu.referred"):
        reason = ", ".join(found.codes)
        draft.emit(SiuReferred(by_rule=True, reason=reason, score=found.score, red_flags=found.flags))


def _submitted(draft: Draft, claim: Claim) -> bool:
    """Acknowledge and validate every notice, covered or not; name a suspected duplicate."""
    if claim.acknowledged_at is None:
        claim = draft.emit(ClaimAcknowledged(channel=claim.notice.channel))
    suspicion = intake.duplicate_flagged(claim, draft.context)
    claim = draft.emit(intake.validated(claim, draft.context))
    if suspicion is not None:
        draft.emit(suspicion)
    return True


def _validated(draft: Draft, claim: Claim) -> bool:
    """Deny for a clerical reason, pay a small clean claim straight through, or give it to an adjuster."""
    if not claim.reopen_count and (_deny_clerically(draft, claim) or _approve_straight(draft, claim)):
        return True
    found = portrait.assignment(claim, draft.context)
    if isinstance(found, Assignment):
        _reserve_first(draft, claim)
        claim = draft.emit(handling.assigned_to(claim, found))
        _refer_by_rule(draft, claim)
        return True
    if isinstance(found, Deferred) and claim.deferred_roster != found.roster_version:
        draft.emit(handling.deferred(found))
    return False


def _deny_clerically(draft: Draft, claim: Claim) -> bool:
    context = draft.context
    if claim.coverage.outcome != "fail":
        return False
    codes = clerical_codes(claim.notice.line, portrait.cover(claim, context, claim.duplicate.score))
    if not codes:
        return False
    provisions = tuple(PROVISIONS[code] for code in codes)
    text = context.rules.clerical_appeal_text
    return _allowed(draft, approving.rejection(claim, context, codes, provisions, text, clerical=True))


def _approve_straight(draft: Draft, claim: Claim) -> bool:
    """Only a full approval goes straight through; the cheap looks come first, the guards have the last
    word.
    """
    if claim.coverage.outcome != "pass" or claim.red_flags.codes or claim.notice.injured_count:
        return False
    limit = stp_limit(claim.notice.line, claim.currency)
    if limit is None or first_indemnity(claim.notice.claimed, portrait.terms(claim, draft.context)) > limit:
        return False
    found = portrait.adjudicated(claim, draft.context)
    if found is None or found.decision != "full":
        return False
    return _allowed(draft, approving.approved(claim, found, draft.context, straight_through=True))


def _reserve_first(draft: Draft, claim: Claim) -> None:
    """The first reserve by rule: what would be owed if everything is covered."""
    context = draft.context
    if claim.reserved_once or claim.reserve.total:
        return
    first = first_indemnity(claim.notice.claimed, portrait.terms(claim, context))
    expense = context.rules.expense_reserve.get(claim.notice.line, 0)
    if first.minor or expense:
        draft.emit(handling.reserve_to(claim, first.minor, expense, "first reserve", context.rules.version))


def _refer_by_rule(draft: Draft, claim: Claim) -> None:
    if claim.red_flags.score >= REFER_FROM and claim.siu.status == "none":
        reason = ", ".join(claim.red_flags.codes)
        draft.emit(SiuReferred(by_rule=True, reason=reason, score=claim.red_flags.score))


def _assigned(draft: Draft, claim: Claim) -> bool:
    """A claim that came to ASSIGNED without an owner gets one when somebody can take it."""
    if claim.owner is None:
        handling.give_owner(draft, "no owner")
    _refer_by_rule(draft, claim)
    return draft.claim is not claim and draft.claim is not None and draft.claim.state is not claim.state


def _awaiting(draft: Draft, claim: Claim) -> bool:
    """Everything that was asked for is there: go on."""
    if claim.request is None:
        return False
    return _allowed(draft, InformationCompleted(resume_state=claim.request.resume_state))


def _approved(draft: Draft, claim: Claim) -> bool:
    """Reserve what is owed, then initiate the payment; after a reversal a person says when."""
    potential = paying.recovery_potential(claim)
    if potential is not None:
        claim = draft.emit(potential)
    if not pays_next(claim):
        return False
    kind, amount = payment.next_payment(claim)
    if not _payable(draft, claim, kind, amount):
        return False
    if kind == "indemnity" and claim.reserve.indemnity < amount:
        raised = handling.reserve_to(
            claim,
            amount,
            claim.reserve.expense,
            "raised to the amount that is to be paid",
            draft.context.rules.version,
        )
        claim = draft.emit(raised)
    return _allowed(draft, paying.to_pay(claim, draft.context, kind, amount))


def pays_next(claim: Claim) -> bool:
    """Something is to be paid for the first time and nobody holds it (guard G16 may)."""
    return claim.state is State.APPROVED and not claim.payment_hold and payment.next_payment(claim)[1] > 0


def waits_for_payee(claim: Claim) -> bool:
    """A payment would be made, or made again, by itself, but for its payee: a check or the end of a cool-off frees it.

    A payment that has failed as often as it may is not among them: a person must look.
    """
    if claim.state is State.PAYMENT_FAILED:
        return claim.payments[-1].attempt < payment.MAX_ATTEMPTS
    return pays_next(claim)


def _payable(draft: Draft, claim: Claim, kind: str, amount: int) -> bool:
    """The payee rules hold; asked before the reserve is raised, so that waiting for a payee adds nothing."""
    body = paying.to_pay(claim, draft.context, kind, amount)
    return first_refusal(("G16",), Situation(claim, None, draft.context, body)) is None


def _payment_failed(draft: Draft, claim: Claim) -> bool:
    """Try again when it is time and the guards agree; else a person must look."""
    last = claim.payments[-1]
    retry_now = last.retryable and last.retry_at is not None and draft.context.now >= last.retry_at
    payee = draft.context.payee
    verified_at = payee.verified_at if payee is not None else None
    verified_again = verified_at is not None and last.failed_at is not None and verified_at > last.failed_at
    return (retry_now or verified_again) and _allowed(draft, paying.again(claim, draft.context))


def _close(draft: Draft, claim: Claim) -> bool:
    """Nothing is owed any more: take the reserve to zero and close."""
    if claim.balance and claim.state is State.PAID:
        return False
    body = ending.closed(claim, draft.context)
    released = replace(claim, reserve=type(claim.reserve)())
    if first_refusal(("G18",), Situation(released, None, draft.context, body)) is not None:
        return False
    handling.release_reserve(draft)
    draft.emit(body)
    return True


def _allowed(draft: Draft, body: Body) -> bool:
    """Add the fact when the guards of its row agree; the claim waits otherwise."""
    claim = draft.claim
    assert claim is not None
    row = fitting_row(claim, TYPE_OF[type(body)], body, draft.context.now)
    if row is None or first_refusal(row.guards, Situation(claim, None, draft.context, body)) is not None:
        return False
    draft.emit(body)
    return True


_RULES: dict[State, Callable[[Draft, Claim], bool]] = {
    State.SUBMITTED: _submitted,
    State.VALIDATED: _validated,
    State.ASSIGNED: _assigned,
    State.AWAITING_INFORMATION: _awaiting,
    State.APPROVED: _approved,
    State.PAYMENT_FAILED: _payment_failed,
    State.PAID: _close,
    State.REJECTED: _close,
}
"""State -> what follows from it by itself. In the other states a person, the bank or a clock acts next."""

ACTS_IN = frozenset(_RULES)
"""The states from which something can follow by itself."""

NEEDS_POLICY = frozenset({State.SUBMITTED, State.VALIDATED, State.ASSIGNED})
"""Those of them in which what follows depends on the policy and the roster."""


def in_hand(claim: Claim) -> bool:
    """Somebody works on it: what follows by itself (a referral, a breach) looks at the claim, the rules and the clock,
    never at policy, payee or roster. Half of the claims that events wake are like that.
    """
    return claim.state is State.ASSIGNED and claim.owner is not None
