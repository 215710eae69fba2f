"""Work on a claim: assignment, information, investigation, SIU, reserve, letters, notes, holds."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from domain import portrait, sla
from domain.assignment import Assignment, Deferred
from domain.bodies.base import SYSTEM
from domain.bodies.deciding import OverrideRecorded
from domain.bodies.ending import LegalHoldPlaced, LegalHoldReleased, RecordAccessed
from domain.bodies.handling import (
    AssignmentDeferred,
    ClaimAssigned,
    ClaimReassigned,
    InformationCompleted,
    InformationRequested,
    Investigated,
    MandateEnded,
    MandateGiven,
    NoteAdded,
    ReserveChanged,
    SiuConcluded,
    SiuReferred,
    StatusNotified,
)
from domain.decisions.step import Problem
from domain.restricted import restricted

if TYPE_CHECKING:
    from domain import commands
    from domain.bodies.base import Body
    from domain.claim_record import Claim
    from domain.context import Context
    from domain.decisions.draft import Draft


def assigned_to(claim: Claim, chosen: Assignment) -> ClaimAssigned:
    """The assignment as a fact."""
    return ClaimAssigned(
        adjuster_id=chosen.adjuster_id,
        tier=chosen.tier,
        weight=chosen.weight,
        rule=chosen.rule,
        roster_version=chosen.roster_version,
        previous_adjuster_id=claim.previous_owner,
        candidates=chosen.candidates,
        explanation=chosen.explanation,
    )


def reassigned_to(claim: Claim, chosen: Assignment, reason: str) -> ClaimReassigned:
    """The reassignment as a fact."""
    return ClaimReassigned(
        adjuster_id=chosen.adjuster_id,
        tier=chosen.tier,
        weight=chosen.weight,
        rule=chosen.rule,
        roster_version=chosen.roster_version,
        reason=reason,
        previous_adjuster_id=claim.owner.adjuster_id if claim.owner is not None else claim.previous_owner,
        candidates=chosen.candidates,
        explanation=chosen.explanation,
    )


def deferred(found: Deferred) -> AssignmentDeferred:
    """Nobody can take it: the overflow queue, as a fact."""
    return AssignmentDeferred(
        tier=found.tier,
        weight=found.weight,
        roster_version=found.roster_version,
        candidates=found.candidates,
        explanation=found.explanation,
    )


def assign(claim: Claim, command: commands.AssignClaim, context: Context) -> Body | Problem:
    """`AssignClaim`, by rule or to the named adjuster."""
    chosen = _chosen(claim, command.adjuster_id, context, frozenset())
    return chosen if isinstance(chosen, Problem) else assigned_to(claim, chosen)


def reassign(claim: Claim, command: commands.ReassignClaim, context: Context) -> Body | Problem:
    """`ReassignClaim`: never to who has it now."""
    if not command.reason:
        return Problem("INVALID", "reason: a reassignment needs one")
    current = claim.owner.adjuster_id if claim.owner is not None else ""
    if command.adjuster_id and command.adjuster_id == current:
        return Problem("REPEATED", f"{current} has the claim already")
    barred = frozenset((current,)) if current else frozenset()
    chosen = _chosen(claim, command.adjuster_id, context, barred)
    return chosen if isinstance(chosen, Problem) else reassigned_to(claim, chosen, command.reason)


def _chosen(claim: Claim, adjuster_id: str, context: Context, barred: frozenset[str]) -> Assignment | Problem:
    """By rule; or the named one as he is, for G07 to judge."""
    found = portrait.assignment(claim, context, adjuster_id, barred)
    if found is None:
        return Problem("GUARD_FAILED", "there is no roster to assign from", "G07")
    if isinstance(found, Assignment):
        return found
    if adjuster_id:
        return Assignment(
            adjuster_id,
            found.tier,
            found.weight,
            "manual",
            found.roster_version,
            found.candidates,
            "chosen by name",
        )
    return Problem("GUARD_FAILED", found.explanation, "G07")


def give_owner(draft: Draft, reason: str, barred: frozenset[str] = frozenset()) -> None:
    """A claim that comes to ASSIGNED without an owner (or with a barred one) gets one in the same step, if
    anybody can.
    """
    claim = draft.claim
    assert claim is not None
    if claim.owner is not None and claim.owner.adjuster_id not in barred:
        return
    found = portrait.assignment(claim, draft.context, barred=barred)
    if isinstance(found, Assignment):
        # In the name of whoever made it necessary: the processor counts its own assignments when it decides them,
        # those of others when it reads them, and this one is appended by others.
        draft.emit(reassigned_to(claim, found, reason))


def information_requested(claim: Claim, command: commands.RequestInformation, context: Context) -> Body | Problem:
    """`RequestInformation`: items, who owes them, reminders when it is the claimant."""
    if not command.items:
        return Problem("INVALID", "items: say what is needed")
    rules, now = context.rules, context.now
    from_claimant = command.owed_by == "claimant"
    last = now + timedelta(days=rules.inactive_days)
    return InformationRequested(
        items=tuple(dict.fromkeys(command.items)),
        owed_by=command.owed_by,
        resume_state=claim.state,
        due_by=now + timedelta(days=rules.reminder_days[-1]) if rules.reminder_days else last,
        message=command.message,
        reminders_at=tuple(now + timedelta(days=days) for days in rules.reminder_days) if from_claimant else (),
        inactive_at=last if from_claimant else None,
    )


def information_completed(claim: Claim, command: commands.CompleteInformation, context: Context) -> Body | Problem:
    """`CompleteInformation`: back to where the claim was."""
    resume = claim.request.resume_state if claim.request is not None else ""
    return InformationCompleted(resume_state=resume)


def investigation_started(claim: Claim, command: commands.StartInvestigation, context: Context) -> Body | Problem:
    """`StartInvestigation`."""
    return Investigated(
        phase="started",
        scope=command.scope,
        investigator_id=command.investigator_id or context.actor.id,
        visible=command.visible,
        notes=command.notes,
    )


def investigation_completed(claim: Claim, command: commands.CompleteInvestigation, context: Context) -> Body | Problem:
    """`CompleteInvestigation`, with its finding."""
    if not command.finding:
        return Problem("INVALID", "finding: say what was found")
    return Investigated(
        phase="completed",
        investigator_id=context.actor.id,
        finding=command.finding,
        document_ids=command.document_ids,
        visible=command.visible,
        notes=command.notes,
    )


def siu_referred(claim: Claim, command: commands.ReferToSIU, context: Context) -> Body | Problem:
    """`ReferToSIU` by a person."""
    if claim.siu.status == "referred":
        return Problem("REPEATED", "an SIU file is open already")
    return SiuReferred(by_rule=False, reason=command.reason, score=claim.red_flags.score)


def siu_concluded(claim: Claim, command: commands.CloseSIU, context: Context) -> Body | Problem:
    """`CloseSIU`: only an open file is concluded."""
    if claim.siu.status != "referred":
        return Problem("WRONG_STATE", "no SIU file is open")
    return SiuConcluded(outcome=command.outcome, finding=command.finding)


def reserve_to(claim: Claim, indemnity: int, expense: int, reason: str, rule_version: str = "") -> ReserveChanged:
    """The reserve as it shall be (minor units)."""
    before = claim.reserve
    return ReserveChanged(
        indemnity=claim.money(indemnity),
        expense=claim.money(expense),
        previous_indemnity=claim.money(before.indemnity),
        previous_expense=claim.money(before.expense),
        reason=reason,
        rule_version=rule_version,
    )


def reserve_changed(claim: Claim, command: commands.SetReserve, context: Context) -> Body | Problem:
    """`SetReserve`: never below zero, never below what is pending, in the claim's currency."""
    for amount in (command.indemnity, command.expense):
        if amount is not None and (amount.currency != claim.currency or amount.minor < 0):
            return Problem("INVALID", f"reserve {amount}: not below zero and in {claim.currency}")
    indemnity = command.indemnity.minor if command.indemnity is not None else claim.reserve.indemnity
    expense = command.expense.minor if command.expense is not None else claim.reserve.expense
    if _below_pending(claim, indemnity, expense):
        return Problem("INVALID", f"{claim.money(claim.pending_amount)} is pending and must stay reserved")
    return reserve_to(claim, indemnity, expense, command.reason)


def _below_pending(claim: Claim, indemnity: int, expense: int) -> bool:
    """Whether the new reserve would not hold the payment that is under way."""
    pending = claim.pending
    if pending is None or pending.kind == "interest":
        return False
    return (expense if pending.kind == "expense" else indemnity) < pending.amount


def release_reserve(draft: Draft, command: object = None) -> None:
    """Closing takes the reserve to zero."""
    claim = draft.claim
    if claim is not None and claim.reserve.total:
        draft.emit(reserve_to(claim, 0, 0, "closing", draft.context.rules.version), actor=SYSTEM)


def status_notified(claim: Claim, command: commands.SendStatusLetter, context: Context) -> Body | Problem:
    """`SendStatusLetter`: an extension goes forward in time."""
    if command.extends_until is not None and command.extends_until <= context.now:
        return Problem("INVALID", "extends until: must lie in the future")
    if command.extends_until is not None:
        refused = sla.extension_refused(claim, command.extends_until, context.rules.sla)
        if refused:
            return Problem("INVALID", f"extends until: {refused}")
    return StatusNotified(letter=command.letter, reason=command.reason, extends_until=command.extends_until)


def note_added(claim: Claim, command: commands.AddNote, context: Context) -> Body | Problem:
    """`AddNote`."""
    return NoteAdded(kind=command.kind, note=command.note)


def mandate_given(claim: Claim, command: commands.GiveMandate, context: Context) -> Body | Problem:
    """`GiveMandate`: somebody else than the claimant, once."""
    name = command.representative_id
    if not name or name in (claim.notice.claimant_id, claim.notice.insured_id):
        return Problem("INVALID", "representative id: name somebody else than claimant and insured")
    if name in claim.representatives:
        return Problem("REPEATED", f"{name} speaks for the claimant already")
    return MandateGiven(representative_id=name)


def mandate_ended(claim: Claim, command: commands.EndMandate, context: Context) -> Body | Problem:
    """`EndMandate`."""
    if command.representative_id not in claim.representatives:
        return Problem("WRONG_STATE", f"{command.representative_id} does not speak for the claimant")
    return MandateEnded(representative_id=command.representative_id)


def record_accessed(claim: Claim, command: commands.RecordAccess, context: Context) -> Body | Problem:
    """`RecordAccess`: only what is restricted leaves a trail."""
    kinds = restricted(claim)
    if not kinds:
        return Problem("INVALID", "nothing of the claim is restricted")
    return RecordAccessed(record=f"{command.view}: {', '.join(kinds)}", purpose=command.purpose)


def override_recorded(claim: Claim, command: commands.RecordOverride, context: Context) -> Body | Problem:
    """`RecordOverride`: with a reason."""
    if not command.reason:
        return Problem("INVALID", "reason: an override needs one")
    return OverrideRecorded(
        subject=command.subject, reason=command.reason, overridden_by=context.actor.id, found=command.found
    )


def hold_placed(claim: Claim, command: commands.PlaceLegalHold, context: Context) -> Body | Problem:
    """`PlaceLegalHold`."""
    if command.hold_id in claim.legal_holds:
        return Problem("REPEATED", f"hold {command.hold_id} is in place already")
    return LegalHoldPlaced(hold_id=command.hold_id, reason=command.reason)


def hold_released(claim: Claim, command: commands.ReleaseLegalHold, context: Context) -> Body | Problem:
    """`ReleaseLegalHold`."""
    if command.hold_id not in claim.legal_holds:
        return Problem("WRONG_STATE", f"hold {command.hold_id} is not in place")
    return LegalHoldReleased(hold_id=command.hold_id, reason=command.reason)
