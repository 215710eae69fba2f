"""Money set aside for a claim, and what it adds up to.

`incurred = paid + outstanding`; `net incurred = incurred - recovered`. A reserve stands before a payment and
is zero when the claim closes; each change is an event with its reason (design/domain.md sections 2 and 6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from domain.money import Money, zero

if TYPE_CHECKING:
    from domain.policy import PolicyVersion

ReserveKind = Literal["indemnity", "expense"]


class Reserve(msgspec.Struct, frozen=True, rename="camel"):
    """What is outstanding, per kind; never below zero."""

    indemnity: Money
    expense: Money

    @property
    def outstanding(self) -> Money:
        """Both kinds together."""
        return self.indemnity + self.expense


class ReserveChange(msgspec.Struct, frozen=True, rename="camel"):
    """The body of `claim.reserve.changed`: the outstanding amount of one kind, before and after."""

    kind: ReserveKind
    before: Money
    after: Money
    reason: str


def no_reserve(currency: str) -> Reserve:
    """Nothing set aside yet."""
    return Reserve(zero(currency), zero(currency))


def first_indemnity(claimed: Money, version: PolicyVersion | None) -> Money:
    """The first reserve by rule: what would be owed if everything is covered.

    Without terms in the claim's currency it is the claimed amount.
    """
    if version is None or version.limit.currency != claimed.currency:
        return claimed
    after = max(claimed.minor - version.deductible.minor, 0)
    return Money(max(min(after, version.limit.minor), 0), claimed.currency)


def change_to(reserve: Reserve, kind: ReserveKind, after: Money, reason: str) -> ReserveChange | None:
    """The change that makes the outstanding amount `after`; None when it is that already."""
    if after.minor < 0:
        raise ValueError(f"an outstanding reserve cannot be below zero: {after}")
    before = reserve.indemnity if kind == "indemnity" else reserve.expense
    if before == after:
        return None
    return ReserveChange(kind, before, after + zero(before.currency), reason)


def apply_change(reserve: Reserve, change: ReserveChange) -> Reserve:
    """The reserve after the change."""
    if change.kind == "indemnity":
        return Reserve(change.after, reserve.expense)
    return Reserve(reserve.indemnity, change.after)


def before_payment(reserve: Reserve, to_pay: Money) -> ReserveChange | None:
    """The increase that must come before a payment of `to_pay`; None when enough is set aside."""
    if reserve.indemnity >= to_pay:
        return None
    return change_to(reserve, "indemnity", to_pay, "raised to the amount that is to be paid")


def after_payment(reserve: Reserve, kind: ReserveKind, paid: Money) -> Reserve:
    """A payment takes down what was set aside for it, to zero at most."""
    before = reserve.indemnity if kind == "indemnity" else reserve.expense
    left = before - paid
    after = left if left.minor > 0 else zero(before.currency)
    return Reserve(after, reserve.expense) if kind == "indemnity" else Reserve(reserve.indemnity, after)


def release(reserve: Reserve, reason: str) -> tuple[ReserveChange, ...]:
    """The changes that take the reserve to zero, as closing requires."""
    none = zero(reserve.indemnity.currency)
    changes = (change_to(reserve, "indemnity", none, reason), change_to(reserve, "expense", none, reason))
    return tuple(change for change in changes if change is not None)


def incurred(paid: Money, outstanding: Money) -> Money:
    """What the claim costs as far as is known: paid + outstanding."""
    return paid + outstanding


def net_incurred(paid: Money, outstanding: Money, recovered: Money) -> Money:
    """Incurred less what came back."""
    return paid + outstanding - recovered
