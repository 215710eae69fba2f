"""What each fact changes on a claim: body -> fields. No rule decides here; a fact has happened.

A function per event type returns the changed fields; `claim.evolve` adds state, version, time and clocks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from domain.facets import (
    Appeal,
    Coverage,
    Decision,
    DocumentItem,
    Duplicate,
    InformationRequest,
    Owner,
    Proposal,
    RedFlags,
    Reserve,
    Siu,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from domain.bodies import deciding, ending, handling, intake
    from domain.claim_record import Claim

Changes = dict[str, Any]


def _nothing(claim: Claim, body: object, at: datetime) -> Changes:
    return {}


def _acknowledged(claim: Claim, body: intake.ClaimAcknowledged, at: datetime) -> Changes:
    return {"acknowledged_at": claim.acknowledged_at or at}


def _validated(claim: Claim, body: intake.ClaimValidated, at: datetime) -> Changes:
    documents = {name: DocumentItem(status="required") for name in body.required_documents}
    return {
        "validated_at": at,
        "coverage": Coverage(
            outcome=body.coverage,
            codes=body.codes,
            items=body.items,
            policy_version=body.policy_version,
            lookups=body.lookups,
        ),
        "red_flags": RedFlags(codes=tuple(flag.code for flag in body.red_flags), score=body.flag_score),
        "documents": documents | claim.documents,
    }


def _duplicate_flagged(claim: Claim, body: intake.DuplicateFlagged, at: datetime) -> Changes:
    return {"duplicate": Duplicate(status="suspected", score=body.score)}


def _duplicate_confirmed(claim: Claim, body: intake.DuplicateConfirmed, at: datetime) -> Changes:
    found = replace(claim.duplicate, status="confirmed", surviving=body.surviving_claim_id)
    return {"duplicate": found, **_ended(claim, body.outcome, at)}


def _duplicate_cleared(claim: Claim, body: intake.DuplicateCleared, at: datetime) -> Changes:
    return {"duplicate": replace(claim.duplicate, status="cleared", surviving="")}


def _assigned(claim: Claim, body: handling.ClaimAssigned | handling.ClaimReassigned, at: datetime) -> Changes:
    owner = Owner(adjuster_id=body.adjuster_id, since=at, tier=body.tier, weight=body.weight)
    return {
        "owner": owner,
        "previous_owner": body.previous_adjuster_id,
        "assigned_at": at,
        "processing_started": claim.processing_started or at,
        "deferred_roster": None,
    }


def _deferred(claim: Claim, body: handling.AssignmentDeferred, at: datetime) -> Changes:
    return {"deferred_roster": body.roster_version}


def _uploaded(claim: Claim, body: handling.DocumentUploaded, at: datetime) -> Changes:
    changes: Changes = {"document_ids": (*claim.document_ids, body.document_id)}
    if body.checklist_item:
        before = claim.documents.get(body.checklist_item)
        ids = (*before.document_ids, body.document_id) if before else (body.document_id,)
        changes["documents"] = claim.documents | {
            body.checklist_item: DocumentItem(status="received", document_ids=ids)
        }
        changes |= _no_longer_owed(claim, body.checklist_item)
    return changes


def _waived(claim: Claim, body: handling.DocumentWaived, at: datetime) -> Changes:
    item = DocumentItem(status="waived", reason=body.reason)
    return {
        "documents": claim.documents | {body.checklist_item: item},
        **_no_longer_owed(claim, body.checklist_item),
    }


def _no_longer_owed(claim: Claim, item: str) -> Changes:
    request = claim.request
    if request is None or item not in request.outstanding:
        return {}
    return {"request": replace(request, outstanding=tuple(name for name in request.outstanding if name != item))}


def _information_requested(claim: Claim, body: handling.InformationRequested, at: datetime) -> Changes:
    request = InformationRequest(
        items=body.items,
        outstanding=body.items,
        owed_by=body.owed_by,
        resume_state=body.resume_state,
        requested_at=at,
        cycle=claim.request_count + 1,
        reminders_at=body.reminders_at,
        inactive_at=body.inactive_at,
    )
    wanted = {name: DocumentItem(status="required") for name in body.items if name not in claim.documents}
    documents = claim.documents | wanted if wanted else claim.documents
    return {"request": request, "request_count": request.cycle, "documents": documents}


def _reminded(claim: Claim, body: handling.InformationReminded, at: datetime) -> Changes:
    return {"request": replace(claim.request, reminded=body.number)} if claim.request else {}


def _information_completed(claim: Claim, body: handling.InformationCompleted, at: datetime) -> Changes:
    return {"request": None}


def _flags_raised(claim: Claim, body: handling.RedFlagsRaised, at: datetime) -> Changes:
    return {"red_flags": RedFlags(codes=tuple(flag.code for flag in body.red_flags), score=body.flag_score)}


def _siu_referred(claim: Claim, body: handling.SiuReferred, at: datetime) -> Changes:
    return {"siu": Siu(status="referred", by_rule=body.by_rule)}


def _siu_concluded(claim: Claim, body: handling.SiuConcluded, at: datetime) -> Changes:
    return {"siu": replace(claim.siu, status=body.outcome)}


def _reserve_changed(claim: Claim, body: handling.ReserveChanged, at: datetime) -> Changes:
    reserve = Reserve(indemnity=body.indemnity.minor, expense=body.expense.minor)
    return {"reserve": reserve, "reserved_once": True}


def _approval_requested(claim: Claim, body: deciding.ApprovalRequested, at: datetime) -> Changes:
    proposal = Proposal(
        kind=body.decision,
        proposer_id=body.proposer_id,
        proposer_role=body.proposer_role,
        net=body.approved_net.minor,
        items=body.items,
        reason_codes=body.reason_codes,
        provisions=body.provisions,
        policy_version=body.policy_version,
    )
    return {"proposal": proposal}


def _approval_returned(claim: Claim, body: deciding.ApprovalReturned, at: datetime) -> Changes:
    return {"proposal": None}


def _approved(claim: Claim, body: deciding.ClaimApproved, at: datetime) -> Changes:
    decision = Decision(
        kind=body.decision,
        items=body.items,
        reason_codes=body.reason_codes,
        policy_version=body.policy_version,
        proposer_id=body.proposer_id,
        decider_id=body.approver_id,
        straight_through=body.straight_through,
        decided_at=at,
        limit=body.limit.minor if body.limit is not None else None,
    )
    return {
        "decision": decision,
        "approved": body.approved_net.minor,
        "approved_at": at,
        "processing_started": claim.processing_started or at,
        "proposal": None,
        "payment_hold": "",
    }


def _rejected(claim: Claim, body: deciding.ClaimRejected, at: datetime) -> Changes:
    decision = Decision(
        kind="denied",
        items=body.items,
        reason_codes=body.reason_codes,
        policy_version=body.policy_version,
        proposer_id=body.proposer_id,
        decider_id=body.decided_by,
        decided_at=at,
        limit=claim.decision.limit,
    )
    return {"decision": decision, "approved": claim.paid, "proposal": None}


def _rescinded(claim: Claim, body: deciding.DecisionRescinded, at: datetime) -> Changes:
    kept = Decision(decider_id=claim.decision.decider_id, limit=claim.decision.limit)
    return {"decision": kept, "approved": claim.paid, "interest": claim.paid_interest, "payment_hold": ""}


def _appeal_filed(claim: Claim, body: deciding.AppealFiled, at: datetime) -> Changes:
    count = claim.appeal.count + 1 if claim.appeal else 1
    upheld_by = claim.appeal.upheld_by if claim.appeal else ()
    appeal = Appeal(status="filed", filed_at=at, from_state=claim.state, count=count, upheld_by=upheld_by)
    return {"appeal": appeal, "closed_outcome": "", "closed_at": None}


def _appeal_decided(claim: Claim, body: deciding.AppealDecided, at: datetime) -> Changes:
    if claim.appeal is None:
        return {}
    upheld_by = claim.appeal.upheld_by
    if body.outcome == "upheld" and body.reviewer_id not in upheld_by:
        upheld_by = (*upheld_by, body.reviewer_id)
    decided = replace(claim.appeal, status=body.outcome, reviewer_id=body.reviewer_id, upheld_by=upheld_by)
    return {"appeal": decided}


def _closed(claim: Claim, body: ending.ClaimClosed, at: datetime) -> Changes:
    return _ended(claim, body.outcome, at)


def _withdrawn(claim: Claim, body: ending.ClaimWithdrawn, at: datetime) -> Changes:
    return _ended(claim, body.outcome, at)


def _ended(claim: Claim, outcome: str, at: datetime) -> Changes:
    return {
        "closed_outcome": outcome,
        "closed_at": at,
        "last_closed_at": at,
        "request": None,
        "proposal": None,
    }


def _reopened(claim: Claim, body: ending.ClaimReopened, at: datetime) -> Changes:
    return {
        "reopen_count": body.count,
        "closed_outcome": "",
        "closed_at": None,
        "owner": None,
        "previous_owner": body.previous_adjuster_id,
        "deferred_roster": None,
    }


def _hold_placed(claim: Claim, body: ending.LegalHoldPlaced, at: datetime) -> Changes:
    return {"legal_holds": (*claim.legal_holds, body.hold_id)}


def _hold_released(claim: Claim, body: ending.LegalHoldReleased, at: datetime) -> Changes:
    return {"legal_holds": tuple(hold for hold in claim.legal_holds if hold != body.hold_id)}


def _mandate_given(claim: Claim, body: handling.MandateGiven, at: datetime) -> Changes:
    return {"representatives": (*claim.representatives, body.representative_id)}


def _mandate_ended(claim: Claim, body: handling.MandateEnded, at: datetime) -> Changes:
    return {"representatives": tuple(name for name in claim.representatives if name != body.representative_id)}


def _key_destroyed(claim: Claim, body: ending.KeyDestroyed, at: datetime) -> Changes:
    return {"destroyed_keys": (*claim.destroyed_keys, body.subject_id)}


APPLIERS: dict[str, Callable[[Claim, Any, datetime], Changes]] = {
    "claim.acknowledged": _acknowledged,
    "claim.validated": _validated,
    "claim.duplicate.flagged": _duplicate_flagged,
    "claim.duplicate.confirmed": _duplicate_confirmed,
    "claim.duplicate.cleared": _duplicate_cleared,
    "claim.assigned": _assigned,
    "claim.reassigned": _assigned,
    "claim.assignment.deferred": _deferred,
    "claim.document.uploaded": _uploaded,
    "claim.document.waived": _waived,
    "claim.information.requested": _information_requested,
    "claim.information.reminded": _reminded,
    "claim.information.completed": _information_completed,
    "claim.investigated": _nothing,
    "claim.red_flags.raised": _flags_raised,
    "claim.siu.referred": _siu_referred,
    "claim.siu.concluded": _siu_concluded,
    "claim.reserve.changed": _reserve_changed,
    "claim.approval.requested": _approval_requested,
    "claim.approval.returned": _approval_returned,
    "claim.approved": _approved,
    "claim.rejected": _rejected,
    "claim.decision.rescinded": _rescinded,
    "claim.appeal.filed": _appeal_filed,
    "claim.appeal.decided": _appeal_decided,
    "claim.closed": _closed,
    "claim.withdrawn": _withdrawn,
    "claim.reopened": _reopened,
    "legal_hold.placed": _hold_placed,
    "legal_hold.released": _hold_released,
    "key.destroyed": _key_destroyed,
    "claim.sla.breached": _nothing,
    "claim.sla.warned": _nothing,
    "claim.status.notified": _nothing,
    "claim.mandate.given": _mandate_given,
    "claim.mandate.ended": _mandate_ended,
    "claim.note.added": _nothing,
    "claim.override.recorded": _nothing,
    "subject.erasure.requested": _nothing,
    "subject.erased": _nothing,
    "record.accessed": _nothing,
}
"""Event type -> what it changes; money is in `payment.APPLIERS`."""
