"""Facts from the first notice to validation: submitted, acknowledged, validated, duplicates."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import msgspec

from domain.bodies.base import Body
from domain.coverage import ClaimedItem, ItemCover
from domain.money import Money
from domain.red_flags import PoliceReport, RedFlag


class ClaimSubmitted(Body, frozen=True, kw_only=True):
    """A loss was reported. `severity` is trivial, minor, major or total; `police_report` yes, no or
    unknown (which is not no); `cause` product or contractor, when somebody else's thing or work caused the loss.

    `asset_key`, `phone_key` and `account_key` (where the reporter wants to be called, and to be paid) can be compared
    and not be read. `amount` is the claimed total in major units, derived for lab readers (a JSON number), never read
    back.
    """

    source: str
    source_ref: str
    channel: str
    reporter_role: str
    policy_number: str
    line: str
    peril: str
    jurisdiction: str
    loss_date: date
    reported_at: datetime
    items: tuple[ClaimedItem, ...]
    claimed: Money
    insured_id: str = ""
    injured_count: int = 0
    vehicles: int = 0
    severity: str = ""
    police_report: PoliceReport = "unknown"
    property_damage: str = "unknown"
    fault_percent: int | None = None
    minors: bool = False
    fatality: bool = False
    litigation: bool = False
    loss_event: str = ""
    cause: str = ""
    asset_key: str = ""
    phone_key: str = ""
    account_key: str = ""
    restricted_group: str = ""
    description: str = ""
    loss_location: str = ""
    amount: Decimal | None = None


class ClaimAcknowledged(Body, frozen=True, kw_only=True):
    """The claimant was told that the notice is registered."""

    channel: str = ""


class ClaimValidated(Body, frozen=True, kw_only=True):
    """Cover was checked on the loss date; all results are recorded. A fail does not by itself deny."""

    coverage: str
    codes: tuple[str, ...] = ()
    items: tuple[ItemCover, ...] = ()
    policy_version: int | None = None
    reviews: tuple[str, ...] = ()
    lookups: int = 1
    duplicate_score: int = 0
    red_flags: tuple[RedFlag, ...] = ()
    flag_score: int = 0
    required_documents: tuple[str, ...] = ()
    rule_version: str = ""


class DuplicateCandidate(msgspec.Struct, frozen=True, rename="camel"):
    """Another claim that looks alike, with its score."""

    claim_id: str
    score: int


class DuplicateFlagged(Body, frozen=True, kw_only=True):
    """Another claim looks like this one; a person must clear or confirm it."""

    score: int
    candidates: tuple[DuplicateCandidate, ...] = ()


class DuplicateConfirmed(Body, frozen=True, kw_only=True):
    """A person found the claim to be a duplicate of the surviving one; it is closed."""

    surviving_claim_id: str
    decided_by: str
    reason: str
    outcome: str = "duplicate"
    weight: int = 0
    """What the adjuster no longer carries."""


class DuplicateCleared(Body, frozen=True, kw_only=True):
    """A person found that the claim is no duplicate."""

    decided_by: str
    reason: str
