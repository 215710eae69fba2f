"""The arithmetic of payments: attempts, balance, reversal, interest, recovery, as facts change them.

The reserve goes down when money has left (payment completed), never before; it goes up again when money
comes back, so that incurred = paid + outstanding holds at every step. Interest is a payment of its own and
never touches the indemnity reserve.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from domain.facets import Payment, Recovery

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from domain.bodies import paying
    from domain.claim_record import Claim

MAX_ATTEMPTS = 3
"""Attempts of one payment before a person must look (D, design/domain.md G20)."""


def payment_id(claim_id: str, number: int) -> str:
    """The provider's idempotency key of the claim's `number`-th payment (from 1); unique because the claim
    id is.
    """
    return f"PAY-{claim_id}-{number}"


def next_payment(claim: Claim) -> tuple[str, int]:
    """Kind and amount (minor units) of what should be paid next: indemnity first, then interest; amount 0
    for nothing.
    """
    indemnity = claim.approved - claim.paid
    if indemnity > 0:
        return "indemnity", indemnity
    return "interest", max(claim.interest - claim.paid_interest, 0)


def find(claim: Claim, payment_id: str) -> Payment | None:
    """The payment with this id; the last attempt when it was tried again."""
    for payment in reversed(claim.payments):
        if payment.id == payment_id:
            return payment
    return None


def _initiated(claim: Claim, body: paying.PaymentInitiated, at: datetime) -> dict[str, Any]:
    payment = Payment(
        id=body.payment_id,
        kind=body.kind,
        amount=body.amount.minor,
        status="pending",
        attempt=body.attempt,
        initiated_at=at,
    )
    others = tuple(known for known in claim.payments if known.id != body.payment_id)
    return {"payments": (*others, payment), "payment_hold": ""}


def _completed(claim: Claim, body: paying.PaymentCompleted, at: datetime) -> dict[str, Any]:
    amount = body.amount.minor
    changed = _changed(claim, body.payment_id, status="completed", provider_ref=body.provider_ref)
    return {"payments": changed} | _moved(claim, body.kind, amount)


def _failed(claim: Claim, body: paying.PaymentFailed, at: datetime) -> dict[str, Any]:
    changed = _changed(
        claim,
        body.payment_id,
        status="failed",
        retryable=body.retryable,
        retry_at=body.retry_at,
        failed_at=at,
    )
    return {"payments": changed}


def _reversed(claim: Claim, body: paying.PaymentReversed, at: datetime) -> dict[str, Any]:
    known = find(claim, body.payment_id)
    total = (known.reversed_amount if known else 0) + body.amount.minor
    changed = _changed(claim, body.payment_id, status="reversed", reversed_amount=total)
    reopened = {"closed_outcome": "", "closed_at": None, "payment_hold": f"reversed: {body.reason}"}
    return {"payments": changed} | _moved(claim, body.kind, -body.amount.minor) | reopened


def _moved(claim: Claim, kind: str, amount: int) -> dict[str, Any]:
    """Paid goes up by `amount` and the reserve of its kind goes down by it (or back up, when negative)."""
    reserve = claim.reserve
    if kind == "interest":
        return {"paid_interest": claim.paid_interest + amount}
    if kind == "expense":
        return {
            "paid_expense": claim.paid_expense + amount,
            "reserve": replace(reserve, expense=reserve.expense - amount),
        }
    return {"paid": claim.paid + amount, "reserve": replace(reserve, indemnity=reserve.indemnity - amount)}


def _changed(claim: Claim, payment_id: str, **changes: Any) -> tuple[Payment, ...]:
    return tuple(replace(known, **changes) if known.id == payment_id else known for known in claim.payments)


def _interest_added(claim: Claim, body: paying.InterestAdded, at: datetime) -> dict[str, Any]:
    return {"interest": claim.interest + body.amount.minor}


def _recovery_potential(claim: Claim, body: paying.RecoveryPotential, at: datetime) -> dict[str, Any]:
    if claim.recovery.status != "none":
        return {}
    return {"recovery": replace(claim.recovery, status="potential", kind=body.kind)}


def _recovery_recorded(claim: Claim, body: paying.RecoveryRecorded, at: datetime) -> dict[str, Any]:
    amount = body.amount.minor
    before = claim.recovery
    return {
        "recovery": Recovery(
            status=body.stage,
            kind=body.kind,
            demanded=before.demanded + (amount if body.stage == "demanded" else 0),
            received=before.received + (amount if body.stage == "received" else 0),
            deductible_back=before.deductible_back + (body.deductible_share.minor if body.deductible_share else 0),
        )
    }


APPLIERS: dict[str, Callable[[Claim, Any, datetime], dict[str, Any]]] = {
    "claim.payment.initiated": _initiated,
    "claim.payment.completed": _completed,
    "claim.payment.failed": _failed,
    "claim.payment.reversed": _reversed,
    "claim.interest.added": _interest_added,
    "claim.recovery.potential": _recovery_potential,
    "claim.recovery.recorded": _recovery_recorded,
}
"""Event type -> what it changes on the claim."""
