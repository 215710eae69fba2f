"""The state table of a claim as data: 13 states, 31 event types, 47 rows.

It is the truth in code for what may happen when; a test holds it against `claim_state_machine.json`. A row
with a condition (`when`) holds only if that condition is true of the claim and the body; the words of the
conditions are the keys of `CONDITIONS`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.bodies.base import Body
    from domain.claim_record import Claim


class State(StrEnum):
    """The thirteen states. CLOSED rests, yet is not final: it can be appealed, reopened or reversed."""

    SUBMITTED = "SUBMITTED"
    VALIDATED = "VALIDATED"
    ASSIGNED = "ASSIGNED"
    AWAITING_INFORMATION = "AWAITING_INFORMATION"
    UNDER_INVESTIGATION = "UNDER_INVESTIGATION"
    PENDING_APPROVAL = "PENDING_APPROVAL"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    UNDER_APPEAL = "UNDER_APPEAL"
    PAYMENT_PENDING = "PAYMENT_PENDING"
    PAYMENT_FAILED = "PAYMENT_FAILED"
    PAID = "PAID"
    CLOSED = "CLOSED"


_S = State
PREDECISION = (
    _S.SUBMITTED,
    _S.VALIDATED,
    _S.ASSIGNED,
    _S.AWAITING_INFORMATION,
    _S.UNDER_INVESTIGATION,
    _S.PENDING_APPROVAL,
)
ANY = tuple(State)
OPEN = tuple(state for state in State if state is not _S.CLOSED)
HANDLED = (
    _S.ASSIGNED,
    _S.AWAITING_INFORMATION,
    _S.UNDER_INVESTIGATION,
    _S.PENDING_APPROVAL,
    _S.UNDER_APPEAL,
    _S.APPROVED,
    _S.PAYMENT_FAILED,
)
RESTING = (_S.CLOSED,)
"""States in which a claim may lie for ever without anybody owing anything."""


class Row(NamedTuple):
    """One row of the table; `to` None means that the state stays; `sources` (None,) means that no claim
    exists yet.
    """

    sources: tuple[State | None, ...]
    event: str
    to: State | None
    command: str
    guards: tuple[str, ...] = ()
    when: str = ""


def _row(
    sources: State | tuple[State, ...] | None,
    event: str,
    to: State | None,
    command: str,
    guards: str = "",
    when: str = "",
) -> Row:
    many = sources if isinstance(sources, tuple) else (sources,)
    return Row(many, f"claim.{event}", to, command, tuple(guards.split()), when)


TABLE: tuple[Row, ...] = (
    _row(None, "submitted", _S.SUBMITTED, "SubmitClaim", "G01 G02"),
    _row(OPEN, "acknowledged", None, "AcknowledgeClaim"),
    _row(_S.SUBMITTED, "validated", _S.VALIDATED, "ValidateClaim"),
    _row(PREDECISION, "duplicate.flagged", None, "ValidateClaim"),
    _row(PREDECISION, "duplicate.confirmed", _S.CLOSED, "MarkDuplicate", "G17"),
    _row(_S.VALIDATED, "assigned", _S.ASSIGNED, "AssignClaim", "G07"),
    _row(HANDLED, "reassigned", None, "ReassignClaim", "G07"),
    _row(_S.VALIDATED, "approved", _S.APPROVED, "ApproveClaim", "G05 G06 G12"),
    _row(_S.VALIDATED, "rejected", _S.REJECTED, "RejectClaim", "G13"),
    _row(OPEN, "document.uploaded", None, "UploadDocument"),
    _row(
        (_S.ASSIGNED, _S.UNDER_INVESTIGATION, _S.UNDER_APPEAL),
        "information.requested",
        _S.AWAITING_INFORMATION,
        "RequestInformation",
    ),
    _row(
        _S.AWAITING_INFORMATION,
        "information.completed",
        _S.ASSIGNED,
        "CompleteInformation",
        "G08",
        "resume=ASSIGNED",
    ),
    _row(
        _S.AWAITING_INFORMATION,
        "information.completed",
        _S.UNDER_INVESTIGATION,
        "CompleteInformation",
        "G08",
        "resume=UNDER_INVESTIGATION",
    ),
    _row(
        _S.AWAITING_INFORMATION,
        "information.completed",
        _S.UNDER_APPEAL,
        "CompleteInformation",
        "G08",
        "resume=UNDER_APPEAL",
    ),
    _row(_S.AWAITING_INFORMATION, "closed", _S.CLOSED, "CloseClaim", "G17", "outcome=inactive"),
    _row(_S.ASSIGNED, "investigated", _S.UNDER_INVESTIGATION, "StartInvestigation", "", "phase=started"),
    _row(_S.UNDER_INVESTIGATION, "investigated", _S.ASSIGNED, "CompleteInvestigation", "G09", "phase=completed"),
    _row((_S.ASSIGNED, _S.UNDER_INVESTIGATION), "siu.referred", _S.UNDER_INVESTIGATION, "ReferToSIU"),
    _row(_S.UNDER_INVESTIGATION, "siu.concluded", None, "CloseSIU"),
    _row(OPEN, "reserve.changed", None, "SetReserve", "G10"),
    _row(_S.ASSIGNED, "approval.requested", _S.PENDING_APPROVAL, "ProposeDecision", "G08 G09"),
    _row(_S.PENDING_APPROVAL, "approval.returned", _S.ASSIGNED, "ReturnProposal", "G11"),
    _row(_S.ASSIGNED, "approved", _S.APPROVED, "ApproveClaim", "G03 G04 G05 G08 G09 G10 G12"),
    _row(_S.PENDING_APPROVAL, "approved", _S.APPROVED, "ApproveClaim", "G03 G04 G05 G09 G10 G11 G12"),
    _row(_S.ASSIGNED, "rejected", _S.REJECTED, "RejectClaim", "G09 G13"),
    _row(_S.PENDING_APPROVAL, "rejected", _S.REJECTED, "RejectClaim", "G09 G11 G13"),
    _row(_S.REJECTED, "appeal.filed", _S.UNDER_APPEAL, "FileAppeal", "G14"),
    _row(_S.PAID, "appeal.filed", _S.UNDER_APPEAL, "FileAppeal", "G14"),
    _row(_S.CLOSED, "appeal.filed", _S.UNDER_APPEAL, "FileAppeal", "G14"),
    _row(_S.UNDER_APPEAL, "appeal.decided", _S.REJECTED, "DecideAppeal", "G14 G13", "outcome=upheld,paid=0"),
    _row(_S.UNDER_APPEAL, "appeal.decided", _S.PAID, "DecideAppeal", "G14 G13", "outcome=upheld,paid>0"),
    _row(_S.UNDER_APPEAL, "appeal.decided", _S.ASSIGNED, "DecideAppeal", "G14", "outcome=overturned"),
    _row(_S.APPROVED, "payment.initiated", _S.PAYMENT_PENDING, "InitiatePayment", "G15 G16"),
    _row(_S.PAYMENT_FAILED, "payment.initiated", _S.PAYMENT_PENDING, "RetryPayment", "G15 G16 G20"),
    _row((_S.APPROVED, _S.PAYMENT_FAILED), "decision.rescinded", _S.ASSIGNED, "RescindDecision", "G10 G11"),
    _row(_S.PAYMENT_PENDING, "payment.completed", _S.PAID, "ConfirmPayment", "", "paid=approved"),
    _row(_S.PAYMENT_PENDING, "payment.completed", _S.APPROVED, "ConfirmPayment", "", "paid<approved"),
    _row(_S.PAYMENT_PENDING, "payment.failed", _S.PAYMENT_FAILED, "FailPayment"),
    _row(_S.PAID, "payment.reversed", _S.APPROVED, "ReversePayment", "G10"),
    _row(_S.CLOSED, "payment.reversed", _S.APPROVED, "ReversePayment", "G10"),
    _row((_S.PAID, _S.CLOSED), "recovery.recorded", None, "RecordRecovery"),
    _row((*PREDECISION, _S.UNDER_APPEAL, _S.REJECTED), "withdrawn", _S.CLOSED, "WithdrawClaim", "G17"),
    _row(_S.PAID, "closed", _S.CLOSED, "CloseClaim", "G18", "outcome=paid|paid_partial"),
    _row(_S.REJECTED, "closed", _S.CLOSED, "CloseClaim", "G18", "outcome=denied|paid_partial"),
    _row((_S.CLOSED, _S.PAID), "reopened", _S.VALIDATED, "ReopenClaim", "G19"),
    _row(ANY, "sla.breached", None, "(scheduler)"),
    _row(OPEN, "status.notified", None, "SendStatusLetter"),
)

EVENT_TYPES: tuple[str, ...] = tuple(dict.fromkeys(row.event for row in TABLE))
"""The 31 event types that the table knows, in the order of their first row."""

CONDITIONS: dict[str, Callable[[Claim, Body], bool]] = {
    "": lambda claim, body: True,
    "resume=ASSIGNED": lambda claim, body: _resume(body) == "ASSIGNED",
    "resume=UNDER_INVESTIGATION": lambda claim, body: _resume(body) == "UNDER_INVESTIGATION",
    "resume=UNDER_APPEAL": lambda claim, body: _resume(body) == "UNDER_APPEAL",
    "outcome=inactive": lambda claim, body: _outcome(body) == "inactive",
    "phase=started": lambda claim, body: getattr(body, "phase", "") == "started",
    "phase=completed": lambda claim, body: getattr(body, "phase", "") == "completed",
    "outcome=upheld,paid=0": lambda claim, body: _outcome(body) == "upheld" and claim.paid == 0,
    "outcome=upheld,paid>0": lambda claim, body: _outcome(body) == "upheld" and claim.paid > 0,
    "outcome=overturned": lambda claim, body: _outcome(body) == "overturned",
    "paid=approved": lambda claim, body: claim.balance == 0,
    "paid<approved": lambda claim, body: claim.balance > 0,
    "outcome=paid|paid_partial": lambda claim, body: _outcome(body) in ("paid", "paid_partial"),
    "outcome=denied|paid_partial": lambda claim, body: _outcome(body) in ("denied", "paid_partial"),
}
"""Each condition of a row, asked of the claim with the amounts of the fact already applied."""


def _resume(body: Body) -> str:
    return str(getattr(body, "resume_state", ""))


def _outcome(body: Body) -> str:
    return str(getattr(body, "outcome", ""))


def _index() -> dict[tuple[State | None, str], tuple[Row, ...]]:
    index: dict[tuple[State | None, str], list[Row]] = {}
    for row in TABLE:
        for source in row.sources:
            index.setdefault((source, row.event), []).append(row)
    return {key: tuple(rows) for key, rows in index.items()}


_ROWS = _index()


def rows_for(state: State | None, event: str) -> tuple[Row, ...]:
    """The rows that leave `state` by `event`; more than one only when a condition chooses between them."""
    return _ROWS.get((state, event), ())


def row_for(state: State | None, event: str, claim: Claim, body: Body) -> Row | None:
    """The one row whose condition holds for the claim (amounts of the fact applied), or None."""
    for row in _ROWS.get((state, event), ()):
        if not row.when or CONDITIONS[row.when](claim, body):
            return row
    return None


def commands_from(state: State | None) -> tuple[str, ...]:
    """The names of the commands that the table allows in `state`, for the sentence of a refusal."""
    return tuple(dict.fromkeys(row.command for row in TABLE if state in row.sources))
