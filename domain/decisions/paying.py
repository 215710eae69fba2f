"""Money leaves, arrives, fails, comes back; interest for late payment; recovery."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from domain import payment, sla
from domain.bodies.base import SYSTEM
from domain.bodies.paying import (
    InterestAdded,
    PaymentCompleted,
    PaymentFailed,
    PaymentInitiated,
    PaymentReversed,
    RecoveryPotential,
    RecoveryRecorded,
)
from domain.calendar import local_day
from domain.decisions.step import Problem
from domain.money import half_up

if TYPE_CHECKING:
    from datetime import date, datetime

    from domain import commands
    from domain.bodies.base import Body
    from domain.claim_record import Claim
    from domain.context import Context
    from domain.decisions.draft import Draft
    from domain.facets import Payment


def to_pay(claim: Claim, context: Context, kind: str, amount: int, payment_id: str = "") -> PaymentInitiated:
    """A first attempt of the claim's next payment (minor units); G15 and G16 judge it."""
    payee = context.payee
    return PaymentInitiated(
        payment_id=payment_id or payment.payment_id(claim.claim_id, len(claim.payments) + 1),
        kind=kind,
        amount=claim.money(amount),
        payee_id=payee.payee_id if payee is not None else "",
        method=payee.method if payee is not None else "",
        attempt=1,
        payer_id=context.actor.id,
        account=payee.account if payee is not None else "",
        due_by=pay_by(claim),
    )


def pay_by(claim: Claim) -> datetime | None:
    """When the running pay clock with the earliest due time runs out."""
    dues = [clock.due for key, clock in claim.clocks.items() if key.endswith(".pay") and clock.status != "stopped"]
    return min(dues) if dues else None


def initiate(claim: Claim, command: commands.InitiatePayment, context: Context) -> Body | Problem:
    """`InitiatePayment`: what is owed, or the amount and kind that are named."""
    kind, amount = payment.next_payment(claim)
    if command.kind is not None:
        kind = command.kind
        amount = claim.interest - claim.paid_interest if kind == "interest" else claim.approved - claim.paid
    if command.amount is not None:
        if command.amount.currency != claim.currency:
            return Problem("GUARD_FAILED", f"the approval is in {claim.currency}: {command.amount}", "G15")
        amount = command.amount.minor
    return to_pay(claim, context, kind, amount, command.payment_id)


def retry(claim: Claim, command: commands.RetryPayment, context: Context) -> Body | Problem:
    """`RetryPayment`: the same payment id, the next attempt."""
    return again(claim, context)


def again(claim: Claim, context: Context) -> PaymentInitiated:
    """The next attempt of the payment that failed."""
    last = claim.payments[-1]
    payee = context.payee
    return PaymentInitiated(
        payment_id=last.id,
        kind=last.kind,
        amount=claim.money(last.amount),
        payee_id=payee.payee_id if payee is not None else "",
        method=payee.method if payee is not None else "",
        attempt=last.attempt + 1,
        payer_id=context.actor.id,
        account=payee.account if payee is not None else "",
        due_by=pay_by(claim),
    )


def confirmation_fits(claim: Claim, command: commands.ConfirmPayment) -> Problem | None:
    """A confirmation comes late, twice, or for nothing that we know."""
    known = payment.find(claim, command.payment_id)
    if known is None:
        return Problem("UNMATCHED", f"the claim has no payment {command.payment_id}")
    if command.amount != claim.money(known.amount):
        return Problem(
            "UNMATCHED", f"payment {known.id} is {claim.money(known.amount)}, the bank says {command.amount}"
        )
    if known.status in ("completed", "reversed"):
        return Problem("REPEATED", f"payment {known.id} was confirmed already")
    if known.status != "pending":
        return Problem("UNMATCHED", f"payment {known.id} is {known.status}: look before it is paid twice")
    return None


def confirmed(claim: Claim, command: commands.ConfirmPayment, context: Context) -> Body | Problem:
    """`ConfirmPayment`: paid total and balance as they are after it."""
    known = payment.find(claim, command.payment_id)
    assert known is not None
    due = pay_by(claim)
    return PaymentCompleted(
        payment_id=known.id,
        amount=command.amount,
        provider_ref=command.provider_ref,
        cleared_at=command.cleared_at or context.now,
        paid_total=claim.money(claim.paid_all + known.amount),
        balance=claim.money(claim.balance - (known.amount if known.kind != "expense" else 0)),
        kind=known.kind,
        approved_at=claim.approved_at,
        late=due is not None and _left_at(known, command, context) > due,
    )


def _left_at(known: Payment, command: commands.ConfirmPayment, context: Context) -> datetime:
    """When the money left: what the bank says, however late its message; never before it was sent, nor after now."""
    left = max(command.cleared_at or context.now, known.initiated_at or context.now)
    return min(left, context.now)


def add_late_interest(draft: Draft, command: commands.ConfirmPayment) -> None:
    """Before a late indemnity payment is booked: what the law gives for the days past the legal due date.

    The money counts, not the message: a confirmation that comes late owes nobody interest.
    """
    claim, context = draft.claim, draft.context
    assert claim is not None
    known = payment.find(claim, command.payment_id)
    rate = context.rules.late_interest.get(claim.notice.jurisdiction, 0)
    due = _legal_due(claim)
    if known is None or known.kind != "indemnity" or not rate or due is None:
        return
    left = _left_at(known, command, context)
    if left <= due:
        return
    days = -((due - left) // timedelta(days=1))
    body = interest(claim, known, rate, days, local_day(due, context.zone), local_day(left, context.zone))
    if body.amount.minor > 0:
        draft.emit(body, actor=SYSTEM)


def interest(claim: Claim, known: Payment, rate: int, days: int, since: date, until: date) -> InterestAdded:
    """Simple interest on one payment: principal x rate x days / 365, half up; a begun day counts."""
    return InterestAdded(
        amount=claim.money(half_up(known.amount * rate * days, 10_000 * 365)),
        principal=claim.money(known.amount),
        basis_points=rate,
        days=days,
        since=since,
        until=until,
        source=claim.notice.jurisdiction,
    )


def _legal_due(claim: Claim) -> datetime | None:
    dues = [
        clock.due
        for key, clock in claim.clocks.items()
        if key.endswith(".pay") and not key.startswith(sla.INTERNAL) and clock.status != "stopped"
    ]
    return min(dues, default=None)


def failure_fits(claim: Claim, command: commands.FailPayment) -> Problem | None:
    """A failure that is known, or of a payment that is not pending."""
    known = payment.find(claim, command.payment_id)
    if known is None:
        return Problem("UNMATCHED", f"the claim has no payment {command.payment_id}")
    if known.status == "failed":
        return Problem("REPEATED", f"payment {known.id} is known to have failed")
    if known.status != "pending":
        return Problem("UNMATCHED", f"payment {known.id} is {known.status}: a return is a reversal, not a failure")
    return None


def failed(claim: Claim, command: commands.FailPayment, context: Context) -> Body | Problem:
    """`FailPayment`: when it may be tried again, if at all."""
    known = payment.find(claim, command.payment_id)
    assert known is not None
    waits = context.rules.retry_seconds
    again_at = None
    if command.retryable and known.attempt < payment.MAX_ATTEMPTS and known.attempt <= len(waits):
        again_at = context.now + timedelta(seconds=waits[known.attempt - 1])
    return PaymentFailed(
        payment_id=known.id,
        amount=claim.money(known.amount),
        reason=command.reason,
        retryable=command.retryable,
        attempt=known.attempt,
        kind=known.kind,
        retry_at=again_at,
    )


def reversal_fits(claim: Claim, command: commands.ReversePayment) -> Problem | None:
    """A return of what never left, or of what came back already."""
    known = payment.find(claim, command.payment_id)
    if known is None:
        return Problem("UNMATCHED", f"the claim has no payment {command.payment_id}")
    if known.status == "reversed" and known.reversed_amount >= known.amount:
        return Problem("REPEATED", f"payment {known.id} was reversed already")
    if known.status not in ("completed", "reversed"):
        return Problem("UNMATCHED", f"payment {known.id} is {known.status}: nothing to reverse")
    left = known.amount - known.reversed_amount
    if command.amount is not None:
        if command.amount.currency != claim.currency or not 0 < command.amount.minor <= left:
            return Problem("UNMATCHED", f"payment {known.id}: {command.amount} cannot come back of {claim.money(left)}")
    elif known.kind == "expense":
        return Problem("UNMATCHED", "an expense payment is corrected by a note, not reversed here")
    return None


def reversed_(claim: Claim, command: commands.ReversePayment, context: Context) -> Body | Problem:
    """`ReversePayment`: the amount is owed and reserved again; nothing is paid again until a person says
    so.
    """
    known = payment.find(claim, command.payment_id)
    assert known is not None
    left = claim.money(known.amount - known.reversed_amount)
    return PaymentReversed(
        payment_id=known.id,
        amount=command.amount or left,
        reason=command.reason,
        provider_ref=command.provider_ref,
        kind=known.kind,
    )


def recovery_potential(claim: Claim) -> RecoveryPotential | None:
    """A second vehicle and no fault of ours alone, a product or a contractor: somebody else may owe this back."""
    notice = claim.notice
    if claim.recovery.status != "none":
        return None
    if notice.cause:
        return RecoveryPotential(kind="subrogation", basis=f"a {notice.cause} caused the loss")
    if notice.vehicles < 2 or notice.fault_percent == 100:
        return None
    return RecoveryPotential(kind="subrogation", basis="a third party is involved")


def recovery_recorded(claim: Claim, command: commands.RecordRecovery, context: Context) -> Body | Problem:
    """`RecordRecovery`; never reopens."""
    if command.amount.currency != claim.currency or command.amount.minor < 0:
        return Problem("INVALID", f"amount {command.amount}: not below zero and in {claim.currency}")
    share = _deductible_share(claim, command.amount.minor, context) if command.stage == "received" else 0
    return RecoveryRecorded(
        kind=command.kind,
        stage=command.stage,
        amount=command.amount,
        source=command.source,
        deductible_share=claim.money(share) if share else None,
    )


def _deductible_share(claim: Claim, received: int, context: Context) -> int:
    """What of the money goes back to the insured for the deductible: before all else, or as it stood to the loss."""
    borne = sum(line.deductible.minor for line in claim.decision.items)
    left = max(borne - claim.recovery.deductible_back, 0)
    if context.rules.deductible_back == "first" or not borne:
        return min(received, left)
    return min(half_up(received * borne, borne + claim.paid), left)
