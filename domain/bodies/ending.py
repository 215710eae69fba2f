"""Facts of the end and of what may follow: closed, withdrawn, reopened; clocks; holds, erasure and access."""

from __future__ import annotations

from datetime import datetime

from domain.bodies.base import Body
from domain.money import Money


class ClaimClosed(Body, frozen=True, kw_only=True):
    """Nothing is owed any more. Outcome: paid, paid_partial, denied or inactive."""

    outcome: str
    reason: str = ""
    paid_total: Money | None = None
    approved_net: Money | None = None
    weight: int = 0
    processing_seconds: int = 0


class ClaimWithdrawn(Body, frozen=True, kw_only=True):
    """The claimant took the claim back; an open SIU file survives."""

    reason: str
    outcome: str = "withdrawn"
    weight: int = 0
    """What the adjuster no longer carries."""


class ClaimReopened(Body, frozen=True, kw_only=True):
    """The same loss with new facts: validated again, clocks restart, assigned again."""

    reason_code: str
    reason: str
    count: int
    previous_adjuster_id: str = ""
    closed_at: datetime | None = None


class SlaBreached(Body, frozen=True, kw_only=True):
    """A clock ran out: once per claim, clock and cycle; it blocks nothing and the claimant is never told."""

    clock: str
    cycle: int
    due: datetime
    profile: str = ""
    name: str = ""
    jurisdiction: str = ""


class SlaWarned(Body, frozen=True, kw_only=True):
    """A share of a clock's span is gone (50 or 80 %)."""

    clock: str
    cycle: int
    percent: int
    due: datetime
    profile: str = ""
    name: str = ""
    jurisdiction: str = ""


class LegalHoldPlaced(Body, frozen=True, kw_only=True):
    """Nothing of this claim may be erased."""

    hold_id: str
    reason: str


class LegalHoldReleased(Body, frozen=True, kw_only=True):
    """The hold ended."""

    hold_id: str
    reason: str


class ErasureRequested(Body, frozen=True, kw_only=True):
    """A person asked for erasure."""

    subject_id: str
    due_by: datetime | None = None


class KeyDestroyed(Body, frozen=True, kw_only=True):
    """The data key of a person is gone: what it sealed can never be read again."""

    subject_id: str


class SubjectErased(Body, frozen=True, kw_only=True):
    """All stores confirmed that the person is erased."""

    subject_id: str
    stores: tuple[str, ...] = ()


class RecordAccessed(Body, frozen=True, kw_only=True):
    """Somebody read a restricted record, and why. `record`: the view, and what is restricted; `purpose`: a code."""

    record: str
    purpose: str
