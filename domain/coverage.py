"""Does the policy answer for this loss? Every check of design/domain.md section 5, in its order.

All results are recorded, not only the first: a letter quotes the first, an examiner wants the rest. A result
is no decision: *fail* does not by itself deny, and a machine denies only for the clerical codes.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final, Literal

import msgspec

from domain.money import Money
from domain.policy import Coverage, Policy, PolicyVersion, held_since, inception, interruption_on, version_on
from domain.reasons import (
    BELOW_DEDUCTIBLE,
    CODES,
    COVERAGE_NOT_HELD,
    DUPLICATE,
    FOREIGN_CURRENCY,
    HELD_CODES,
    IN_FORCE_CODES,
    LATE_NOTICE,
    LIMIT_EXHAUSTED,
    LOSS_AFTER_EXPIRY,
    LOSS_BEFORE_INCEPTION,
    NO_POLICY_FOUND,
    NOT_AN_INSURED,
    OTHER_INSURANCE,
    PERIL_EXCLUDED,
    POLICY_CANCELLED,
    POLICY_QUARANTINED,
    WAITING_PERIOD,
)

Outcome = Literal["pass", "review", "fail"]

DUPLICATE_FROM: Final = 60
"""Score of `domain.duplicates` from which a claim counts as a possible duplicate."""


class ClaimedItem(msgspec.Struct, frozen=True, rename="camel"):
    """One coverage x one claimant of a claim, with the amount asked for."""

    item_id: str
    coverage: str
    claimed: Money


class LossFacts(msgspec.Struct, frozen=True):
    """What the checks need to know of a claim. Days are days in the policy's time zone
    (`domain.calendar.local_day`); the `used` amounts are what other claims took from shared terms.
    """

    loss_day: date
    reported_day: date
    peril: str
    claimant_id: str
    items: tuple[ClaimedItem, ...]
    duplicate_score: int = 0
    other_insurance: bool = False
    deductible_used: int = 0
    limit_used: int = 0


class ItemCover(msgspec.Struct, frozen=True, rename="camel"):
    """Result for one item: the claim-wide codes and its own, in the order of `CODES`."""

    item_id: str
    outcome: Outcome
    codes: tuple[str, ...]


class CoverageResult(msgspec.Struct, frozen=True, rename="camel"):
    """`codes`: every check that failed, in order. `reviews`: why a person must look although none failed."""

    outcome: Outcome
    codes: tuple[str, ...]
    policy_version: int | None
    items: tuple[ItemCover, ...]
    reviews: tuple[str, ...] = ()


def check_cover(policy: Policy | None, facts: LossFacts) -> CoverageResult:
    """Runs every check that can be run. Without a version in force there are no terms to check against."""
    version = version_on(policy, facts.loss_day) if policy is not None else None
    shared = _in_force_codes(policy, version, facts)
    own: tuple[frozenset[str], ...] = (frozenset(),) * len(facts.items)
    reviews = _reviews(policy, facts)
    exhausted = False
    if policy is not None and version is not None:
        shared |= _claim_codes(policy, version, facts)
        own = tuple(_item_codes(policy, version, facts, item) for item in facts.items)
        if FOREIGN_CURRENCY not in reviews:
            shared_money, own, exhausted = _money_codes(version, facts, own)
            shared |= shared_money
    if facts.duplicate_score >= DUPLICATE_FROM:
        shared |= {DUPLICATE}
    items = tuple(
        _item_cover(item, shared | codes, reviews, exhausted) for item, codes in zip(facts.items, own, strict=True)
    )
    codes = _in_order(shared.union(*own))
    return CoverageResult(
        outcome=_whole_outcome(items, _outcome(codes, reviews, exhausted)),
        codes=codes,
        policy_version=version.version if version is not None else None,
        items=items,
        reviews=reviews,
    )


def _in_force_codes(policy: Policy | None, version: PolicyVersion | None, facts: LossFacts) -> frozenset[str]:
    if policy is None:
        return frozenset((NO_POLICY_FOUND,))
    codes = set()
    if version is None:
        before = facts.loss_day < inception(policy)
        codes.add(LOSS_BEFORE_INCEPTION if before else LOSS_AFTER_EXPIRY)
    if interruption_on(policy, facts.loss_day) is not None:
        codes.add(POLICY_CANCELLED)
    return frozenset(codes)


def _claim_codes(policy: Policy, version: PolicyVersion, facts: LossFacts) -> frozenset[str]:
    codes = set()
    if facts.claimant_id not in policy.insureds:
        codes.add(NOT_AN_INSURED)
    if version.notice_days is not None and (facts.reported_day - facts.loss_day).days > version.notice_days:
        codes.add(LATE_NOTICE)
    return frozenset(codes)


def _item_codes(policy: Policy, version: PolicyVersion, facts: LossFacts, item: ClaimedItem) -> frozenset[str]:
    coverage = version.coverage(item.coverage)
    if coverage is None:
        return frozenset((COVERAGE_NOT_HELD,))
    codes = set()
    if not covers_peril(coverage, facts.peril):
        codes.add(PERIL_EXCLUDED)
    if coverage.waiting_days:
        since = held_since(policy, coverage.code, facts.loss_day) or version.effective
        if facts.loss_day < since + timedelta(days=coverage.waiting_days):
            codes.add(WAITING_PERIOD)
    return frozenset(codes)


def covers_peril(coverage: Coverage, peril: str) -> bool:
    """Named (or nothing is named) and not excluded."""
    return peril not in coverage.exclusions and (not coverage.perils or peril in coverage.perils)


def _money_codes(
    version: PolicyVersion, facts: LossFacts, own: tuple[frozenset[str], ...]
) -> tuple[frozenset[str], tuple[frozenset[str], ...], bool]:
    """Deductible and limits over the items that are held: claim-wide codes, codes per item, nothing left."""
    held = [not codes for codes in own]
    asked = sum(item.claimed.minor for item, is_held in zip(facts.items, held, strict=True) if is_held)
    if asked == 0:
        return frozenset(), own, False
    deductible = max(version.deductible.minor - facts.deductible_used, 0)
    remaining = max(version.limit.minor - facts.limit_used, 0)
    codes = set()
    if asked <= deductible:
        codes.add(BELOW_DEDUCTIBLE)
    after = max(asked - deductible, 0) if version.deductible_first else asked
    if after > remaining:
        codes.add(LIMIT_EXHAUSTED)
    per_item = tuple(
        before | {LIMIT_EXHAUSTED} if is_held and _above_sub_limit(version, facts, item.coverage) else before
        for item, before, is_held in zip(facts.items, own, held, strict=True)
    )
    return frozenset(codes), per_item, remaining == 0


def _above_sub_limit(version: PolicyVersion, facts: LossFacts, code: str) -> bool:
    coverage = version.coverage(code)
    if coverage is None or coverage.sub_limit is None:
        return False
    return sum(item.claimed.minor for item in facts.items if item.coverage == code) > coverage.sub_limit.minor


def _reviews(policy: Policy | None, facts: LossFacts) -> tuple[str, ...]:
    reviews = []
    if facts.other_insurance:
        reviews.append(OTHER_INSURANCE)
    if policy is not None:
        if policy.quarantine is not None:
            reviews.append(POLICY_QUARANTINED)
        if any(item.claimed.currency != policy.currency for item in facts.items):
            reviews.append(FOREIGN_CURRENCY)
    return tuple(reviews)


_LOOK: Final = frozenset((LATE_NOTICE, DUPLICATE, LIMIT_EXHAUSTED))
"""Codes that a person weighs: late notice needs prejudice, a duplicate a look, a limit leaves a rest."""


def _outcome(codes: tuple[str, ...], reviews: tuple[str, ...], exhausted: bool) -> Outcome:
    if POLICY_QUARANTINED in reviews:
        return "review"
    if any(code not in _LOOK for code in codes) or (exhausted and LIMIT_EXHAUSTED in codes):
        return "fail"
    return "review" if codes or reviews else "pass"


def _item_cover(item: ClaimedItem, codes: frozenset[str], reviews: tuple[str, ...], exhausted: bool) -> ItemCover:
    ordered = _in_order(codes)
    return ItemCover(item.item_id, _outcome(ordered, reviews, exhausted), ordered)


def _whole_outcome(items: tuple[ItemCover, ...], without_items: Outcome) -> Outcome:
    """One item that is not covered does not fail the others: the whole is then for review."""
    outcomes = {item.outcome for item in items}
    if len(outcomes) > 1:
        return "review"
    return outcomes.pop() if outcomes else without_items


def _in_order(codes: frozenset[str]) -> tuple[str, ...]:
    return tuple(code for code in CODES if code in codes) if codes else ()


def in_force_failures(result: CoverageResult) -> tuple[str, ...]:
    """The codes that fail guard G03: no version was in force on the loss date."""
    return tuple(code for code in result.codes if code in IN_FORCE_CODES)


def held_failures(result: CoverageResult) -> tuple[str, ...]:
    """The codes that fail guard G04 for every item: the coverage is held for none of them."""
    for item in result.items:
        if not HELD_CODES.intersection(item.codes):
            return ()
    return tuple(code for code in result.codes if code in HELD_CODES)


def clerical_codes(line: str, result: CoverageResult) -> tuple[str, ...]:
    """The codes for which a machine may deny after a second look-up (none: a person decides).

    A quarantined policy proves nothing, so nothing is clerical then.
    """
    if POLICY_QUARANTINED in result.reviews:
        return ()
    clerical = {NO_POLICY_FOUND, LOSS_BEFORE_INCEPTION, LOSS_AFTER_EXPIRY}
    if line == "health":
        clerical |= {DUPLICATE, NOT_AN_INSURED}
    return tuple(code for code in result.codes if code in clerical)
