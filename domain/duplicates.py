"""Is this loss already on another claim? A score between two claims; a person decides.

No machine closes a motor or property duplicate. Assets and claimants are compared by keyed blind index, so
no plate and no name is needed here. Weights are defaults of design/domain.md section 7.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from domain.money import Money

if TYPE_CHECKING:
    from collections.abc import Iterable

SAME_LOSS: Final = 60
"""Same policy, same peril, loss dates at most one day apart: all three together."""
SAME_AMOUNT: Final = 15
SAME_ASSET: Final = 15
SAME_CLAIMANT: Final = 10

POSSIBLE_FROM: Final = 60
PROBABLE_FROM: Final = 85
AMOUNT_PERCENT: Final = 2

Grade = Literal["none", "possible", "probable"]


class LossTrace(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What of a claim is compared. `asset` (plate, asset or provider) and `claimant` are blind indexes;
    empty means unknown and matches nothing.
    """

    claim_id: str
    policy_number: str
    loss_day: date
    peril: str
    claimed: Money
    asset: str = ""
    claimant: str = ""


class DuplicateMatch(msgspec.Struct, frozen=True, rename="camel"):
    """The most similar other claim."""

    claim_id: str
    score: int
    grade: Grade


def duplicate_score(one: LossTrace, other: LossTrace) -> int:
    """0 to 100, the same from both sides; 0 for a claim and itself."""
    if one.claim_id == other.claim_id:
        return 0
    score = 0
    if _same_loss(one, other):
        score += SAME_LOSS
    if _same_amount(one.claimed, other.claimed):
        score += SAME_AMOUNT
    if one.asset and one.asset == other.asset:
        score += SAME_ASSET
    if one.claimant and one.claimant == other.claimant:
        score += SAME_CLAIMANT
    return score


def grade(score: int) -> Grade:
    """The word for a score: none, possible (60 to 84) or probable."""
    if score >= PROBABLE_FROM:
        return "probable"
    return "possible" if score >= POSSIBLE_FROM else "none"


def best_match(claim: LossTrace, others: Iterable[LossTrace]) -> DuplicateMatch | None:
    """The other claim with the highest score of at least `POSSIBLE_FROM`; ties go to the smaller claim id."""
    best: DuplicateMatch | None = None
    for other in others:
        score = duplicate_score(claim, other)
        if score < POSSIBLE_FROM:
            continue
        if best is None or (-score, other.claim_id) < (-best.score, best.claim_id):
            best = DuplicateMatch(other.claim_id, score, grade(score))
    return best


def _same_loss(one: LossTrace, other: LossTrace) -> bool:
    return (
        bool(one.policy_number)
        and one.policy_number == other.policy_number
        and one.peril == other.peril
        and abs((one.loss_day - other.loss_day).days) <= 1
    )


def _same_amount(one: Money, other: Money) -> bool:
    if one.currency != other.currency:
        return False
    return 100 * abs(one.minor - other.minor) <= AMOUNT_PERCENT * max(one.minor, other.minor)
