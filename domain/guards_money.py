"""Guards on money: authority (G10), the net (G12), payments (G15, G16, G20)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, cast

from domain import authority, payment
from domain.bodies import deciding, handling, paying
from domain.money import Money

if TYPE_CHECKING:
    from datetime import datetime

    from domain.claim_record import Claim
    from domain.context import Payee
    from domain.situation import Situation


def g10(situation: Situation) -> str | None:
    """The actor's authority reaches the claim's cumulative amount, this decision included."""
    claim, actor, body = situation.claim, situation.context.actor, situation.body
    if isinstance(body, paying.PaymentReversed):
        return _may_reverse(situation)
    if isinstance(body, handling.ReserveChanged):
        if actor.role == "system":
            return None
        kind, minor = "reserve", claim.paid_all + body.indemnity.minor + body.expense.minor
    elif isinstance(body, deciding.ClaimApproved) and body.ex_gratia is not None:
        return _may_give(situation, body.ex_gratia)
    elif isinstance(body, deciding.ClaimApproved):
        kind, minor = "indemnity", body.approved_net.minor
    elif isinstance(body, deciding.DecisionRescinded):
        kind, minor = "indemnity", body.approved_net.minor
    else:
        return None
    lacking = missing_authority(actor.role, claim.notice.line, claim.currency, minor, kind)
    if lacking is None and isinstance(body, deciding.ClaimApproved):
        return _second_of_the_committee(situation, body)
    return lacking


def _second_of_the_committee(situation: Situation, body: deciding.ClaimApproved) -> str | None:
    """What only the committee may decide takes two: a manager or member proposes, another member confirms."""
    claim, net = situation.claim, body.approved_net
    if authority.may_decide("claims_manager", claim.notice.line, net):
        return None
    proposal = claim.proposal
    if proposal is not None and proposal.proposer_role in ("claims_manager", "committee"):
        return None
    return f"{net} takes two people: a claims manager or member of the committee must propose it first"


def _may_give(situation: Situation, amount: Money) -> str | None:
    """Ex gratia: a manager up to a limit, above it two of the committee."""
    role, proposal = situation.context.actor.role, situation.claim.proposal
    needed = authority.role_for_ex_gratia(amount)
    if not authority.at_least(role, needed):
        return f"{amount} ex gratia is above the authority of {role or '(none)'}: {needed} may give it"
    if needed == "committee" and (proposal is None or proposal.proposer_role not in ("claims_manager", "committee")):
        return f"{amount} ex gratia takes two people: a claims manager or member of the committee must propose it first"
    return None


def missing_authority(role: str, line: str, currency: str, minor: int, kind: str) -> str | None:
    """The sentence when the role may not decide this amount of this kind; None when it may."""
    amount = Money(minor, currency)
    if role not in authority.ROLES:
        return f"the role {role or '(none)'} has no authority over {kind}"
    what = cast("authority.Kind", kind)
    if authority.may_decide(role, line, amount, what):
        return None
    limit = authority.limit(role, line, currency, what)
    needed = authority.role_for(line, amount, what)
    return f"{kind} of {amount} in all is above the authority of {role} ({limit}): {needed} may decide it"


def _may_reverse(situation: Situation) -> str | None:
    """A return by the bank is a fact; a void or stop by a person needs a manager."""
    actor, body = situation.context.actor, situation.body
    if isinstance(body, paying.PaymentReversed) and body.provider_ref and actor.role in ("system", "payments", "bank"):
        return None
    if actor.role in ("claims_manager", "committee"):
        return None
    return "to reverse a payment without a bank's return needs a claims manager"


def g12(situation: Situation) -> str | None:
    """Approved net <= min(covered loss - deductible remaining, limit remaining), and not below what was
    paid.
    """
    claim, context, body = situation.claim, situation.context, situation.body
    if not isinstance(body, deciding.ClaimApproved):
        return None
    net = body.approved_net
    if body.ex_gratia is not None:
        return _gift_refused(claim, body)
    if context.policy is not None and context.policy.quarantine is not None:
        return f"the policy is quarantined ({context.policy.quarantine}): correct and release it first"
    if net.currency != claim.currency:
        return f"the claim is in {claim.currency}, the approval in {net.currency}"
    most = situation.payable
    if most is None:
        return "there are no terms in the claim's currency to adjudicate under"
    if net > most.approved_net:
        return f"{net} is above what the policy pays, {most.approved_net} after deductible and limit"
    if sum(item.net.minor for item in body.items) != net.minor:
        return f"the items do not add up to {net}"
    if net.minor <= 0:
        return "nothing is payable: a claim with net zero is denied, not approved"
    if net.minor < claim.paid:
        return f"{net} is below what has been paid already, {claim.money(claim.paid)}"
    return None


def _gift_refused(claim: Claim, body: deciding.ClaimApproved) -> str | None:
    """What is given ex gratia stays within what was claimed, and within the limit where there is one."""
    net, limit = body.approved_net, body.limit
    if net > claim.notice.claimed:
        return f"{net} in all is above what was claimed, {claim.notice.claimed}"
    if limit is not None and net > limit:
        return f"{net} in all is above the limit of the policy, {limit}"
    return None


def g15(situation: Situation) -> str | None:
    """Payment id unused; amount within what is owed and reserved; the approval's currency."""
    claim, body = situation.claim, situation.body
    if not isinstance(body, paying.PaymentInitiated):
        return None
    amount = body.amount
    known = payment.find(claim, body.payment_id)
    if known is not None and (known.status != "failed" or body.attempt == 1):
        return f"payment {body.payment_id} exists already"
    if amount.currency != claim.currency:
        return f"the approval is in {claim.currency}, the payment in {amount.currency}"
    if amount.minor <= 0:
        return "nothing is owed"
    owed, reserved = _owed_and_reserved(situation, body.kind)
    if amount.minor > owed:
        return f"{amount} is more than is owed: {claim.money(owed)} ({body.kind})"
    if reserved is not None and amount.minor > reserved:
        return f"{amount} is more than is reserved: {claim.money(reserved)}"
    return None


def _owed_and_reserved(situation: Situation, kind: str) -> tuple[int, int | None]:
    claim = situation.claim
    pending = claim.pending_amount
    if kind == "interest":
        return claim.interest - claim.paid_interest - pending, None
    if kind == "expense":
        return claim.reserve.expense - pending, claim.reserve.expense - pending
    return claim.approved - claim.paid - pending, claim.reserve.indemnity - pending


def g16(situation: Situation) -> str | None:
    """The payee is verified and clear, the bank details are old enough or called back, and dual control
    holds.
    """
    claim, context, body = situation.claim, situation.context, situation.body
    payee = context.payee
    if payee is None:
        return "the payee is not known"
    refused = _payee_refused(payee, situation)
    if refused is not None or not isinstance(body, paying.PaymentInitiated):
        return refused
    if authority.needs_dual_control(body.amount) and body.payer_id == claim.decision.decider_id:
        return f"above the dual-control limit the payer is not the approver ({body.payer_id})"
    return None


def _payee_refused(payee: Payee, situation: Situation) -> str | None:
    if not payee.verified:
        return f"the payee {payee.payee_id} is not verified"
    if not payee.sanctions_clear:
        return f"the sanctions screen of {payee.payee_id} is not clear"
    ends = cool_off_ends(payee)
    if ends is not None and situation.context.now < ends:
        return f"bank details changed within {authority.BANK_COOL_OFF_DAYS} days without a call-back"
    return None


def cool_off_ends(payee: Payee) -> datetime | None:
    """The first moment at which changed bank details may be paid to; None: there is nothing to wait for."""
    if payee.bank_changed_at is None or payee.called_back:
        return None
    return payee.bank_changed_at + timedelta(days=authority.BANK_COOL_OFF_DAYS)


def g20(situation: Situation) -> str | None:
    """Fewer than three attempts, and the failure is retryable or the payee was verified again after it."""
    claim, payee = situation.claim, situation.context.payee
    if not claim.payments:
        return "no payment has failed"
    last = claim.payments[-1]
    if last.attempt >= payment.MAX_ATTEMPTS:
        return f"payment {last.id} failed {last.attempt} times: a person must look"
    if last.retryable:
        return None
    again = payee.verified_at if payee is not None else None
    if again is None or last.failed_at is None or again <= last.failed_at:
        return "the failure is final: verify the payee's details again first"
    return None
