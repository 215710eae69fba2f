"""Facts of money: payments, their failures and reversals, interest, recovery."""

from __future__ import annotations

from datetime import date, datetime

from domain.bodies.base import Body
from domain.money import Money


class PaymentInitiated(Body, frozen=True, kw_only=True):
    """Money is to leave. `payment_id` is the provider's idempotency key; kind is indemnity, expense or
    interest.
    """

    payment_id: str
    kind: str
    amount: Money
    payee_id: str
    method: str
    attempt: int
    payer_id: str
    account: str = ""
    due_by: datetime | None = None


class PaymentCompleted(Body, frozen=True, kw_only=True):
    """The provider confirmed. `paid_total` and `balance` are the claim's after it."""

    payment_id: str
    amount: Money
    provider_ref: str
    cleared_at: datetime
    paid_total: Money
    balance: Money
    kind: str = "indemnity"
    approved_at: datetime | None = None
    late: bool = False


class PaymentFailed(Body, frozen=True, kw_only=True):
    """The provider refused; `retryable` says that the same details may be tried again, not before
    `retry_at`.
    """

    payment_id: str
    amount: Money
    reason: str
    retryable: bool
    attempt: int
    kind: str = "indemnity"
    retry_at: datetime | None = None


class PaymentReversed(Body, frozen=True, kw_only=True):
    """A completed payment came back (return, void, stop): the amount is owed again."""

    payment_id: str
    amount: Money
    reason: str
    provider_ref: str = ""
    kind: str = "indemnity"


class InterestAdded(Body, frozen=True, kw_only=True):
    """Interest for late payment is owed: simple interest on `principal` at `basis_points` a year for
    `days`.
    """

    amount: Money
    principal: Money
    basis_points: int
    days: int
    since: date
    until: date
    source: str = ""


class RecoveryPotential(Body, frozen=True, kw_only=True):
    """Somebody else may owe money back: subrogation or salvage, and on what basis."""

    kind: str
    basis: str


class RecoveryRecorded(Body, frozen=True, kw_only=True):
    """A step of a recovery: demanded, received, closed; never reopens a claim."""

    kind: str
    stage: str
    amount: Money
    source: str = ""
    deductible_share: Money | None = None
