"""Signs that a person should look twice, each with a weight; 50 in all refer the claim to SIU.

A flag is a reason to look, never a reason to deny; any flag stops straight-through. What a flag may use is
the closed list of `RedFlagFacts`: never sex, education, occupation, hobbies, relationship or capital gains.
All weights and spans are defaults of design/domain.md section 7; nothing here ever reaches a claimant.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final, Literal

import msgspec

from domain.money import Money

REFER_FROM: Final = 50
"""Sum of weights from which the claim is referred to SIU."""

WEIGHTS: Final = {
    "NEW_POLICY": 25,
    "INJURY_TRIVIAL_DAMAGE": 25,
    "COVER_INCREASED": 20,
    "NO_POLICE_REPORT": 20,
    "FREQUENCY": 20,
    "NEAR_LIMIT": 10,
    "LATE_REPORT": 10,
    "SHARED_CONTACT": 40,
    "DOCUMENT_REUSED": 50,
}
"""Every flag and its weight; flags are recorded in this order."""

NEW_POLICY_DAYS: Final = 30
COVER_INCREASED_DAYS: Final = 60
FREQUENT_CLAIMS: Final = 3
LATE_REPORT_DAYS: Final = 30
NEAR_LIMIT_PART: Final = 20
"""Near the limit: the claimed amount is at most one part in 20 (5 %) away from it, on either side."""

PoliceReport = Literal["yes", "no", "unknown"]
"""Unknown is not no."""


class RedFlagFacts(msgspec.Struct, frozen=True):
    """What the flags may look at; a fact that nobody knows stays at its default and raises nothing.

    `inception`: first day of the policy. `cover_increased_on`: see `domain.policy.cover_increased_on`.
    `claims_in_24_months` counts this claim too.
    """

    loss_day: date
    reported_day: date
    claimed: Money
    limit: Money | None = None
    inception: date | None = None
    cover_increased_on: date | None = None
    injured_count: int = 0
    trivial_damage: bool = False
    theft: bool = False
    total_loss: bool = False
    police_report: PoliceReport = "unknown"
    claims_in_24_months: int = 1
    shared_contact: bool = False
    document_reused: bool = False


class RedFlag(msgspec.Struct, frozen=True, rename="camel"):
    """One sign, with its weight."""

    code: str
    weight: int


class RedFlags(msgspec.Struct, frozen=True, rename="camel"):
    """The flags in the order of `WEIGHTS`, their sum, and whether that refers the claim to SIU."""

    flags: tuple[RedFlag, ...]
    score: int
    refer: bool

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes alone."""
        return tuple(flag.code for flag in self.flags)


def red_flags(facts: RedFlagFacts) -> RedFlags:
    """Every flag that the facts raise."""
    raised = {
        "NEW_POLICY": _within(facts.inception, facts.loss_day, NEW_POLICY_DAYS),
        "INJURY_TRIVIAL_DAMAGE": facts.injured_count > 0 and facts.trivial_damage,
        "COVER_INCREASED": _within(facts.cover_increased_on, facts.loss_day, COVER_INCREASED_DAYS),
        "NO_POLICE_REPORT": facts.police_report == "no" and (facts.theft or facts.total_loss),
        "FREQUENCY": facts.claims_in_24_months >= FREQUENT_CLAIMS,
        "NEAR_LIMIT": _near_limit(facts.claimed, facts.limit),
        "LATE_REPORT": facts.reported_day - facts.loss_day > timedelta(days=LATE_REPORT_DAYS),
        "SHARED_CONTACT": facts.shared_contact,
        "DOCUMENT_REUSED": facts.document_reused,
    }
    flags = tuple(RedFlag(code, weight) for code, weight in WEIGHTS.items() if raised[code])
    score = sum(flag.weight for flag in flags)
    return RedFlags(flags=flags, score=score, refer=score >= REFER_FROM)


def with_flag(codes: tuple[str, ...], code: str) -> RedFlags:
    """The flags that were known and one more, in their order."""
    flags = tuple(RedFlag(known, weight) for known, weight in WEIGHTS.items() if known in codes or known == code)
    score = sum(flag.weight for flag in flags)
    return RedFlags(flags=flags, score=score, refer=score >= REFER_FROM)


def _within(earlier: date | None, loss_day: date, days: int) -> bool:
    """`earlier` lies at most `days` before the loss; a day after the loss is not "before"."""
    return earlier is not None and 0 <= (loss_day - earlier).days <= days


def _near_limit(claimed: Money, limit: Money | None) -> bool:
    if limit is None or limit.minor <= 0 or limit.currency != claimed.currency:
        return False
    return NEAR_LIMIT_PART * abs(claimed.minor - limit.minor) <= limit.minor
