"""The claim as its facts left it: one frozen value, which is also the snapshot that the store keeps (as
JSON).

`version` is the sequence of the last fact. Nothing in it is ever set except by `claim.evolve`.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from domain.bodies.intake import ClaimSubmitted
from domain.facets import (
    Appeal,
    Clock,
    Coverage,
    Decision,
    DocumentItem,
    Duplicate,
    InformationRequest,
    Owner,
    Payment,
    Proposal,
    Recovery,
    RedFlags,
    Reserve,
    Siu,
)
from domain.money import Money
from domain.transitions import State

LAB_TYPES = {"motor": "auto", "property": "home", "life": "life", "health": "health"}
"""Line -> the word that lab readers use (source-systems.md B2)."""


class Claim(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """State and facets. All amounts are minor units of `currency`; all times are UTC.

    `approved` is the indemnity that stands approved in total; `paid` what was paid of it, less reversals;
    `interest` what is owed for late payment on top, `paid_interest` what was paid of that.
    """

    claim_id: str
    state: State
    version: int
    notice: ClaimSubmitted
    currency: str
    submitted_at: datetime
    updated_at: datetime
    acknowledged_at: datetime | None = None
    validated_at: datetime | None = None
    assigned_at: datetime | None = None
    processing_started: datetime | None = None
    approved_at: datetime | None = None
    closed_at: datetime | None = None
    last_closed_at: datetime | None = None
    coverage: Coverage = Coverage()
    red_flags: RedFlags = RedFlags()
    decision: Decision = Decision()
    proposal: Proposal | None = None
    siu: Siu = Siu()
    duplicate: Duplicate = Duplicate()
    reserve: Reserve = Reserve()
    reserved_once: bool = False
    approved: int = 0
    paid: int = 0
    interest: int = 0
    paid_interest: int = 0
    paid_expense: int = 0
    payments: tuple[Payment, ...] = ()
    payment_hold: str = ""
    documents: dict[str, DocumentItem] = {}
    document_ids: tuple[str, ...] = ()
    request: InformationRequest | None = None
    request_count: int = 0
    clocks: dict[str, Clock] = {}
    recovery: Recovery = Recovery()
    owner: Owner | None = None
    previous_owner: str = ""
    deferred_roster: int | None = None
    appeal: Appeal | None = None
    representatives: tuple[str, ...] = ()
    legal_holds: tuple[str, ...] = ()
    destroyed_keys: tuple[str, ...] = ()
    reopen_count: int = 0
    closed_outcome: str = ""

    @property
    def claimed(self) -> int:
        """What the notice asks for."""
        return self.notice.claimed.minor

    @property
    def lab_type(self) -> str:
        """The line in the word of lab readers: auto, home, life, health."""
        return LAB_TYPES.get(self.notice.line, self.notice.line)

    @property
    def pending(self) -> Payment | None:
        """The payment that is under way, if any; the table allows one at a time."""
        last = self.payments[-1] if self.payments else None
        return last if last is not None and last.status == "pending" else None

    @property
    def pending_amount(self) -> int:
        """The amount under way, of whatever kind."""
        payment = self.pending
        return payment.amount if payment is not None else 0

    @property
    def balance(self) -> int:
        """What is still owed to the payee: indemnity and interest, pending not deducted."""
        return self.approved - self.paid + self.interest - self.paid_interest

    @property
    def paid_out(self) -> int:
        """What the payee has: indemnity and interest, not what experts got."""
        return self.paid + self.paid_interest

    @property
    def paid_all(self) -> int:
        """Everything that left: indemnity, interest, expense."""
        return self.paid + self.paid_interest + self.paid_expense

    @property
    def incurred(self) -> int:
        """Paid + outstanding reserve."""
        return self.paid_all + self.reserve.total

    @property
    def net_incurred(self) -> int:
        """Incurred - recovered; what went back to the insured for the deductible is nothing that was won."""
        return self.incurred - (self.recovery.received - self.recovery.deductible_back)

    @property
    def proof_of_loss(self) -> bool:
        """Every mandatory document is there or waived."""
        return all(item.status != "required" for item in self.documents.values())

    @property
    def missing_documents(self) -> tuple[str, ...]:
        """The items of the checklist that are still owed."""
        return tuple(name for name, item in self.documents.items() if item.status == "required")

    def money(self, minor: int) -> Money:
        """An amount in the claim's currency."""
        return Money(minor, self.currency)
