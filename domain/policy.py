"""A policy: its versions over time, the coverages of each, and what interrupted it.

Looking up terms is always "on the loss date", never "today". A later version never changes an earlier
decision, because a decision stores the version number that it used. Events and their folding are in
`domain.policy_events`.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

import msgspec

from domain.money import Money


class Coverage(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One promise of a version. `perils` empty: every peril that is not excluded."""

    code: str
    perils: tuple[str, ...] = ()
    exclusions: tuple[str, ...] = ()
    sub_limit: Money | None = None
    waiting_days: int = 0
    provision: str = ""


class CostSharing(msgspec.Struct, frozen=True, rename="camel"):
    """Health: the member's share after the deductible. `coinsurance_bp` in basis points (2_000 = 20 %)."""

    coinsurance_bp: int
    copay: Money
    out_of_pocket_max: Money


class PolicyVersion(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The terms in force for `effective <= day < end` (`end` None: open). Money is in the policy's currency.

    `deductible` and `limit` are per claim. `deductible_first`: the deductible comes off before the limit
    caps (the default of design/domain.md section 6). `notice_days` None: no notice period.
    """

    version: int
    effective: date
    deductible: Money
    limit: Money
    coverages: tuple[Coverage, ...]
    end: date | None = None
    premium: Money | None = None
    deductible_first: bool = True
    notice_days: int | None = None
    cost_sharing: CostSharing | None = None

    def coverage(self, code: str) -> Coverage | None:
        """The coverage with this code, if it is held."""
        for held in self.coverages:
            if held.code == code:
                return held
        return None

    def covers(self, day: date) -> bool:
        """Whether the day lies in the span of these terms."""
        return self.effective <= day and (self.end is None or day < self.end)


Interrupted = Literal["cancelled", "lapsed", "grace"]


class Interruption(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A span `start <= day < end` in which the policy gives no cover; `end` None: until reinstated."""

    kind: Interrupted
    start: date
    end: date | None = None
    reason: str = ""

    def holds_on(self, day: date) -> bool:
        """Whether the day lies in the interruption."""
        return self.start <= day and (self.end is None or day < self.end)


class Policy(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A policy as its events left it.

    `insureds`: subject ids who may claim (the customer is one of them). `quarantine`: why the row cannot be
    trusted; its claims get coverage = review. `revision` counts the events that were folded.
    """

    number: str
    line: str
    jurisdiction: str
    currency: str
    customer_id: str
    insureds: tuple[str, ...]
    versions: tuple[PolicyVersion, ...]
    interruptions: tuple[Interruption, ...] = ()
    asset: str = ""
    quarantine: str | None = None
    revision: int = 1


def version_on(policy: Policy, day: date) -> PolicyVersion | None:
    """The version whose span holds the day; among several the latest made wins. Ignores interruptions."""
    found: PolicyVersion | None = None
    for version in policy.versions:
        if version.covers(day) and (found is None or version.version > found.version):
            found = version
    return found


def interruption_on(policy: Policy, day: date) -> Interruption | None:
    """The first interruption that holds on the day: cancelled, lapsed or in grace."""
    for interruption in policy.interruptions:
        if interruption.holds_on(day):
            return interruption
    return None


def inception(policy: Policy) -> date:
    """The first day of the first version."""
    return min(version.effective for version in policy.versions)


def held_since(policy: Policy, code: str, day: date) -> date | None:
    """Since when a coverage is held without a gap in the versions up to `day`; None: not held then."""
    since: date | None = None
    current = version_on(policy, day)
    while current is not None and current.coverage(code) is not None:
        since = current.effective
        current = _version_before(policy, current)
    return since


def cover_increased_on(policy: Policy, day: date) -> date | None:
    """When the terms in force on `day` last rose above those before: a higher limit or a new coverage."""
    current = version_on(policy, day)
    while current is not None:
        before = _version_before(policy, current)
        if before is None:
            return None
        if current.limit > before.limit or _codes(current) - _codes(before):
            return current.effective
        current = before
    return None


def _codes(version: PolicyVersion) -> set[str]:
    return {coverage.code for coverage in version.coverages}


def _version_before(policy: Policy, version: PolicyVersion) -> PolicyVersion | None:
    """The version that held until `version` took effect; None when there was a gap or nothing."""
    earlier = [
        other
        for other in policy.versions
        if other.version < version.version
        and other.effective < version.effective
        and (other.end is None or other.end >= version.effective)
    ]
    return max(earlier, key=lambda other: other.version, default=None)


def quarantine_reason(version: PolicyVersion, currency: str) -> str | None:
    """Why these terms cannot be real, in one sentence; None when they can."""
    amounts = [("limit", version.limit), ("deductible", version.deductible)]
    if version.premium is not None:
        amounts.append(("premium", version.premium))
    amounts += [(f"sub-limit of {c.code}", c.sub_limit) for c in version.coverages if c.sub_limit is not None]
    for name, amount in amounts:
        if amount.currency != currency:
            return f"the {name} is in {amount.currency}, the policy in {currency}"
        if amount.minor < 0:
            return f"the {name} is below zero: {amount}"
    if version.end is not None and version.end <= version.effective:
        return f"it ends on {version.end} and begins on {version.effective}"
    return None
