"""What can happen to a claim: the registry of event types, and the fact that wraps a body.

`EVENTS` maps the wire type to its body. The envelope (claim, time, sequence, actor) stays outside of the
body. A type that is not here is unknown: a reader that meets it is too old and must stop (it is never
skipped).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from domain.bodies.base import Actor, Body
from domain.bodies.deciding import (
    AppealDecided,
    AppealFiled,
    ApprovalRequested,
    ApprovalReturned,
    ClaimApproved,
    ClaimRejected,
    DecisionRescinded,
    OverrideRecorded,
)
from domain.bodies.ending import (
    ClaimClosed,
    ClaimReopened,
    ClaimWithdrawn,
    ErasureRequested,
    KeyDestroyed,
    LegalHoldPlaced,
    LegalHoldReleased,
    RecordAccessed,
    SlaBreached,
    SlaWarned,
    SubjectErased,
)
from domain.bodies.handling import (
    AssignmentDeferred,
    ClaimAssigned,
    ClaimReassigned,
    DocumentUploaded,
    DocumentWaived,
    InformationCompleted,
    InformationReminded,
    InformationRequested,
    Investigated,
    MandateEnded,
    MandateGiven,
    NoteAdded,
    RedFlagsRaised,
    ReserveChanged,
    SiuConcluded,
    SiuReferred,
    StatusNotified,
)
from domain.bodies.intake import (
    ClaimAcknowledged,
    ClaimSubmitted,
    ClaimValidated,
    DuplicateCleared,
    DuplicateConfirmed,
    DuplicateFlagged,
)
from domain.bodies.paying import (
    InterestAdded,
    PaymentCompleted,
    PaymentFailed,
    PaymentInitiated,
    PaymentReversed,
    RecoveryPotential,
    RecoveryRecorded,
)

SCHEMA_VERSION = "1.0"
"""The `version` field of an entry that this code writes and reads."""

EVENTS: dict[str, type[Body]] = {
    "claim.submitted": ClaimSubmitted,
    "claim.acknowledged": ClaimAcknowledged,
    "claim.validated": ClaimValidated,
    "claim.duplicate.flagged": DuplicateFlagged,
    "claim.duplicate.confirmed": DuplicateConfirmed,
    "claim.assigned": ClaimAssigned,
    "claim.reassigned": ClaimReassigned,
    "claim.approved": ClaimApproved,
    "claim.rejected": ClaimRejected,
    "claim.document.uploaded": DocumentUploaded,
    "claim.information.requested": InformationRequested,
    "claim.information.completed": InformationCompleted,
    "claim.closed": ClaimClosed,
    "claim.investigated": Investigated,
    "claim.siu.referred": SiuReferred,
    "claim.siu.concluded": SiuConcluded,
    "claim.reserve.changed": ReserveChanged,
    "claim.approval.requested": ApprovalRequested,
    "claim.approval.returned": ApprovalReturned,
    "claim.appeal.filed": AppealFiled,
    "claim.appeal.decided": AppealDecided,
    "claim.payment.initiated": PaymentInitiated,
    "claim.decision.rescinded": DecisionRescinded,
    "claim.payment.completed": PaymentCompleted,
    "claim.payment.failed": PaymentFailed,
    "claim.payment.reversed": PaymentReversed,
    "claim.recovery.recorded": RecoveryRecorded,
    "claim.withdrawn": ClaimWithdrawn,
    "claim.reopened": ClaimReopened,
    "claim.sla.breached": SlaBreached,
    "claim.status.notified": StatusNotified,
    # Without effect on the state:
    "claim.assignment.deferred": AssignmentDeferred,
    "claim.duplicate.cleared": DuplicateCleared,
    "claim.document.waived": DocumentWaived,
    "claim.information.reminded": InformationReminded,
    "claim.interest.added": InterestAdded,
    "claim.mandate.given": MandateGiven,
    "claim.mandate.ended": MandateEnded,
    "claim.note.added": NoteAdded,
    "claim.override.recorded": OverrideRecorded,
    "claim.recovery.potential": RecoveryPotential,
    "claim.red_flags.raised": RedFlagsRaised,
    "claim.sla.warned": SlaWarned,
    "legal_hold.placed": LegalHoldPlaced,
    "legal_hold.released": LegalHoldReleased,
    "subject.erasure.requested": ErasureRequested,
    "key.destroyed": KeyDestroyed,
    "subject.erased": SubjectErased,
    "record.accessed": RecordAccessed,
}
"""Wire type -> body."""

TYPE_OF: dict[type[Body], str] = {body: name for name, body in EVENTS.items()}
"""Body -> wire type."""

SEED_TYPES: tuple[str, ...] = (
    "claim.submitted",
    "claim.assigned",
    "claim.document.uploaded",
    "claim.investigated",
    "claim.approved",
    "claim.rejected",
    "claim.payment.initiated",
    "claim.payment.completed",
)
"""The eight event types of the seed systems."""


class Fact(msgspec.Struct, frozen=True):
    """An event that happened to one claim; `at` is UTC, `sequence` counts from 1 without a gap per claim."""

    type: str
    claim_id: str
    at: datetime
    sequence: int
    actor: Actor
    body: Body


class NewFact(msgspec.Struct, frozen=True):
    """A fact that a decision made and that is not appended yet; its sequence is its place in the append."""

    type: str
    at: datetime
    body: Body
    actor: Actor


class UnknownEvent(ValueError):
    """The event type is not known to this version of the rules."""


_ENCODER = msgspec.json.Encoder(decimal_format="number")
_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {name: msgspec.json.Decoder(body) for name, body in EVENTS.items()}


def encode_body(body: Body) -> bytes:
    """The `data` field of an entry: JSON; decimals for lab readers are written as numbers."""
    return _ENCODER.encode(body)


def decode_body(event_type: str, data: bytes | str) -> Body:
    """Read the `data` field of a fact. Raises `UnknownEvent`, or msgspec's `DecodeError` for a body that
    does not fit.
    """
    decoder = _DECODERS.get(event_type)
    if decoder is None:
        raise UnknownEvent(f"event type {event_type!r} is not known to schema version {SCHEMA_VERSION}")
    body: Body = decoder.decode(data)
    return body
