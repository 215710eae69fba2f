"""How much a role may decide, per line and per currency, on the claim's cumulative totals.

Cumulative, so that split payments cannot slip under a limit. A currency without a row gives nobody below the
committee any authority: limits are never converted. All figures are defaults of design/domain.md section 8.
"""

from __future__ import annotations

import zlib
from datetime import date
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from domain.money import Money

if TYPE_CHECKING:
    from collections.abc import Iterable

Role = Literal["system", "adjuster_i", "adjuster_ii", "senior_adjuster", "claims_manager", "committee"]
Kind = Literal["indemnity", "reserve", "denial"]

ROLES: Final[tuple[Role, ...]] = (
    "system",
    "adjuster_i",
    "adjuster_ii",
    "senior_adjuster",
    "claims_manager",
    "committee",
)
"""Lowest authority first. Other roles (siu, payments, sla_clock) are known elsewhere and decide nothing."""
PEOPLE: Final[tuple[Role, ...]] = ROLES[1:]
"""The roles of people who decide."""
_RANK: Final[dict[str, int]] = {role: rank for rank, role in enumerate(ROLES)}

NO_LIMIT: Final = None

_STP: Final[dict[tuple[str, str], int]] = {
    ("motor", "USD"): 150_000,
    ("health", "USD"): 100_000,
    ("property", "USD"): 500_000,
}
_PEOPLE: Final[dict[tuple[str, Kind], dict[str, int | None]]] = {
    ("USD", "indemnity"): {
        "adjuster_i": 1_500_000,
        "adjuster_ii": 5_000_000,
        "senior_adjuster": 10_000_000,
        "claims_manager": 25_000_000,
    },
    ("USD", "reserve"): {
        "adjuster_i": 2_500_000,
        "adjuster_ii": 7_500_000,
        "senior_adjuster": 15_000_000,
        "claims_manager": 50_000_000,
    },
    ("USD", "denial"): {
        "adjuster_ii": 5_000_000,
        "senior_adjuster": NO_LIMIT,
        "claims_manager": NO_LIMIT,
    },
}
DUAL_CONTROL_ABOVE: Final = {"USD": 1_000_000}
"""Payment in minor units above which the payer is not the approver; a currency without a row: always."""
EX_GRATIA_MAX: Final = {"USD": 500_000}
"""What a claims manager may give without being owed, in minor units."""
BANK_COOL_OFF_DAYS: Final = 10
"""No payment to bank details younger than this without a call-back."""
QA_PERCENT: Final = 5


class Authority(msgspec.Struct, frozen=True, rename="camel"):
    """What a decision was made under: stored in `claim.approved`. `limit` None: no limit."""

    role: str
    limit: Money | None
    cumulative: Money


class Delegation(msgspec.Struct, frozen=True, rename="camel"):
    """Somebody acts with the role of another for `first <= day <= last`."""

    actor_id: str
    role: str
    first: date
    last: date


def stp_limit(line: str, currency: str) -> Money | None:
    """The largest cumulative amount that goes straight through; None: nothing of this line does."""
    minor = _STP.get((line, currency))
    return Money(minor, currency) if minor is not None else None


def limit(role: str, line: str, currency: str, kind: Kind = "indemnity") -> Money | None:
    """The role's limit; zero for no authority, None for no limit."""
    if role == "committee":
        return NO_LIMIT
    if role == "system":
        return (stp_limit(line, currency) if kind == "indemnity" else None) or Money(0, currency)
    minor = _PEOPLE.get((currency, kind), {}).get(role, 0)
    return Money(minor, currency) if minor is not None else NO_LIMIT


def authority(role: str, line: str, cumulative: Money, kind: Kind = "indemnity") -> Authority:
    """The role's authority beside the claim's cumulative amount, this decision included."""
    return Authority(role, limit(role, line, cumulative.currency, kind), cumulative)


def suffices(held: Authority) -> bool:
    """Guard G10: the limit reaches the cumulative amount. A zero limit decides nothing, not even zero."""
    if held.limit is None:
        return True
    return 0 < held.limit.minor and held.cumulative <= held.limit


def may_decide(role: str, line: str, cumulative: Money, kind: Kind = "indemnity") -> bool:
    """Whether the role alone may decide the cumulative amount."""
    return suffices(authority(role, line, cumulative, kind))


def role_for(line: str, cumulative: Money, kind: Kind = "indemnity") -> Role:
    """The lowest human role that may decide the amount."""
    for role in ROLES[1:]:
        if may_decide(role, line, cumulative, kind):
            return role
    return "committee"


def role_for_ex_gratia(amount: Money) -> Role:
    """Who may give this without owing it; a currency without a row: the committee alone."""
    within = amount.minor <= EX_GRATIA_MAX.get(amount.currency, 0)
    return "claims_manager" if within else "committee"


def at_least(role: str, needed: Role) -> bool:
    """Whether the role stands at or above the needed one; a role that decides nothing never does."""
    return _RANK.get(role, -1) >= _RANK[needed]


def effective_role(actor_id: str, own: str, delegations: Iterable[Delegation], day: date) -> str:
    """The highest role that the actor holds on the day, their own or one delegated to them."""
    held = [d.role for d in delegations if d.actor_id == actor_id and d.first <= day <= d.last]
    return max([own, *held], key=lambda role: _RANK.get(role, -1))


def needs_dual_control(amount: Money) -> bool:
    """Guard G16: above this the payer is not the approver."""
    threshold = DUAL_CONTROL_ABOVE.get(amount.currency)
    return threshold is None or amount.minor > threshold


def in_qa_sample(claim_id: str, percent: int = QA_PERCENT) -> bool:
    """Whether a person re-reads a claim that could go straight through: a stable draw by claim id."""
    return zlib.crc32(claim_id.encode()) % 100 < percent
