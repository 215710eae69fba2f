"""What is payable, item by item, with every step kept as a line so that a person can follow it.

`covered = claimed - disallowed - depreciation`; `after = max(covered - deductible, 0)`;
`net = min(after, sub-limit, limit remaining)` (design/domain.md section 6). The deductible and the limits are
the claim's; each is divided over the items by largest remainder, so items add up to the total exactly.
Health adds the member's share (coinsurance, copay, out-of-pocket maximum) between deductible and limit.

For every line: covered = deductible + coinsurance + copay + over_limit + net, and no part is below zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from domain.cost_sharing import member_share
from domain.money import CurrencyMismatch, Money, split_minor
from domain.reasons import BELOW_DEDUCTIBLE, COVERAGE_NOT_HELD, LIMIT_EXHAUSTED, PROVISIONS, REASON_CODES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.policy import PolicyVersion

Decision = Literal["full", "partial", "denied"]


class AssessedItem(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """An item as the adjuster (or the straight-through rule) assessed it, amounts in minor units.

    `disallowed` is not owed under the policy, for `reason_codes`; `depreciation` is wear.
    """

    item_id: str
    coverage: str
    claimed: Money
    disallowed: int = 0
    depreciation: int = 0
    reason_codes: tuple[str, ...] = ()


class Line(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One item's way from claimed to net: a line of the explanation of benefits."""

    item_id: str
    coverage: str
    claimed: Money
    disallowed: Money
    depreciation: Money
    covered: Money
    deductible: Money
    over_limit: Money
    net: Money
    reason_codes: tuple[str, ...] = ()
    provision: str = ""
    coinsurance: Money | None = None
    copay: Money | None = None


class Adjudication(msgspec.Struct, frozen=True, rename="camel"):
    """The sum of the lines. `approved_net` is cumulative; `payable_now` is what is not paid yet."""

    lines: tuple[Line, ...]
    claimed: Money
    approved_net: Money
    payable_now: Money
    decision: Decision
    codes: tuple[str, ...]
    policy_version: int


class Used(msgspec.Struct, frozen=True):
    """What was taken before, in minor units: `paid` on this claim; the rest by others from shared terms."""

    paid: int = 0
    deductible: int = 0
    limit: int = 0
    out_of_pocket: int = 0


NOTHING_USED: Final = Used()


class _Steps(msgspec.Struct, frozen=True):
    """Minor units per item at each step."""

    deductible: tuple[int, ...]
    coinsurance: tuple[int, ...]
    copay: tuple[int, ...]
    over_limit: tuple[int, ...]
    net: tuple[int, ...]


def adjudicate(items: Sequence[AssessedItem], version: PolicyVersion, used: Used = NOTHING_USED) -> Adjudication:
    """Adjudicates all items of a claim under one version of the policy.

    An item whose coverage is not held is disallowed whole. Raises `CurrencyMismatch` for an item in another
    currency than the policy's limit, and `ValueError` for an assessment that takes more than was claimed.
    """
    currency = version.limit.currency
    assessed = [_within_coverage(item, version, currency) for item in items]
    covered = [item.claimed.minor - item.disallowed - item.depreciation for item in assessed]
    steps = _steps(assessed, covered, version, used)
    below = _below_deductible(covered, steps, version)
    lines = tuple(
        _line(_with_money_codes(item, steps.over_limit[i], below), covered[i], steps, i, version)
        for i, item in enumerate(assessed)
    )
    net = sum(steps.net)
    return Adjudication(
        lines=lines,
        claimed=Money(sum(item.claimed.minor for item in assessed), currency),
        approved_net=Money(net, currency),
        payable_now=Money(max(net - used.paid, 0), currency),
        decision=_decision(assessed, steps, net),
        codes=_codes(lines),
        policy_version=version.version,
    )


def _within_coverage(item: AssessedItem, version: PolicyVersion, currency: str) -> AssessedItem:
    if item.claimed.currency != currency:
        raise CurrencyMismatch(f"item {item.item_id} is in {item.claimed.currency}, the policy in {currency}")
    claimed = item.claimed.minor
    if min(claimed, item.disallowed, item.depreciation) < 0 or item.disallowed + item.depreciation > claimed:
        raise ValueError(f"item {item.item_id}: what is taken off must lie between 0 and the claim")
    if version.coverage(item.coverage) is None:
        return msgspec.structs.replace(
            item, disallowed=claimed, depreciation=0, reason_codes=_with(item.reason_codes, COVERAGE_NOT_HELD)
        )
    return item


def _steps(items: list[AssessedItem], covered: list[int], version: PolicyVersion, used: Used) -> _Steps:
    none = (0,) * len(items)
    remaining = max(version.limit.minor - used.limit, 0)
    due = max(version.deductible.minor - used.deductible, 0)
    if not version.deductible_first:
        over = _over_limits(items, covered, version, remaining)
        left = [c - o for c, o in zip(covered, over, strict=True)]
        deductible = split_minor(min(due, sum(left)), left)
        net = tuple(a - d for a, d in zip(left, deductible, strict=True))
        return _Steps(deductible, none, none, over, net)
    deductible = split_minor(min(due, sum(covered)), covered)
    after = [c - d for c, d in zip(covered, deductible, strict=True)]
    coinsurance = copay = none
    if version.cost_sharing is not None:
        spent = used.out_of_pocket + sum(deductible)
        coinsurance, copay = member_share(after, version.cost_sharing, spent)
        after = [a - i - p for a, i, p in zip(after, coinsurance, copay, strict=True)]
    over = _over_limits(items, after, version, remaining)
    net = tuple(a - o for a, o in zip(after, over, strict=True))
    return _Steps(deductible, coinsurance, copay, over, net)


def _over_limits(
    items: list[AssessedItem], amounts: list[int], version: PolicyVersion, remaining: int
) -> tuple[int, ...]:
    """What exceeds the sub-limits and then the claim's limit, per item."""
    kept = list(amounts)
    for coverage in version.coverages:
        if coverage.sub_limit is not None:
            within = [i for i, item in enumerate(items) if item.coverage == coverage.code]
            _cap(kept, within, coverage.sub_limit.minor)
    _cap(kept, list(range(len(kept))), remaining)
    return tuple(amount - keep for amount, keep in zip(amounts, kept, strict=True))


def _cap(amounts: list[int], positions: list[int], limit: int) -> None:
    """Cuts the amounts at the positions to `limit` in all, in proportion."""
    weights = [amounts[i] for i in positions]
    if sum(weights) > limit:
        for i, part in zip(positions, split_minor(limit, weights), strict=True):
            amounts[i] = part


def _below_deductible(covered: list[int], steps: _Steps, version: PolicyVersion) -> bool:
    """The deductible took all that it was held against."""
    base = sum(covered) - (0 if version.deductible_first else sum(steps.over_limit))
    return 0 < base == sum(steps.deductible)


def _with_money_codes(item: AssessedItem, over_limit: int, below_deductible: bool) -> AssessedItem:
    codes = item.reason_codes
    if below_deductible and item.disallowed < item.claimed.minor:
        codes = _with(codes, BELOW_DEDUCTIBLE)
    if over_limit:
        codes = _with(codes, LIMIT_EXHAUSTED)
    return item if codes is item.reason_codes else msgspec.structs.replace(item, reason_codes=codes)


def _line(item: AssessedItem, covered: int, steps: _Steps, i: int, version: PolicyVersion) -> Line:
    currency = version.limit.currency
    sharing = version.cost_sharing is not None
    return Line(
        item_id=item.item_id,
        coverage=item.coverage,
        claimed=item.claimed,
        disallowed=Money(item.disallowed, currency),
        depreciation=Money(item.depreciation, currency),
        covered=Money(covered, currency),
        deductible=Money(steps.deductible[i], currency),
        over_limit=Money(steps.over_limit[i], currency),
        net=Money(steps.net[i], currency),
        reason_codes=item.reason_codes,
        provision=_provision(item.reason_codes, version, item.coverage),
        coinsurance=Money(steps.coinsurance[i], currency) if sharing else None,
        copay=Money(steps.copay[i], currency) if sharing else None,
    )


def _provision(codes: tuple[str, ...], version: PolicyVersion, coverage: str) -> str:
    """What the letter cites: the provision of the first reason, else the coverage's own."""
    if codes:
        return PROVISIONS.get(codes[0], "")
    held = version.coverage(coverage)
    return held.provision if held is not None else ""


def _decision(items: list[AssessedItem], steps: _Steps, net: int) -> Decision:
    """Full: nothing disallowed and no limit hit. A deductible alone does not make it partial."""
    if net == 0:
        return "denied"
    return "partial" if any(item.disallowed for item in items) or any(steps.over_limit) else "full"


def _codes(lines: tuple[Line, ...]) -> tuple[str, ...]:
    found = {code for line in lines for code in line.reason_codes}
    known = tuple(code for code in REASON_CODES if code in found)
    return known + tuple(sorted(found.difference(REASON_CODES)))


def _with(codes: tuple[str, ...], code: str) -> tuple[str, ...]:
    return codes if code in codes else (*codes, code)
