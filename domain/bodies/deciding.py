"""Facts of the decision: proposed, returned, approved, rejected, rescinded, appealed, overridden."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

from domain.adjudication import Line
from domain.authority import Authority
from domain.bodies.base import Body
from domain.money import Money


class ApprovalRequested(Body, frozen=True, kw_only=True):
    """An adjuster proposes what is above his authority; somebody else must confirm it."""

    decision: str
    proposer_id: str
    proposer_role: str
    approved_net: Money
    items: tuple[Line, ...] = ()
    reason_codes: tuple[str, ...] = ()
    provisions: tuple[str, ...] = ()
    policy_version: int | None = None
    role_needed: str = ""
    ex_gratia: Money | None = None


class ApprovalReturned(Body, frozen=True, kw_only=True):
    """The approver gives the proposal back, and why."""

    approver_id: str
    reason: str


class ClaimApproved(Body, frozen=True, kw_only=True):
    """Approved in full or in part. `approved_net` is the total of the claim, not an increment; `ex_gratia` is what of
    it is given now without being owed.

    `approved_amount` (major units) and `processing_time_hours` are derived for lab readers.
    """

    decision: str
    approved_net: Money
    items: tuple[Line, ...]
    straight_through: bool = False
    rule_version: str = ""
    policy_version: int | None = None
    proposer_id: str = ""
    approver_id: str = ""
    authority: Authority | None = None
    pay_by: datetime | None = None
    appeal_text_id: str = ""
    reason_codes: tuple[str, ...] = ()
    deductible: Money | None = None
    limit: Money | None = None
    ex_gratia: Money | None = None
    approved_amount: Decimal | None = None
    processing_time_hours: Decimal | None = None
    processing_seconds: int = 0


class ClaimRejected(Body, frozen=True, kw_only=True):
    """Denied, with reason codes, provisions and appeal rights. `decided_by` is a person's id, or
    `clerical`.
    """

    reason_codes: tuple[str, ...]
    provisions: tuple[str, ...]
    decided_by: str
    proposer_id: str = ""
    clerical_rule: str = ""
    rule_version: str = ""
    policy_version: int | None = None
    second_lookup: bool = False
    appeal_text_id: str = ""
    appeal_by: datetime | None = None
    regulator_id: str = ""
    items: tuple[Line, ...] = ()
    processing_time_hours: Decimal | None = None
    processing_seconds: int = 0


class DecisionRescinded(Body, frozen=True, kw_only=True):
    """A decision was taken back before (further) payment; the claimant is told the reason."""

    reason: str
    rescinded_by: str
    approved_net: Money


class AppealFiled(Body, frozen=True, kw_only=True):
    """The claimant or a representative asks for another look."""

    filed_by: str
    filed_by_role: str
    grounds: str = ""
    from_state: str = ""


class AppealDecided(Body, frozen=True, kw_only=True):
    """An independent reviewer upheld or overturned the decision."""

    outcome: str
    reviewer_id: str
    reason_codes: tuple[str, ...] = ()
    provisions: tuple[str, ...] = ()
    appeal_text_id: str = ""


class FoundOut(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What a person found out about a payment in doubt: did its money leave?

    `order_key`: the order of ours that waits for the answer, '' when only a message is in doubt. `message_id`: the
    message of the bank that held the payment back, '' for none. `reference`: the bank's, when it is known.
    """

    outcome: Literal["sent", "not_sent"]
    payment_id: str
    order_key: str = ""
    message_id: str = ""
    reference: str = ""


class OverrideRecorded(Body, frozen=True, kw_only=True):
    """A person set a rule aside, with the reason: `subject` names the rule. `found`: about a payment in doubt."""

    subject: str
    reason: str
    overridden_by: str
    found: FoundOut | None = None
