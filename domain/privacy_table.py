"""The table of all fields of all event bodies: clear, sealed, indexed or keyed. `privacy` explains it.

In clear: ids, opaque subject ids, amounts, days, codes, states, jurisdiction. Sealed: names, contacts,
places, accounts, free text (domain design, section 13). A field in no row has no treatment; a test holds this
table against the structs of the events, so that a new field is classified before it is ever written.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping


class Treatment(StrEnum):
    """How one field of a body is kept."""

    CLEAR = "clear"
    SEALED = "sealed"
    INDEXED = "sealed and indexed"
    KEYED = "keyed"
    """Only a blind index of the value is kept: it can be compared and never read."""


class Index(StrEnum):
    """The look-ups that exist; each has a key of its own, so that indexes cannot be joined."""

    ACCOUNT = "account"
    PHONE = "phone"
    ASSET = "asset"
    PERSON = "person"


class Field(msgspec.Struct, frozen=True):
    """One field of a body. `owner`: the body field with the person's opaque id; empty: the claim owns it."""

    path: str
    treatment: Treatment = Treatment.CLEAR
    owner: str = ""
    index: Index | None = None


def _body(clear: str, sealed: str = "", *others: Field) -> tuple[Field, ...]:
    """Return the fields of a body from paths: clear ones, those sealed for the claim, and others."""
    return (
        *(Field(path) for path in f"{_DERIVED} {clear}".split()),
        *(Field(path, Treatment.SEALED) for path in sealed.split()),
        *others,
    )


_DERIVED = (
    "type priority claimantId assignedTo submittedAt policyNumber status statusBefore"
    " clocks[].op clocks[].clock clocks[].cycle clocks[].due clocks[].warn"
)
_ITEMS = (
    "items[].coverage items[].coinsurance items[].copay "
    "items[].itemId items[].claimed items[].disallowed items[].depreciation items[].covered"
    " items[].deductible items[].overLimit items[].net items[].reasonCodes items[].provision"
)
_ASSIGNMENT = (
    "tier weight rosterVersion explanation candidates[].adjusterId candidates[].load candidates[].capacity"
    " candidates[].refusedBy"
)
_ASSIGNED = f"{_ASSIGNMENT} adjusterId previousAdjusterId rule"
_TIMED = "clock cycle due profile name jurisdiction"

BODIES: Mapping[str, tuple[Field, ...]] = {
    "claim.submitted": _body(
        "source sourceRef channel reporterRole policyNumber line peril jurisdiction lossDate reportedAt"
        " insuredId injuredCount vehicles severity policeReport propertyDamage faultPercent minors fatality"
        " litigation lossEvent cause restrictedGroup items[].itemId items[].coverage items[].claimed claimed"
        " amount",
        "description lossLocation",
        Field("assetKey", Treatment.KEYED, index=Index.ASSET),
        Field("phoneKey", Treatment.KEYED, index=Index.PHONE),
        Field("accountKey", Treatment.KEYED, index=Index.ACCOUNT),
    ),
    "claim.acknowledged": _body("channel"),
    "claim.validated": _body(
        "coverage codes items[].itemId items[].outcome items[].codes policyNumber policyVersion lookups"
        " duplicateScore reviews redFlags[].code redFlags[].weight flagScore requiredDocuments ruleVersion"
    ),
    "claim.duplicate.flagged": _body("score candidates[].claimId candidates[].score"),
    "claim.duplicate.confirmed": _body("survivingClaimId decidedBy outcome weight", "reason"),
    "claim.duplicate.cleared": _body("decidedBy", "reason"),
    "claim.assigned": _body(_ASSIGNED),
    "claim.reassigned": _body(_ASSIGNED, "reason"),
    "claim.assignment.deferred": _body(_ASSIGNMENT),
    "claim.document.uploaded": _body("documentId kind checklistItem mediaType size hash uploadedBy complete", "name"),
    "claim.document.waived": _body("checklistItem waivedBy complete", "reason"),
    "claim.information.requested": _body("items owedBy resumeState dueBy remindersAt inactiveAt", "message"),
    "claim.information.reminded": _body("number items owedBy"),
    "claim.information.completed": _body("resumeState"),
    "claim.investigated": _body("phase scope investigatorId finding documentIds visible", "notes"),
    "claim.red_flags.raised": _body("redFlags[].code redFlags[].weight flagScore"),
    "claim.siu.referred": _body("byRule score redFlags[].code redFlags[].weight", "reason"),
    "claim.siu.concluded": _body("outcome", "finding"),
    "claim.reserve.changed": _body("indemnity expense previousIndemnity previousExpense ruleVersion", "reason"),
    "claim.mandate.given": _body("representativeId"),
    "claim.mandate.ended": _body("representativeId"),
    "claim.note.added": _body("kind", "note"),
    "claim.status.notified": _body("letter reason extendsUntil"),
    "claim.approval.requested": _body(
        f"decision proposerId proposerRole approvedNet reasonCodes provisions policyVersion roleNeeded exGratia"
        f" {_ITEMS}"
    ),
    "claim.approval.returned": _body("approverId", "reason"),
    "claim.approved": _body(
        "decision approvedNet straightThrough ruleVersion policyVersion proposerId approverId authority.role"
        " authority.limit authority.cumulative payBy appealTextId reasonCodes deductible limit approvedAmount exGratia"
        f" processingTimeHours processingSeconds {_ITEMS}"
    ),
    "claim.rejected": _body(
        "reasonCodes provisions decidedBy proposerId clericalRule ruleVersion policyVersion secondLookup"
        f" appealTextId appealBy regulatorId processingTimeHours processingSeconds {_ITEMS}"
    ),
    "claim.decision.rescinded": _body("rescindedBy approvedNet", "reason"),
    "claim.appeal.filed": _body("filedBy filedByRole fromState", "grounds"),
    "claim.appeal.decided": _body("outcome reviewerId reasonCodes provisions appealTextId"),
    "claim.override.recorded": _body(
        "subject overriddenBy found.outcome found.paymentId found.orderKey found.messageId found.reference", "reason"
    ),
    "claim.payment.initiated": _body(
        "paymentId kind amount payeeId method attempt payerId dueBy",
        "",
        Field("account", Treatment.INDEXED, owner="payeeId", index=Index.ACCOUNT),
    ),
    "claim.payment.completed": _body("paymentId amount providerRef clearedAt paidTotal balance kind approvedAt late"),
    "claim.payment.failed": _body("paymentId amount reason retryable attempt kind retryAt"),
    "claim.payment.reversed": _body("paymentId amount reason providerRef kind"),
    "claim.interest.added": _body("amount principal basisPoints days since until source"),
    "claim.recovery.potential": _body("kind basis"),
    "claim.recovery.recorded": _body("kind stage amount deductibleShare", "source"),
    "claim.closed": _body("outcome paidTotal approvedNet weight processingSeconds", "reason"),
    "claim.withdrawn": _body("outcome weight", "reason"),
    "claim.reopened": _body("reasonCode count previousAdjusterId closedAt", "reason"),
    "claim.sla.breached": _body(_TIMED),
    "claim.sla.warned": _body(f"{_TIMED} percent"),
    "legal_hold.placed": _body("holdId", "reason"),
    "legal_hold.released": _body("holdId", "reason"),
    "subject.erasure.requested": _body("subjectId dueBy"),
    "key.destroyed": _body("subjectId"),
    "subject.erased": _body("subjectId stores"),
    "record.accessed": _body("record purpose"),
}
"""Every field of every event of a claim. Reasons that a person types are narrative; codes are clear."""
