"""What somebody wants: one tagged struct per command of the state table, and the few beside it.

A command says what; who says it is `Context.actor`. Amounts are `Money`; sealed values are opaque strings.
`roles.ROLES`
says who may ask for what.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

import msgspec

from domain.bodies.deciding import FoundOut
from domain.coverage import ClaimedItem
from domain.money import Money
from domain.red_flags import PoliceReport
from domain.restricted import Purpose


class Command(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    rename="camel",
    tag_field="command",
    tag=True,
):
    """Base of all commands; on the wire the field `command` names it."""


class SubmitClaim(Command, frozen=True, kw_only=True):
    """First notice of loss. The claim id is derived outside (`identity.claim_id`) or given by the source."""

    claim_id: str
    source: str
    source_ref: str
    channel: str
    reporter_role: str
    policy_number: str
    line: str
    peril: str
    jurisdiction: str
    loss_date: date
    reported_at: datetime
    claimant_id: str
    items: tuple[ClaimedItem, ...]
    insured_id: str = ""
    injured_count: int = 0
    vehicles: int = 0
    severity: str = ""
    police_report: PoliceReport = "unknown"
    property_damage: str = "unknown"
    fault_percent: int | None = None
    minors: bool = False
    fatality: bool = False
    litigation: bool = False
    loss_event: str = ""
    cause: str = ""
    asset_key: str = ""
    phone_key: str = ""
    account_key: str = ""
    restricted_group: str = ""
    priority: str = "normal"
    description: str = ""
    loss_location: str = ""


class AcknowledgeClaim(Command, frozen=True, kw_only=True):
    """Tell the claimant that the notice is registered."""

    channel: str = ""


class ValidateClaim(Command, frozen=True, kw_only=True):
    """Check cover, duplicates and red flags with what the context knows."""


class MarkDuplicate(Command, frozen=True, kw_only=True):
    """A person found that this claim is the same as another one."""

    surviving_claim_id: str
    reason: str


class ClearDuplicate(Command, frozen=True, kw_only=True):
    """A person found that the suspicion of a duplicate is wrong."""

    reason: str


class AssignClaim(Command, frozen=True, kw_only=True):
    """Give the claim to somebody: by rule, or to the named adjuster (who must pass the filter)."""

    adjuster_id: str = ""


class ReassignClaim(Command, frozen=True, kw_only=True):
    """Give the claim to somebody else, and why."""

    reason: str
    adjuster_id: str = ""


class UploadDocument(Command, frozen=True, kw_only=True):
    """A document came in; `checklist_item` says what it satisfies."""

    document_id: str
    kind: str
    checklist_item: str = ""
    media_type: str = ""
    size: int = 0
    hash: str = ""
    name: str = ""


class WaiveDocument(Command, frozen=True, kw_only=True):
    """An item of the checklist is not needed, and why."""

    checklist_item: str
    reason: str


class RequestInformation(Command, frozen=True, kw_only=True):
    """Ask for items; only a request to the claimant pauses the decide clock."""

    items: tuple[str, ...]
    owed_by: Literal["claimant", "provider", "third_party"] = "claimant"
    message: str = ""


class CompleteInformation(Command, frozen=True, kw_only=True):
    """Everything that was asked for is there."""


class StartInvestigation(Command, frozen=True, kw_only=True):
    """Look closer; `visible` says whether the claimant may be told (in neutral words)."""

    scope: str
    investigator_id: str = ""
    visible: bool = False
    notes: str = ""


class CompleteInvestigation(Command, frozen=True, kw_only=True):
    """The look is finished, with its finding."""

    finding: str
    document_ids: tuple[str, ...] = ()
    visible: bool = False
    notes: str = ""


class ReferToSIU(Command, frozen=True, kw_only=True):
    """Hand the suspicion to the special investigation unit."""

    reason: str


class CloseSIU(Command, frozen=True, kw_only=True):
    """The unit concluded."""

    outcome: Literal["cleared", "confirmed"]
    finding: str = ""


class SetReserve(Command, frozen=True, kw_only=True):
    """Set the outstanding reserve; what is None stays."""

    reason: str
    indemnity: Money | None = None
    expense: Money | None = None


class ItemAssessment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What a person takes off one item, in minor units, and why."""

    item_id: str
    disallowed: int = 0
    depreciation: int = 0
    reason_codes: tuple[str, ...] = ()


class ProposeDecision(Command, frozen=True, kw_only=True):
    """Ask an approver: to approve (amount or items as in `ApproveClaim`), to deny (reasons), or to give `amount`
    ex gratia (with the `reason`).
    """

    kind: Literal["approve", "deny", "ex_gratia"] = "approve"
    reason: str = ""
    amount: Money | None = None
    items: tuple[ItemAssessment, ...] = ()
    reason_codes: tuple[str, ...] = ()
    provisions: tuple[str, ...] = ()


class ReturnProposal(Command, frozen=True, kw_only=True):
    """The approver gives it back."""

    reason: str


class ApproveClaim(Command, frozen=True, kw_only=True):
    """Approve what the adjudication gives, less what `items` take off, or exactly `amount` when that is less.

    `escalate`: where only the authority is missing, propose the decision to an approver instead of refusing.
    `ex_gratia`: after a denial, give `amount` without owing it, for the `reason`; the policy is set aside.
    """

    amount: Money | None = None
    items: tuple[ItemAssessment, ...] = ()
    reason_codes: tuple[str, ...] = ()
    escalate: bool = False
    ex_gratia: bool = False
    reason: str = ""


class RejectClaim(Command, frozen=True, kw_only=True):
    """Deny: reason codes, the provisions of the policy, and the text about appeal rights."""

    reason_codes: tuple[str, ...]
    provisions: tuple[str, ...]
    appeal_text_id: str


class FileAppeal(Command, frozen=True, kw_only=True):
    """The claimant asks for another look."""

    grounds: str = ""


class DecideAppeal(Command, frozen=True, kw_only=True):
    """An independent reviewer decides; upholding needs reasons, provisions and the text about further
    rights.
    """

    outcome: Literal["upheld", "overturned"]
    reason_codes: tuple[str, ...] = ()
    provisions: tuple[str, ...] = ()
    appeal_text_id: str = ""


class InitiatePayment(Command, frozen=True, kw_only=True):
    """Pay what is owed (or a part of it, or an expense)."""

    amount: Money | None = None
    kind: Literal["indemnity", "expense", "interest"] | None = None
    payment_id: str = ""


class RetryPayment(Command, frozen=True, kw_only=True):
    """Try the failed payment again."""


class ConfirmPayment(Command, frozen=True, kw_only=True):
    """The provider says that the money has left."""

    payment_id: str
    amount: Money
    provider_ref: str
    cleared_at: datetime | None = None


class FailPayment(Command, frozen=True, kw_only=True):
    """The provider says that the payment failed."""

    payment_id: str
    reason: str
    retryable: bool = True


class ReversePayment(Command, frozen=True, kw_only=True):
    """A payment came back after completion; `amount` None: all of it."""

    payment_id: str
    reason: str
    amount: Money | None = None
    provider_ref: str = ""


class RescindDecision(Command, frozen=True, kw_only=True):
    """Take the decision back before (further) payment."""

    reason: str


class RecordRecovery(Command, frozen=True, kw_only=True):
    """A step of getting money back from others."""

    kind: Literal["subrogation", "salvage"]
    stage: Literal["demanded", "received", "closed"]
    amount: Money
    source: str = ""


class WithdrawClaim(Command, frozen=True, kw_only=True):
    """The claimant takes the claim back; once something was paid, only as paid or paid_partial."""

    reason: str
    outcome: Literal["withdrawn", "paid", "paid_partial"] = "withdrawn"


class CloseClaim(Command, frozen=True, kw_only=True):
    """Close: the outcome follows from what was decided and paid."""

    reason: str = ""


class ReopenClaim(Command, frozen=True, kw_only=True):
    """Same loss, new facts."""

    reason_code: str
    reason: str


class SendStatusLetter(Command, frozen=True, kw_only=True):
    """A status letter in neutral words; `extends_until` where the law lets a letter extend the time to
    decide.
    """

    letter: str
    reason: str
    extends_until: datetime | None = None


class GiveMandate(Command, frozen=True, kw_only=True):
    """The claimant names somebody who may act and ask for the claim in the claimant's place."""

    representative_id: str


class EndMandate(Command, frozen=True, kw_only=True):
    """Who was named speaks for the claimant no more."""

    representative_id: str


class RecordAccess(Command, frozen=True, kw_only=True):
    """Somebody of the house reads a restricted claim; `view`: what shows it, `purpose`: why, as a code."""

    view: str
    purpose: Purpose


class AddNote(Command, frozen=True, kw_only=True):
    """A note; kind `contact` stops the contact clock."""

    kind: str
    note: str = ""


class RecordOverride(Command, frozen=True, kw_only=True):
    """Set a rule aside, with the reason; `found` says what became of a payment in doubt."""

    subject: str
    reason: str
    found: FoundOut | None = None


class PlaceLegalHold(Command, frozen=True, kw_only=True):
    """Nothing of this claim may be erased."""

    hold_id: str
    reason: str


class ReleaseLegalHold(Command, frozen=True, kw_only=True):
    """The hold ends."""

    hold_id: str
    reason: str


class FireTimer(Command, frozen=True, kw_only=True):
    """The timekeeper's: the timer `clock:cycle[:mark]` is due."""

    clock: str
    cycle: int
    mark: int | None = None


AnyCommand = (
    SubmitClaim | AcknowledgeClaim | ValidateClaim | MarkDuplicate | ClearDuplicate | AssignClaim |
    ReassignClaim | UploadDocument | WaiveDocument | RequestInformation | CompleteInformation |
    StartInvestigation | CompleteInvestigation | ReferToSIU | CloseSIU | SetReserve | ProposeDecision |
    ReturnProposal | ApproveClaim | RejectClaim | FileAppeal | DecideAppeal | InitiatePayment | RetryPayment
    | ConfirmPayment | FailPayment | ReversePayment | RescindDecision | RecordRecovery | WithdrawClaim |
    CloseClaim | ReopenClaim | SendStatusLetter | AddNote | RecordOverride | PlaceLegalHold |
    ReleaseLegalHold | GiveMandate | EndMandate | RecordAccess | FireTimer
)  # fmt: skip
"""Any command, for one decoder: `msgspec.json.Decoder(AnyCommand)`."""

COMMANDS: dict[str, type[Command]] = {kind.__name__: kind for kind in Command.__subclasses__()}
"""Name -> command."""
