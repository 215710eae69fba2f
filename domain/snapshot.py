"""The snapshot hash `claim:{id}` in the words of lab readers (source-systems.md B3), with the status words
of B9.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from domain.money import decimal_text
from domain.sla import next_deadline
from domain.transitions import State

if TYPE_CHECKING:
    from datetime import datetime

    from domain.claim_record import Claim

STATUS_WORDS: dict[State, str] = {
    State.SUBMITTED: "submitted",
    State.VALIDATED: "processing",
    State.UNDER_INVESTIGATION: "processing",
    State.PENDING_APPROVAL: "processing",
    State.UNDER_APPEAL: "processing",
    State.ASSIGNED: "assigned",
    State.AWAITING_INFORMATION: "processing",
    State.APPROVED: "approved",
    State.REJECTED: "rejected",
    State.PAYMENT_PENDING: "approved",
    State.PAYMENT_FAILED: "approved",
    State.PAID: "approved",
}
"""State -> the status of seed 001; CLOSED depends on its outcome."""

_CLOSED_WORDS = {"paid": "approved", "paid_partial": "approved", "denied": "rejected"}

PLATFORM_WORDS: dict[State, str] = STATUS_WORDS | {
    State.ASSIGNED: "processing",
    State.AWAITING_INFORMATION: "pending_info",
    State.PAYMENT_PENDING: "payment_processing",
    State.PAYMENT_FAILED: "payment_processing",
    State.PAID: "paid",
}
"""State -> the status of seed 004."""

_PLATFORM_CLOSED = {"paid": "paid", "paid_partial": "paid", "denied": "rejected"}

_BASE_DAYS = {"auto": 7, "home": 14, "life": 30, "health": 7}
_PRIORITY_PERCENT = {"urgent": 50, "high": 70, "normal": 100, "low": 150}


def status_word(claim: Claim) -> str:
    """The status in the words of seed 001."""
    if claim.state is State.CLOSED:
        return _CLOSED_WORDS.get(claim.closed_outcome, "closed")
    return STATUS_WORDS[claim.state]


def platform_word(claim: Claim) -> str:
    """The status in the words of seed 004."""
    if claim.state is State.CLOSED:
        return _PLATFORM_CLOSED.get(claim.closed_outcome, "closed")
    return PLATFORM_WORDS[claim.state]


def estimated_days(lab_type: str, priority: str) -> int:
    """Days that the lab promises: 7, 14 or 30 by type, times the priority's share, rounded up."""
    hundredths = _BASE_DAYS.get(lab_type, 7) * _PRIORITY_PERCENT.get(priority, 100)
    return -(-hundredths // 100)


def snapshot_fields(claim: Claim) -> dict[str, str]:
    """Field -> text, every field always present; lists as JSON, what is unknown as the empty string."""
    notice = claim.notice
    lab_type = claim.lab_type
    return {
        "id": claim.claim_id,
        "policyId": notice.policy_number,
        "customerId": notice.claimant_id,
        "amount": decimal_text(notice.claimed),
        "description": notice.description,
        "type": lab_type,
        "status": status_word(claim),
        "priority": notice.priority,
        "submittedAt": _time(claim.submitted_at),
        "assignedTo": claim.owner.adjuster_id if claim.owner is not None else "",
        "documents": _JSON.encode(claim.document_ids).decode(),
        "estimatedDays": str(estimated_days(lab_type, notice.priority)),
        "submittedBy": notice.source,
        "channel": notice.channel,
        "lastUpdated": _time(claim.updated_at),
        "assignedAt": _time(claim.assigned_at),
        "slaDeadline": _time(next_deadline(claim)),
        "processingStarted": _time(claim.processing_started),
        "approvedAt": _time(claim.approved_at),
        "processingTimeHours": _hours(claim),
        "state": claim.state.value,
        "sequence": str(claim.version),
        "closedOutcome": claim.closed_outcome,
        "amountMinor": str(notice.claimed.minor),
        "currency": claim.currency,
    }


_JSON = msgspec.json.Encoder()


def _hours(claim: Claim) -> str:
    """Hours from submission to the decision, two places."""
    decided = claim.decision.decided_at
    if decided is None:
        return ""
    hundredths = (max(int((decided - claim.submitted_at).total_seconds()), 0) + 18) // 36
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def _time(moment: datetime | None) -> str:
    """ISO 8601 in UTC with milliseconds and Z, or empty."""
    if moment is None:
        return ""
    # A third of what strftime takes, and most fields of a snapshot that cost anything are times.
    return moment.isoformat("T", "milliseconds")[:23] + "Z"
