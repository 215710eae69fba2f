"""Who moves next with a claim in the simulation, when and how: from the seed and the claim alone. Pure.

Chances are those of domain.md section 14, in thousandths; delays are seconds of simulated time. All of it is invented.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from domain import commands as c
from domain.authority import role_for
from domain.bodies.base import Actor
from domain.commands import Command
from domain.context import Context
from domain.money import Money
from domain.policy_events import PolicyEvent, PolicyReleased
from domain.portrait import adjudicated
from domain.reasons import PROVISIONS
from domain.transitions import State
from workers.adapters.invented import Draw
from workers.demo.report import ODD_ROWS
from workers.zones import zone_of

if TYPE_CHECKING:
    from domain.claim_record import Claim
    from domain.policy import Policy

HOUR = 3600
DAY = 24 * HOUR

ASKS_FOR_INFORMATION = 150
"""Of 1,000 claims with documents missing: the adjuster asks in writing instead of waiting for them."""
NEVER_ANSWERS = 100
"""Of 1,000 letters that ask the claimant for information."""
INVESTIGATED = 80
"""Of 1,000 claims: the loss is looked into before the decision."""
SIU_CONFIRMS = 333
"""Of 1,000 referrals to special investigation: a third is confirmed (domain.md section 14)."""
DENIED_FOR_PROOF = 30
"""Of 1,000 claims: a person finds the proof of loss insufficient."""
PAYMENT_FAILS = 15
"""Of 1,000 payments at the first attempt (domain.md section 14)."""

LATE_CONTACT = 60
"""Of 1,000 claims: the adjuster calls the claimant too late, and a clock rings."""
CONTACT_CLOCK = "INTERNAL.contact"

CLAIMANT_SIDE_DOCUMENT = "photos"
REPORT = "investigation_report"
APPEAL_TEXT = "appeal.denial.1"


class Move(msgspec.Struct, frozen=True):
    """What somebody does with a claim, and when."""

    command: Command
    actor: Actor
    at: datetime
    policy_event: PolicyEvent | None = None
    """What happens to the policy in the same step."""


class Playbook:
    """The moves of one simulation."""

    def __init__(self, seed: int) -> None:
        """Everything follows from the seed."""
        self._seed = seed

    def may_move(self, claim: Claim) -> bool:
        """Is anybody of the simulation to move in this state?"""
        return claim.state in self._moves

    def next_move(self, claim: Claim, policy: Policy | None) -> Move | None:
        """The next move; None when the claimant stays silent, or somebody else is to move."""
        return self._moves[claim.state](self, claim, policy)

    def _draw(self, claim: Claim, about: str) -> Draw:
        """Numbers for one question about one claim: the claim is named by its source, which no key changes."""
        return Draw(self._seed, f"{claim.notice.source}|{claim.notice.source_ref}|{about}")

    def _happens(self, claim: Claim, about: str, per_thousand: int) -> bool:
        if claim.notice.policy_number in ODD_ROWS:
            return False  # the rows that are tests run straight to what they are documented to show, with any seed
        return self._draw(claim, about).below(1000) < per_thousand

    def _move(self, claim: Claim, command: Command, actor: Actor, shortest: int, longest: int) -> Move:
        """A move after a delay between two bounds (seconds)."""
        span = self._draw(claim, f"delay {claim.version}").below(max(longest - shortest, 1))
        return Move(command, actor, claim.updated_at + timedelta(seconds=shortest + span))

    def _assigned(self, claim: Claim, policy: Policy | None) -> Move | None:
        contact = claim.clocks.get(CONTACT_CLOCK)
        if contact is not None and contact.status == "running":
            late = self._happens(claim, "late contact", LATE_CONTACT)
            note = c.AddNote(kind="contact", note="spoke to the claimant")
            return self._move(claim, note, self._adjuster(claim), *((3 * DAY, 5 * DAY) if late else (HOUR, 6 * HOUR)))
        missing = claim.missing_documents
        if missing and claim.request_count == 0 and self._happens(claim, "asks", ASKS_FOR_INFORMATION):
            command = c.RequestInformation(items=missing, owed_by="claimant", message="please send what is missing")
            return self._move(claim, command, self._adjuster(claim), 4 * HOUR, 3 * DAY)
        if missing:
            return self._upload(claim, missing[0], 4 * HOUR, 6 * DAY)
        if not claim.document_ids:
            return self._upload(claim, CLAIMANT_SIDE_DOCUMENT, HOUR, 2 * DAY)
        if self._is_investigated(claim) and _document_id(claim, REPORT) not in claim.document_ids:
            command_ = c.StartInvestigation(scope="circumstances of the loss")
            return self._move(claim, command_, self._adjuster(claim), 4 * HOUR, 2 * DAY)
        return self._decision(claim, policy)

    def _is_investigated(self, claim: Claim) -> bool:
        return self._happens(claim, "investigated", INVESTIGATED)

    def _decision(self, claim: Claim, policy: Policy | None) -> Move:
        """Approve what the policy pays, or deny with the reason; above the own authority an approver confirms."""
        if policy is not None and policy.quarantine is not None:
            return self._policy_corrected(claim)
        if claim.siu.status == "confirmed":
            return self._denial(claim, "MISREPRESENTATION")
        zone = zone_of(claim.notice.jurisdiction)
        found = adjudicated(claim, Context(now=claim.updated_at, policy=policy, zone=zone))
        if claim.coverage.outcome == "fail" or found is None or found.decision == "denied":
            codes = claim.coverage.codes or (found.codes if found is not None else ())
            return self._denial(claim, next((code for code in codes if code in PROVISIONS), "COVERAGE_NOT_HELD"))
        if self._happens(claim, "proof", DENIED_FOR_PROOF):
            return self._denial(claim, "INSUFFICIENT_PROOF")
        command = c.ApproveClaim(escalate=True)
        return self._move(claim, command, self._adjuster(claim), 8 * HOUR, 12 * DAY)

    def _policy_corrected(self, claim: Claim) -> Move:
        """Underwriting mends the record, so that the claim can be decided; the note tells the adjuster."""
        note = c.AddNote(kind="policy", note="underwriting corrected the policy record")
        move = self._move(claim, note, Actor(id="UW-001", role="supervisor"), DAY, 5 * DAY)
        return msgspec.structs.replace(
            move, policy_event=PolicyReleased(reason="umbrella limit checked: there is none")
        )

    def _denial(self, claim: Claim, code: str) -> Move:
        command = c.RejectClaim(reason_codes=(code,), provisions=(PROVISIONS[code],), appeal_text_id=APPEAL_TEXT)
        actor = Actor(id="SEN-001", role="senior_adjuster")
        return self._move(claim, command, actor, 8 * HOUR, 14 * DAY)

    def _pending_approval(self, claim: Claim, policy: Policy | None) -> Move | None:
        del policy
        proposal = claim.proposal
        assert proposal is not None
        total = Money(claim.approved + proposal.net, claim.currency)
        role = role_for(claim.notice.line, total)
        actor = Actor(id=f"APP-{role}", role=role)
        return self._move(claim, c.ApproveClaim(), actor, 2 * HOUR, 3 * DAY)

    def _investigating(self, claim: Claim, policy: Policy | None) -> Move | None:
        del policy
        if claim.siu.status == "referred":
            confirmed = self._happens(claim, "siu", SIU_CONFIRMS)
            command = c.CloseSIU(outcome="confirmed" if confirmed else "cleared", finding="file closed")
            return self._move(claim, command, Actor(id="SIU-001", role="siu"), 2 * DAY, 10 * DAY)
        if _document_id(claim, REPORT) not in claim.document_ids:
            return self._upload(claim, REPORT, DAY, 6 * DAY, actor=self._adjuster(claim))
        command_ = c.CompleteInvestigation(finding="consistent", document_ids=(_document_id(claim, REPORT),))
        return self._move(claim, command_, self._adjuster(claim), HOUR, DAY)

    def _awaiting(self, claim: Claim, policy: Policy | None) -> Move | None:
        del policy
        if self._happens(claim, f"silent {claim.request_count}", NEVER_ANSWERS):
            return None
        missing = claim.missing_documents
        return self._upload(claim, missing[0], DAY, 6 * DAY) if missing else None

    def _payment_pending(self, claim: Claim, policy: Policy | None) -> Move | None:
        del policy
        payment = claim.pending
        assert payment is not None
        bank = Actor(id="BANK-SIM", role="bank")
        if payment.attempt == 1 and self._happens(claim, "payment fails", PAYMENT_FAILS):
            failed = c.FailPayment(payment_id=payment.id, reason="ACCOUNT_CLOSED", retryable=True)
            return self._move(claim, failed, bank, HOUR, DAY)
        reference = f"SIM-{self._draw(claim, f'reference {payment.attempt}').below(10**9):09d}"
        confirmed = c.ConfirmPayment(
            payment_id=payment.id, amount=Money(payment.amount, claim.currency), provider_ref=reference
        )
        return self._move(claim, confirmed, bank, HOUR, 2 * DAY)

    def _upload(self, claim: Claim, item: str, shortest: int, longest: int, *, actor: Actor | None = None) -> Move:
        command = c.UploadDocument(
            document_id=_document_id(claim, item),
            kind=item,
            checklist_item=item if item in claim.documents else "",
            media_type="application/pdf",
            size=48_000,
        )
        who = actor or Actor(id=claim.notice.claimant_id, role="claimant")
        return self._move(claim, command, who, shortest, longest)

    def _adjuster(self, claim: Claim) -> Actor:
        """Whoever owns the claim; all adjusters of the simulation are Adjuster II, so that what has to be confirmed
        does not depend on who happened to get the claim."""
        owner = claim.owner
        return Actor(id=owner.adjuster_id if owner is not None else "ADJ-000", role="adjuster_ii")

    _moves = {
        State.ASSIGNED: _assigned,
        State.PENDING_APPROVAL: _pending_approval,
        State.UNDER_INVESTIGATION: _investigating,
        State.AWAITING_INFORMATION: _awaiting,
        State.PAYMENT_PENDING: _payment_pending,
    }


def _document_id(claim: Claim, item: str) -> str:
    return f"DOC-{claim.claim_id[4:]}-{item}"
