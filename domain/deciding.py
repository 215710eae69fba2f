"""`decide`: a claim, a command and a context give facts, or a refusal with state, command and the guard's
sentence.

Every decision first realises overdue clocks. The order of judgement: does the claim exist, does the bank's
message fit, does the state allow the command, may the actor ask, can the fact be built, do the row's guards
agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain import commands as c
from domain.authority import PEOPLE, at_least
from domain.claim import fitting_row
from domain.decisions import approving, ending, ex_gratia, handling, intake, paying, timers
from domain.decisions.draft import Draft
from domain.decisions.step import Problem, Step
from domain.events import TYPE_OF
from domain.guards import first_refusal
from domain.outcome import Accepted, Refused
from domain.roles import ROLES
from domain.roster import role_on
from domain.situation import Situation
from domain.transitions import EVENT_TYPES, commands_from, rows_for

if TYPE_CHECKING:
    from domain.bodies.base import Body
    from domain.claim_record import Claim
    from domain.commands import Command
    from domain.context import Context
    from domain.outcome import Code
    from domain.transitions import Row

__all__ = ["STEPS", "Accepted", "Refused", "decide"]

STEPS: dict[type[Command], Step] = {
    c.AcknowledgeClaim: Step("claim.acknowledged", intake.acknowledged),
    c.ValidateClaim: Step("claim.validated", intake.validate),
    c.MarkDuplicate: Step("claim.duplicate.confirmed", intake.duplicate_confirmed, before=handling.release_reserve),
    c.ClearDuplicate: Step("claim.duplicate.cleared", intake.duplicate_cleared),
    c.AssignClaim: Step("claim.assigned", handling.assign),
    c.ReassignClaim: Step("claim.reassigned", handling.reassign),
    c.UploadDocument: Step("claim.document.uploaded", intake.uploaded),
    c.WaiveDocument: Step("claim.document.waived", intake.waived),
    c.RequestInformation: Step("claim.information.requested", handling.information_requested),
    c.CompleteInformation: Step("claim.information.completed", handling.information_completed),
    c.StartInvestigation: Step("claim.investigated", handling.investigation_started),
    c.CompleteInvestigation: Step("claim.investigated", handling.investigation_completed),
    c.ReferToSIU: Step("claim.siu.referred", handling.siu_referred),
    c.CloseSIU: Step("claim.siu.concluded", handling.siu_concluded),
    c.SetReserve: Step("claim.reserve.changed", handling.reserve_changed),
    c.ProposeDecision: Step("claim.approval.requested", approving.proposed),
    c.ReturnProposal: Step("claim.approval.returned", approving.returned),
    c.ApproveClaim: Step("claim.approved", approving.approve, before=ex_gratia.record_override),
    c.RejectClaim: Step("claim.rejected", approving.reject),
    c.FileAppeal: Step("claim.appeal.filed", ending.appeal_filed),
    c.DecideAppeal: Step("claim.appeal.decided", ending.appeal_decided, after=ending.owner_after_appeal),
    c.InitiatePayment: Step("claim.payment.initiated", paying.initiate),
    c.RetryPayment: Step("claim.payment.initiated", paying.retry),
    c.ConfirmPayment: Step(
        "claim.payment.completed",
        paying.confirmed,
        match=paying.confirmation_fits,
        before=paying.add_late_interest,
    ),
    c.FailPayment: Step("claim.payment.failed", paying.failed, match=paying.failure_fits),
    c.ReversePayment: Step("claim.payment.reversed", paying.reversed_, match=paying.reversal_fits),
    c.RescindDecision: Step("claim.decision.rescinded", approving.rescinded, after=approving.owner_after_rescission),
    c.RecordRecovery: Step("claim.recovery.recorded", paying.recovery_recorded),
    c.WithdrawClaim: Step("claim.withdrawn", ending.withdrawn, before=handling.release_reserve),
    c.CloseClaim: Step("claim.closed", ending.close, before=handling.release_reserve),
    c.ReopenClaim: Step("claim.reopened", ending.reopened),
    c.GiveMandate: Step("claim.mandate.given", handling.mandate_given),
    c.EndMandate: Step("claim.mandate.ended", handling.mandate_ended),
    c.RecordAccess: Step("record.accessed", handling.record_accessed),
    c.SendStatusLetter: Step("claim.status.notified", handling.status_notified),
    c.AddNote: Step("claim.note.added", handling.note_added),
    c.RecordOverride: Step("claim.override.recorded", handling.override_recorded),
    c.PlaceLegalHold: Step("legal_hold.placed", handling.hold_placed),
    c.ReleaseLegalHold: Step("legal_hold.released", handling.hold_released),
}
"""Command -> how it becomes facts; `SubmitClaim` and `FireTimer` have a door of their own below."""

_TABLE_EVENTS = frozenset(EVENT_TYPES)
_DECIDING = frozenset(PEOPLE)


def decide(claim: Claim | None, command: Command, context: Context) -> Accepted | Refused:
    """Decide one command at `context.now`. Pure: the same arguments give the same answer."""
    if isinstance(command, c.SubmitClaim):
        return _submit(claim, command, context)
    if claim is None:
        return _refused(command, None, "NOT_FOUND", "there is no such claim")
    draft = Draft(claim, context)
    draft.realise_overdue()
    if isinstance(command, c.FireTimer):
        return _fire(draft, command)
    return _carry_out(draft, command, STEPS[type(command)])


def _submit(claim: Claim | None, command: c.SubmitClaim, context: Context) -> Accepted | Refused:
    if claim is not None:
        return _problem(command, claim, intake.met_again(claim, command))
    if context.actor.role not in ROLES[c.SubmitClaim]:
        return _refused(command, None, "NOT_ALLOWED", f"the role {context.actor.role} does not report losses")
    body = intake.submitted(command, context)
    draft = Draft(None, context, command.claim_id)
    after = draft.emit(body)
    refusal = first_refusal(("G02",), Situation(after, command, context, body))
    if refusal is not None:
        return _refused(command, None, "GUARD_FAILED", refusal.sentence, refusal.guard)
    return draft.accepted()


def _fire(draft: Draft, command: c.FireTimer) -> Accepted | Refused:
    if draft.context.actor.role not in ROLES[c.FireTimer]:
        return _refused(command, draft.claim, "NOT_ALLOWED", "only the timekeeper fires timers")
    problem = timers.fire(draft, command)
    if problem is None or draft.facts:
        return draft.accepted()
    return _problem(command, draft.claim, problem)


def _carry_out(draft: Draft, command: Command, step: Step) -> Accepted | Refused:
    claim, context = draft.claim, draft.context
    assert claim is not None
    problem = _out_of_place(claim, command, step, context)
    if problem is not None:
        return _problem(command, claim, problem)
    if step.before is not None:
        step.before(draft, command)
    before = draft.claim
    assert before is not None
    body = step.build(before, command, context)
    if isinstance(body, Problem):
        return _problem(command, claim, body)
    refused = _judge(before, command, context, body)
    if refused is not None:
        instead = _instead(before, command, context, refused)
        if instead is None:
            return refused
        body = instead
    draft.emit(body)
    if step.after is not None:
        step.after(draft, command)
    return draft.accepted()


def _out_of_place(claim: Claim, command: Command, step: Step, context: Context) -> Problem | None:
    """The message does not fit, the state does not allow the command, or the actor may not ask."""
    if step.match is not None:
        problem = step.match(claim, command)
        if problem is not None:
            return problem
    name = type(command).__name__
    if step.event in _TABLE_EVENTS and not _rows(claim, name, step.event):
        return Problem("WRONG_STATE", _state_sentence(claim, name))
    actor = context.actor
    if actor.role not in ROLES[type(command)]:
        return Problem("NOT_ALLOWED", f"the role {actor.role or '(none)'} may not do this")
    if actor.role in ("claimant", "insured") and actor.id not in (claim.notice.claimant_id, claim.notice.insured_id):
        return Problem("NOT_ALLOWED", f"{actor.id} is neither claimant nor insured of {claim.claim_id}")
    if actor.role == "representative" and actor.id not in claim.representatives:
        return Problem("NOT_ALLOWED", f"{actor.id} was not named by the claimant of {claim.claim_id} to speak for them")
    return _above_his_role(context)


def _above_his_role(context: Context) -> Problem | None:
    """Who is on the roster decides in the role that it says, or in one that is delegated to him that day."""
    actor, roster = context.actor, context.roster
    if roster is None or actor.role not in _DECIDING:
        return None
    held = role_on(roster, actor.id, context.today)
    if not held or at_least(held, actor.role):
        return None
    return Problem("NOT_ALLOWED", f"{actor.id} is {held} on the roster (version {roster.version}), not {actor.role}")


def _rows(claim: Claim, name: str, event: str) -> tuple[Row, ...]:
    return tuple(row for row in rows_for(claim.state, event) if row.command == name)


def _state_sentence(claim: Claim, name: str) -> str:
    allowed = ", ".join(commands_from(claim.state))
    return f"{name} is not possible while the claim is {claim.state}; possible are {allowed}"


def _judge(claim: Claim, command: Command, context: Context, body: Body) -> Refused | None:
    """Ask the guards of the row that the fact would take."""
    event = TYPE_OF[type(body)]
    if event not in _TABLE_EVENTS:
        return None
    row = fitting_row(claim, event, body, context.now)
    name = type(command).__name__
    if row is None or row.command != name:
        return _refused(command, claim, "WRONG_STATE", _state_sentence(claim, name))
    refusal = first_refusal(row.guards, Situation(claim, command, context, body))
    if refusal is None:
        return None
    return _refused(command, claim, "GUARD_FAILED", refusal.sentence, refusal.guard)


def _instead(claim: Claim, command: Command, context: Context, refused: Refused) -> Body | None:
    """An approval that only lacks authority becomes a proposal, when the command says so and its guards
    agree.
    """
    if not isinstance(command, c.ApproveClaim) or refused.guard != "G10":
        return None
    body = approving.escalated(claim, command, context)
    if body is None or first_refusal(("G08", "G09", "G12"), Situation(claim, command, context, body)) is not None:
        return None
    return body


def _problem(command: Command, claim: Claim | None, problem: Problem) -> Refused:
    return _refused(command, claim, problem.code, problem.message, problem.guard)


def _refused(command: Command, claim: Claim | None, code: Code, message: str, guard: str = "") -> Refused:
    return Refused(
        code=code,
        message=message,
        command=type(command).__name__,
        state=claim.state.value if claim is not None else "",
        guard=guard,
    )
