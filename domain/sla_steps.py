"""What each fact means for clocks: which it starts, stops, pauses, resumes or extends (design/domain.md section 9).

The same in every profile; when a clock is due, and in which profiles it runs, is `sla` and its rows of data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.bodies import deciding, ending, handling, intake, paying
from domain.transitions import PREDECISION, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.bodies.base import Body
    from domain.claim_record import Claim

Step = tuple[str, str]
"""What a fact means for a clock: (start | ensure | notice | stop | pause | resume | extend, clock name)."""


def _on_submitted(claim: Claim | None, body: intake.ClaimSubmitted) -> tuple[Step, ...]:
    return (("start", "acknowledge"), ("notice", "decide"))


def _on_acknowledged(claim: Claim, body: Body) -> tuple[Step, ...]:
    return (("stop", "acknowledge"),)


def _on_validated(claim: Claim, body: intake.ClaimValidated) -> tuple[Step, ...]:
    missing = [name for name in body.required_documents if name not in claim.documents]
    complete = not missing and claim.proof_of_loss
    return (("start", "assign"), ("ensure", "decide")) if complete else (("start", "assign"),)


def _on_assigned(claim: Claim, body: Body) -> tuple[Step, ...]:
    return (("stop", "assign"), ("start", "contact"))


def _undecided(claim: Claim) -> bool:
    """A decision is due: none was made, or one was contested or reopened and another has to be made."""
    return claim.state in PREDECISION


def _on_document(claim: Claim, body: handling.DocumentUploaded | handling.DocumentWaived) -> tuple[Step, ...]:
    return (("ensure", "decide"),) if body.complete and _undecided(claim) and not _in_appeal(claim) else ()


def _in_appeal(claim: Claim) -> bool:
    """The appeal waits for papers: its own clock runs, and nothing is to be decided anew unless it is overturned."""
    return claim.request is not None and claim.request.resume_state == State.UNDER_APPEAL


def _on_information_requested(claim: Claim, body: handling.InformationRequested) -> tuple[Step, ...]:
    if body.owed_by != "claimant":
        return (("stop", "contact"), ("ensure", "letter"))
    return (("stop", "contact"), ("pause", "decide"))


def _on_information_completed(claim: Claim, body: Body) -> tuple[Step, ...]:
    complete = claim.proof_of_loss and not _in_appeal(claim)
    return (("resume", "decide"), ("ensure", "decide")) if complete else (("resume", "decide"),)


def _on_investigated(claim: Claim, body: handling.Investigated) -> tuple[Step, ...]:
    return (("ensure", "letter"),) if body.phase == "started" else (("stop", "letter"),)


def _on_status_letter(claim: Claim, body: handling.StatusNotified) -> tuple[Step, ...]:
    extend: tuple[Step, ...] = (("extend", "decide"),) if body.extends_until is not None else ()
    handled = _undecided(claim) and not _in_appeal(claim) and claim.state not in ("SUBMITTED", "VALIDATED")
    again: tuple[Step, ...] = (("start", "letter"),) if handled else ()
    return (("stop", "contact"), ("stop", "letter"), *extend, *again)


def _on_note(claim: Claim, body: handling.NoteAdded) -> tuple[Step, ...]:
    return (("stop", "contact"),) if body.kind == "contact" else ()


_DECIDED: tuple[Step, ...] = (("stop", "assign"), ("stop", "contact"), ("stop", "decide"), ("stop", "letter"))


def _on_approved(claim: Claim, body: deciding.ClaimApproved) -> tuple[Step, ...]:
    owed = body.approved_net.minor > claim.paid
    return (*_DECIDED, ("start", "pay")) if owed else _DECIDED


def _on_rejected(claim: Claim, body: Body) -> tuple[Step, ...]:
    return _DECIDED


def _on_undone(claim: Claim, body: Body) -> tuple[Step, ...]:
    return (("stop", "pay"), ("start", "decide"))


def _on_appeal_filed(claim: Claim, body: Body) -> tuple[Step, ...]:
    return (("start", "appeal"),)


def _on_appeal_decided(claim: Claim, body: deciding.AppealDecided) -> tuple[Step, ...]:
    again: tuple[Step, ...] = (("start", "decide"),) if body.outcome == "overturned" else ()
    return (("stop", "appeal"), *again)


def _on_paid(claim: Claim, body: paying.PaymentCompleted) -> tuple[Step, ...]:
    return (("stop", "pay"),) if body.balance.minor == 0 else ()


def _on_reversed(claim: Claim, body: Body) -> tuple[Step, ...]:
    return (("start", "pay"),)


def _on_ended(claim: Claim, body: Body) -> tuple[Step, ...]:
    return (("stop", "*"),)


def _on_reopened(claim: Claim, body: Body) -> tuple[Step, ...]:
    decide: tuple[Step, ...] = (("start", "decide"),) if claim.proof_of_loss else ()
    return (("stop", "*"), ("start", "assign"), *decide)


STEPS: dict[type[Body], Callable[..., tuple[Step, ...]]] = {
    intake.ClaimSubmitted: _on_submitted,
    intake.ClaimAcknowledged: _on_acknowledged,
    intake.ClaimValidated: _on_validated,
    intake.DuplicateConfirmed: _on_ended,
    handling.ClaimAssigned: _on_assigned,
    handling.DocumentUploaded: _on_document,
    handling.DocumentWaived: _on_document,
    handling.InformationRequested: _on_information_requested,
    handling.InformationCompleted: _on_information_completed,
    handling.Investigated: _on_investigated,
    handling.SiuReferred: lambda claim, body: (("ensure", "letter"),),
    handling.StatusNotified: _on_status_letter,
    handling.NoteAdded: _on_note,
    deciding.ClaimApproved: _on_approved,
    deciding.ClaimRejected: _on_rejected,
    deciding.DecisionRescinded: _on_undone,
    deciding.AppealFiled: _on_appeal_filed,
    deciding.AppealDecided: _on_appeal_decided,
    paying.PaymentCompleted: _on_paid,
    paying.PaymentReversed: _on_reversed,
    ending.ClaimClosed: _on_ended,
    ending.ClaimWithdrawn: _on_ended,
    ending.ClaimReopened: _on_reopened,
}
"""Body -> what it means for clocks. `start` begins a new cycle, `ensure` begins one only when none is
active, `notice` only where the law counts from the notice.
"""
