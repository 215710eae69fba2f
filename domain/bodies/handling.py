"""Facts of the work on a claim: assignment, documents, information, investigation, SIU, reserve, notes."""

from __future__ import annotations

from datetime import datetime

from domain.assignment import Candidate
from domain.bodies.base import Body
from domain.money import Money
from domain.red_flags import RedFlag


class ClaimAssigned(Body, frozen=True, kw_only=True):
    """An adjuster owns the claim; the reason is recorded."""

    adjuster_id: str
    tier: str
    weight: int
    rule: str
    roster_version: int
    previous_adjuster_id: str = ""
    candidates: tuple[Candidate, ...] = ()
    explanation: str = ""


class ClaimReassigned(Body, frozen=True, kw_only=True):
    """Another adjuster owns the claim, and why."""

    adjuster_id: str
    tier: str
    weight: int
    rule: str
    roster_version: int
    reason: str
    previous_adjuster_id: str = ""
    candidates: tuple[Candidate, ...] = ()
    explanation: str = ""


class AssignmentDeferred(Body, frozen=True, kw_only=True):
    """Nobody is eligible: the claim waits in the overflow queue for another roster."""

    tier: str
    weight: int
    roster_version: int
    candidates: tuple[Candidate, ...] = ()
    explanation: str = ""


class DocumentUploaded(Body, frozen=True, kw_only=True):
    """A document came in; `complete` says that the checklist is now satisfied."""

    document_id: str
    kind: str
    checklist_item: str = ""
    media_type: str = ""
    size: int = 0
    hash: str = ""
    uploaded_by: str = ""
    name: str = ""
    complete: bool = False


class DocumentWaived(Body, frozen=True, kw_only=True):
    """A person waived an item of the checklist, with the reason."""

    checklist_item: str
    reason: str
    waived_by: str
    complete: bool = False


class InformationRequested(Body, frozen=True, kw_only=True):
    """Items are missing. The decide clock pauses only when the claimant owes them.

    `reminders_at` are the times of the reminders, `inactive_at` the time from which the claim may be closed.
    """

    items: tuple[str, ...]
    owed_by: str
    resume_state: str
    due_by: datetime | None = None
    message: str = ""
    reminders_at: tuple[datetime, ...] = ()
    inactive_at: datetime | None = None


class InformationReminded(Body, frozen=True, kw_only=True):
    """The reminder with this number (1, 2) was due and is sent."""

    number: int
    items: tuple[str, ...] = ()
    owed_by: str = ""


class InformationCompleted(Body, frozen=True, kw_only=True):
    """Everything that was asked for is there (or waived); the claim goes on where it was."""

    resume_state: str


class Investigated(Body, frozen=True, kw_only=True):
    """An investigation started or completed; the claimant hears of it only when `visible`, in neutral
    words.
    """

    phase: str
    scope: str = ""
    investigator_id: str = ""
    finding: str = ""
    document_ids: tuple[str, ...] = ()
    visible: bool = False
    notes: str = ""


class RedFlagsRaised(Body, frozen=True, kw_only=True):
    """A sign was seen after validation (restricted): all flags of the claim now, and the sum of their weights."""

    red_flags: tuple[RedFlag, ...]
    flag_score: int


class SiuReferred(Body, frozen=True, kw_only=True):
    """Referred to the special investigation unit (restricted)."""

    by_rule: bool
    reason: str
    score: int = 0
    red_flags: tuple[RedFlag, ...] = ()


class SiuConcluded(Body, frozen=True, kw_only=True):
    """The unit closed its file: cleared or confirmed (restricted)."""

    outcome: str
    finding: str = ""


class ReserveChanged(Body, frozen=True, kw_only=True):
    """The outstanding reserve is now this (absolute figures; restricted)."""

    indemnity: Money
    expense: Money
    previous_indemnity: Money
    previous_expense: Money
    reason: str
    rule_version: str = ""


class MandateGiven(Body, frozen=True, kw_only=True):
    """The claimant named somebody who may act and ask in the claimant's place; an opaque subject id."""

    representative_id: str


class MandateEnded(Body, frozen=True, kw_only=True):
    """Who was named speaks for the claimant no more."""

    representative_id: str


class NoteAdded(Body, frozen=True, kw_only=True):
    """A note; kind `contact` says that the claimant was spoken to. The text is sealed."""

    kind: str
    note: str = ""


class StatusNotified(Body, frozen=True, kw_only=True):
    """A status letter: neutral reason; `extends_until` moves the decide clock when the law lets a letter do
    so.
    """

    letter: str
    reason: str
    extends_until: datetime | None = None
