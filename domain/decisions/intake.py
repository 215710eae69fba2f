"""From the first notice to validation: submit, acknowledge, validate, duplicates."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from domain import portrait
from domain.bodies.handling import DocumentUploaded, DocumentWaived
from domain.bodies.intake import (
    ClaimAcknowledged,
    ClaimSubmitted,
    ClaimValidated,
    DuplicateCandidate,
    DuplicateCleared,
    DuplicateConfirmed,
    DuplicateFlagged,
)
from domain.decisions.step import Problem
from domain.major_units import major
from domain.money import Money
from domain.transitions import PREDECISION

if TYPE_CHECKING:
    from domain import commands
    from domain.bodies.base import Body
    from domain.claim_record import Claim
    from domain.context import Context


_HASH = re.compile(r"[A-Za-z0-9:+/=_-]{16,128}")


def submitted(command: commands.SubmitClaim, context: Context) -> ClaimSubmitted:
    """The notice as a fact; G02 judges it."""
    items = command.items
    claimed = items[0].claimed if len(items) == 1 else _total(command)
    return ClaimSubmitted(
        source=command.source,
        source_ref=command.source_ref,
        channel=command.channel,
        reporter_role=command.reporter_role,
        policy_number=command.policy_number,
        line=command.line,
        peril=command.peril,
        jurisdiction=command.jurisdiction,
        loss_date=command.loss_date,
        reported_at=command.reported_at,
        claimant_id=command.claimant_id,
        items=items,
        claimed=claimed,
        insured_id=command.insured_id,
        injured_count=command.injured_count,
        vehicles=command.vehicles,
        severity=command.severity,
        police_report=command.police_report,
        property_damage=command.property_damage,
        fault_percent=command.fault_percent,
        minors=command.minors,
        fatality=command.fatality,
        litigation=command.litigation,
        loss_event=command.loss_event,
        cause=command.cause,
        asset_key=command.asset_key,
        phone_key=command.phone_key,
        account_key=command.account_key,
        restricted_group=command.restricted_group,
        priority=command.priority,
        description=command.description,
        loss_location=command.loss_location,
        amount=major(claimed),
    )


def _total(command: commands.SubmitClaim) -> Money:
    """Sum of the items' minor units in the first item's currency; G02 refuses mixed currencies and no
    items.
    """
    currency = command.items[0].claimed.currency if command.items else ""
    return Money(sum(item.claimed.minor for item in command.items), currency)


def met_again(claim: Claim, command: commands.SubmitClaim) -> Problem:
    """G01: the claim exists. The same (source, reference) is the same notice; anything else is another
    claim's id, and so is another person's, policy's or amount's notice under a reference that was used before.
    """
    notice = claim.notice
    if (notice.source, notice.source_ref) != (command.source, command.source_ref):
        return Problem("CONFLICT", f"the claim id {claim.claim_id} is taken by another submission", "G01")
    same = (
        ("policy", notice.policy_number == command.policy_number),
        ("claimant", notice.claimant_id == command.claimant_id),
        ("amount", notice.claimed == _total(command)),
    )
    others = ", ".join(name for name, is_same in same if not is_same)
    if others:
        return Problem(
            "CONFLICT", f"{claim.claim_id} was submitted already from {notice.source} with another {others}", "G01"
        )
    return Problem("REPEATED", f"{claim.claim_id} was submitted already from {notice.source}", "G01")


def acknowledged(claim: Claim, command: commands.AcknowledgeClaim, context: Context) -> Body | Problem:
    """Once is enough."""
    if claim.acknowledged_at is not None:
        return Problem("REPEATED", "the claim was acknowledged already")
    return ClaimAcknowledged(channel=command.channel)


def validated(claim: Claim, context: Context) -> ClaimValidated:
    """All results of cover, duplicates and red flags, with what they were looked up in."""
    match = portrait.similar(claim, context)
    score = match.score if match is not None else 0
    cover = portrait.cover(claim, context, score)
    found = portrait.flags(claim, context)
    return ClaimValidated(
        coverage=cover.outcome,
        codes=cover.codes,
        items=cover.items,
        reviews=cover.reviews,
        policy_version=cover.policy_version,
        lookups=context.lookups,
        duplicate_score=score,
        red_flags=found.flags,
        flag_score=found.score,
        required_documents=context.rules.checklist(claim.notice),
        rule_version=context.rules.version,
    )


def validate(claim: Claim, command: commands.ValidateClaim, context: Context) -> Body | Problem:
    """`ValidateClaim`."""
    return validated(claim, context)


def duplicate_flagged(claim: Claim, context: Context) -> DuplicateFlagged | None:
    """The suspicion, when another claim looks alike and nobody has judged it yet."""
    match = portrait.similar(claim, context)
    if match is None or claim.duplicate.status != "none":
        return None
    return DuplicateFlagged(score=match.score, candidates=(DuplicateCandidate(match.claim_id, match.score),))


def duplicate_confirmed(claim: Claim, command: commands.MarkDuplicate, context: Context) -> Body | Problem:
    """`MarkDuplicate`: the surviving claim is another one."""
    if command.surviving_claim_id in ("", claim.claim_id):
        return Problem("INVALID", "surviving claim id: name the other claim, which stays")
    return DuplicateConfirmed(
        surviving_claim_id=command.surviving_claim_id,
        decided_by=context.actor.id,
        reason=command.reason,
        weight=claim.owner.weight if claim.owner is not None else 0,
    )


def cannot_survive(other: Claim | None, other_id: str) -> str:
    """Why the claim `other` cannot be the one that stays; '' when it can.

    A loss whose two notices were closed in each other's favour would be paid by nobody.
    """
    if other is None:
        return f"surviving claim id: there is no claim {other_id}"
    if other.state == "CLOSED" and other.closed_outcome == "duplicate":
        return f"surviving claim id: {other_id} was itself closed as a duplicate of {other.duplicate.surviving}"
    return ""


def duplicate_cleared(claim: Claim, command: commands.ClearDuplicate, context: Context) -> Body | Problem:
    """`ClearDuplicate`: there must be a suspicion, recorded at validation or seen only now (two notices at once).

    A reopened claim that was closed as a duplicate is cleared too: G05 would hold it for ever otherwise.
    """
    status = claim.duplicate.status
    reopened = status == "confirmed" and claim.state in PREDECISION
    seen_now = status == "none" and portrait.similar(claim, context) is not None
    if not (status == "suspected" or reopened or seen_now):
        return Problem("WRONG_STATE", f"no suspicion to clear: the duplicate facet is {claim.duplicate.status}")
    return DuplicateCleared(decided_by=context.actor.id, reason=command.reason)


def uploaded(claim: Claim, command: commands.UploadDocument, context: Context) -> Body | Problem:
    """`UploadDocument`: its kind counts as the item of the checklist when no item is named."""
    if command.document_id in claim.document_ids:
        return Problem("REPEATED", f"document {command.document_id} is on the claim already")
    if command.hash and not _HASH.fullmatch(command.hash):
        return Problem("INVALID", "hash: 16 to 128 letters and digits, as a hash of the document has")
    item = command.checklist_item or (command.kind if _is_asked_for(claim, command.kind) else "")
    return DocumentUploaded(
        document_id=command.document_id,
        kind=command.kind,
        checklist_item=item,
        media_type=command.media_type,
        size=command.size,
        hash=command.hash,
        uploaded_by=context.actor.role,
        name=command.name,
        complete=_complete_with(claim, item),
    )


def waived(claim: Claim, command: commands.WaiveDocument, context: Context) -> Body | Problem:
    """`WaiveDocument`: with a reason, and only what is owed."""
    if not command.reason:
        return Problem("INVALID", "reason: a waiver needs one")
    if command.checklist_item not in claim.missing_documents:
        return Problem("INVALID", f"checklist item {command.checklist_item}: it is not owed")
    return DocumentWaived(
        checklist_item=command.checklist_item,
        reason=command.reason,
        waived_by=context.actor.id,
        complete=_complete_with(claim, command.checklist_item),
    )


def _is_asked_for(claim: Claim, kind: str) -> bool:
    return kind in claim.documents or (claim.request is not None and kind in claim.request.outstanding)


def _complete_with(claim: Claim, item: str) -> bool:
    """Whether the checklist of a validated claim is satisfied once this item is there."""
    return claim.validated_at is not None and all(name == item for name in claim.missing_documents)
