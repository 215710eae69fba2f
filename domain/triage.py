"""How difficult a claim is: its tier, which skill must reach, and its weight, which loads an adjuster.

All figures are defaults of design/domain.md section 8.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from domain.authority import stp_limit
from domain.money import Money

Tier = Literal["FAST", "STANDARD", "COMPLEX", "SPECIALIST"]

TIERS: Final[tuple[Tier, ...]] = ("FAST", "STANDARD", "COMPLEX", "SPECIALIST")
RANK: Final[dict[str, int]] = {tier: rank for rank, tier in enumerate(TIERS)}

COMPLEX_ABOVE: Final = {"USD": 5_000_000}
"""Claimed amount, in minor units, above which a claim is COMPLEX; no row: amount alone never raises it."""
LARGE_LOSS_ABOVE: Final = {"USD": 25_000_000}
"""Claimed amount, in minor units, above which a claim is a large loss (default: a claims manager's limit)."""

SMALL_PERILS: Final = frozenset(("glass", "parked_car"))


class TriageFacts(msgspec.Struct, frozen=True):
    """`injured_count` are people, not items. `minors`: a minor is involved, which raises the tier by one."""

    line: str
    peril: str
    claimed: Money
    injured_count: int = 0
    theft: bool = False
    total_loss: bool = False
    fatality: bool = False
    litigated: bool = False
    siu: bool = False
    minors: bool = False


def tier(facts: TriageFacts) -> Tier:
    """The skill that the claim needs."""
    found = _tier(facts)
    if facts.minors:
        return TIERS[min(RANK[found] + 1, len(TIERS) - 1)]
    return found


def _tier(facts: TriageFacts) -> Tier:
    claimed, currency = facts.claimed.minor, facts.claimed.currency
    serious = facts.injured_count > 0 or facts.fatality or facts.litigated or facts.siu
    if serious or _above(claimed, LARGE_LOSS_ABOVE.get(currency)):
        return "SPECIALIST"
    if facts.theft or facts.total_loss or _above(claimed, COMPLEX_ABOVE.get(currency)):
        return "COMPLEX"
    limit = stp_limit(facts.line, currency)
    if facts.peril in SMALL_PERILS and limit is not None and claimed <= limit.minor:
        return "FAST"
    return "STANDARD"


def _above(minor: int, threshold: int | None) -> bool:
    return threshold is not None and minor > threshold


def weight(facts: TriageFacts) -> int:
    """Work units: glass 1, property damage 2, theft or total loss 3, injury 5, litigated or SIU 8."""
    if facts.litigated or facts.siu:
        return 8
    if facts.injured_count > 0 or facts.fatality:
        return 5
    if facts.theft or facts.total_loss:
        return 3
    return 1 if facts.peril == "glass" else 2
