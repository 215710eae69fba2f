"""The facets of a claim: facts kept beside its state. Amounts are integers in minor units of the claim's
currency.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from domain.adjudication import Line
from domain.coverage import ItemCover


class Coverage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Is it covered: unverified, pass, review or fail; with the policy version that was used."""

    outcome: str = "unverified"
    codes: tuple[str, ...] = ()
    items: tuple[ItemCover, ...] = ()
    policy_version: int | None = None
    lookups: int = 0


class Decision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What was decided: none, full, partial or denied; by whom, when, on what grounds, item by item."""

    kind: str = "none"
    items: tuple[Line, ...] = ()
    reason_codes: tuple[str, ...] = ()
    policy_version: int | None = None
    proposer_id: str = ""
    decider_id: str = ""
    straight_through: bool = False
    decided_at: datetime | None = None
    limit: int | None = None
    """The most that the policy pays for this claim, as the decision saw it; None before an approval."""


class Proposal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What an adjuster asks an approver to confirm."""

    kind: str
    proposer_id: str
    proposer_role: str
    net: int
    items: tuple[Line, ...] = ()
    reason_codes: tuple[str, ...] = ()
    provisions: tuple[str, ...] = ()
    policy_version: int | None = None


class Siu(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Restricted. `none`, `referred` (the file is open), `cleared`, `confirmed`."""

    status: str = "none"
    by_rule: bool = False


class Duplicate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """`none`, `suspected`, `cleared` (by a person), `confirmed`; the score, and the claim that survives."""

    status: str = "none"
    score: int = 0
    surviving: str = ""


class RedFlags(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Restricted. The codes that validation found and the sum of their weights."""

    codes: tuple[str, ...] = ()
    score: int = 0


class Reserve(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Outstanding: set aside and not yet paid."""

    indemnity: int = 0
    expense: int = 0

    @property
    def total(self) -> int:
        """Indemnity and expense together."""
        return self.indemnity + self.expense


class Payment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One payment: pending, completed, failed or reversed; `reversed_amount` may be a part of the amount."""

    id: str
    kind: str
    amount: int
    status: str
    attempt: int = 1
    retryable: bool = False
    retry_at: datetime | None = None
    failed_at: datetime | None = None
    initiated_at: datetime | None = None
    reversed_amount: int = 0
    provider_ref: str = ""


class DocumentItem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One item of the checklist: required, received or waived (with the reason)."""

    status: str
    document_ids: tuple[str, ...] = ()
    reason: str = ""


class InformationRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What was asked for and is still owed; `outstanding` shrinks as documents come in."""

    items: tuple[str, ...]
    outstanding: tuple[str, ...]
    owed_by: str
    resume_state: str
    requested_at: datetime
    cycle: int = 1
    reminders_at: tuple[datetime, ...] = ()
    reminded: int = 0
    inactive_at: datetime | None = None


class Clock(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """The current cycle of one clock: running, paused, stopped or breached (it ran out and is not stopped
    yet).
    """

    cycle: int
    status: str
    started: datetime
    due: datetime
    warn: tuple[int, ...] = ()
    """Percentages of the span at which people are warned; empty: 50 and 80."""
    warned: int = 0
    paused_at: datetime | None = None
    breached: bool = False
    extended: int = 0
    """How often its time was extended in this cycle."""


class Recovery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Money from others: none, potential, demanded, received, closed; what was demanded, what came, and what of that
    went back to the insured for the deductible.
    """

    status: str = "none"
    kind: str = ""
    demanded: int = 0
    received: int = 0
    deductible_back: int = 0


class Owner(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """The adjuster who has the claim, since when, at which tier and weight."""

    adjuster_id: str
    since: datetime
    tier: str
    weight: int


class Appeal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """The last appeal: filed, upheld or overturned; how many there were, and who upheld a decision in any of them."""

    status: str
    filed_at: datetime
    from_state: str = ""
    count: int = 1
    reviewer_id: str = ""
    upheld_by: tuple[str, ...] = ()
