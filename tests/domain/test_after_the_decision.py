"""What comes after: appeal, reopening, withdrawal, duplicates, recovery, reversal, rescission, holds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from domain import commands as c
from domain.bodies import deciding, ending, handling, paying
from domain.bodies.base import Actor
from domain.claim import ImpossibleFact, evolve
from domain.context import History
from domain.duplicates import LossTrace
from domain.events import Fact
from domain.money import Money
from domain.rules import Rules
from domain.transitions import State
from tests.support.claims import (
    ADJUSTER_II,
    BANK,
    CLAIMANT,
    LOSS,
    MANAGER,
    PAYEE,
    RECOVERY,
    REVIEWER,
    SENIOR,
    SIU,
    SUPERVISOR,
    Story,
    adjuster,
    roster,
    usd,
)

DENY = c.RejectClaim(reason_codes=("INSUFFICIENT_PROOF",), provisions=("Conditions",), appeal_text_id="appeal.denial.1")
UPHOLD = c.DecideAppeal(
    outcome="upheld", reason_codes=("INSUFFICIENT_PROOF",), provisions=("Conditions",), appeal_text_id="x"
)
REOPEN = c.ReopenClaim(reason_code="NEW_FACTS", reason="hidden damage")
DECIDER = Actor(id="ADJ-001", role="senior_adjuster")
"""An adjuster who is on the roster, so that he must not get his own appeal back."""


def pay(story: Story) -> Story:
    payment = story.now_claim.pending
    assert payment is not None
    amount = Money(payment.amount, "USD")
    return story.do(c.ConfirmPayment(payment_id=payment.id, amount=amount, provider_ref="B"), BANK)


def reverse(story: Story, **changes: str) -> Story:
    message = c.ReversePayment(payment_id=story.now_claim.payments[-1].id, reason="returned", provider_ref="R1")
    return story.do(message, BANK)


def test_an_overturned_appeal_goes_to_somebody_who_did_not_decide() -> None:
    story = Story().submit()
    assert story.now_claim.owner is not None and story.now_claim.owner.adjuster_id == "ADJ-001"
    story.do(DENY, DECIDER).do(c.FileAppeal(grounds="new evidence"), CLAIMANT)
    assert (story.state(), story.now_claim.closed_outcome) == (State.UNDER_APPEAL, "")
    story.do(c.DecideAppeal(outcome="overturned"), REVIEWER)
    assert story.types[-2:] == ["appeal.decided", "reassigned"]
    assert story.facts[-1].body.assigned_to == "ADJ-002"
    story.do(c.ApproveClaim(), SENIOR)
    assert pay(story).now_claim.closed_outcome == "paid"


def test_an_upheld_appeal_of_an_unpaid_claim_ends_denied_again() -> None:
    story = Story().submit().do(DENY, SENIOR).do(c.FileAppeal(), CLAIMANT).do(UPHOLD, REVIEWER)
    assert story.types[-2:] == ["appeal.decided", "closed"]
    assert story.now_claim.closed_outcome == "denied"


def test_who_upheld_a_decision_does_not_review_it_again() -> None:
    other = Actor(id="REV-2", role="appeal_reviewer")
    story = Story().submit().do(DENY, SENIOR).do(c.FileAppeal(), CLAIMANT).do(UPHOLD, REVIEWER)
    story.do(c.FileAppeal(grounds="a witness"), CLAIMANT)
    refused = story.refused(UPHOLD, REVIEWER)
    assert (refused.guard, refused.message) == ("G14", "REV-1 upheld the decision on an earlier appeal")
    story.do(UPHOLD, other).do(c.FileAppeal(), CLAIMANT)
    assert {story.refused(UPHOLD, who).guard for who in (REVIEWER, other)} == {"G14"}
    story.set(superiors=("REV-2",))
    assert "upheld" in story.refused(UPHOLD, Actor(id="REV-3", role="appeal_reviewer")).message


def test_an_upheld_appeal_of_a_part_payment_ends_as_paid_in_part() -> None:
    story = pay(Story().submit().do(c.ApproveClaim(amount=usd(5000)), SENIOR))
    story.do(c.FileAppeal(), CLAIMANT).do(UPHOLD, REVIEWER)
    assert story.types[-2:] == ["appeal.decided", "closed"]
    assert (story.now_claim.closed_outcome, story.now_claim.paid) == ("paid_partial", 500_000)


def test_an_overturned_appeal_of_a_part_payment_pays_only_the_rest() -> None:
    story = pay(Story().submit().do(c.ApproveClaim(amount=usd(5000)), SENIOR))
    story.do(c.FileAppeal(), CLAIMANT).do(c.DecideAppeal(outcome="overturned"), REVIEWER)
    story.do(c.ApproveClaim(), MANAGER)
    payment = story.now_claim.pending
    assert payment is not None and payment.amount == 1_400_000
    assert pay(story).now_claim.paid == story.now_claim.approved == 1_900_000


def test_a_reopened_claim_is_assigned_to_its_adjuster_and_never_goes_straight_through() -> None:
    story = pay(Story().submit(peril="parked_car", severity="minor", claimed=usd(2400)))
    assert story.now_claim.decision.straight_through
    story.wait(days=5).do(REOPEN, SUPERVISOR)
    assert story.types[-2:] == ["reopened", "assigned"]
    assert (story.state(), story.now_claim.reopen_count) == (State.ASSIGNED, 1)


def test_a_machine_never_denies_a_reopened_claim() -> None:
    story = Story(policy=None, lookups=2).submit()
    assert story.now_claim.closed_outcome == "denied"
    story.do(REOPEN, SUPERVISOR)
    assert story.types[-1] == "assigned"


def test_a_document_that_comes_twice_is_on_the_claim_once() -> None:
    upload = c.UploadDocument(document_id="D1", kind="photo")
    story = Story().submit().do(upload, CLAIMANT)
    assert story.refused(upload, CLAIMANT).code == "REPEATED"
    assert story.now_claim.document_ids == ("D1",)


def test_a_claim_reopened_after_60_days_goes_to_who_had_it_unless_he_is_away() -> None:
    story = pay(Story().submit().do(c.ApproveClaim(), SENIOR))
    busier = roster(adjuster("ADJ-001", load=30), adjuster("ADJ-002"))
    story.set(roster=busier).wait(days=60).do(REOPEN, SUPERVISOR)
    assigned = story.facts[-1].body
    assert isinstance(assigned, handling.ClaimAssigned)
    assert (assigned.adjuster_id, assigned.rule) == ("ADJ-001", "previous_adjuster")


def test_a_supplement_that_is_denied_after_a_payment_closes_as_paid_in_part() -> None:
    story = pay(Story().submit().do(c.ApproveClaim(amount=usd(5000)), SENIOR)).do(REOPEN, SUPERVISOR)
    story.do(DENY, SENIOR)
    assert (story.now_claim.closed_outcome, story.now_claim.approved, story.now_claim.paid) == (
        "paid_partial",
        500_000,
        500_000,
    )


def test_a_withdrawn_claim_closes_without_reserve_and_keeps_the_file_of_the_unit_open() -> None:
    story = Story().submit().do(c.ReferToSIU(reason="staged"), SENIOR)
    story.do(c.WithdrawClaim(reason="found the car"), CLAIMANT)
    assert (story.state(), story.now_claim.closed_outcome) == (State.CLOSED, "withdrawn")
    assert story.now_claim.siu.status == "referred"
    assert story.now_claim.reserve.total == 0


def test_a_claim_with_a_payment_under_way_cannot_be_withdrawn() -> None:
    story = Story().submit().do(c.ApproveClaim(), SENIOR)
    assert story.refused(c.WithdrawClaim(reason="x"), CLAIMANT).code == "WRONG_STATE"


def test_a_look_alike_is_flagged_reviewed_and_closed_only_by_a_person() -> None:
    other = LossTrace("CLM-OTHER001", "POL-1", LOSS + timedelta(days=1), "single_vehicle_collision", usd(20_000))
    story = Story(history=History(similar=(other,))).submit()
    assert story.types[:4] == ["submitted", "acknowledged", "validated", "duplicate.flagged"]
    assert (story.state(), story.now_claim.duplicate.score) == (State.ASSIGNED, 75)
    assert story.refused(c.ApproveClaim(), SENIOR).guard == "G05"
    story.do(c.MarkDuplicate(surviving_claim_id="CLM-OTHER001", reason="same loss"), SENIOR)
    assert (story.state(), story.now_claim.closed_outcome) == (State.CLOSED, "duplicate")


def test_a_claim_that_was_closed_as_a_duplicate_by_mistake_is_reopened_cleared_and_paid() -> None:
    story = Story().submit()
    story.do(c.MarkDuplicate(surviving_claim_id="CLM-OTHER001", reason="same loss"), SENIOR)
    assert story.refused(c.ClearDuplicate(reason="another crash"), SENIOR).code == "WRONG_STATE"
    story.do(REOPEN, MANAGER)
    assert story.refused(c.ApproveClaim(), SENIOR).guard == "G05"
    story.do(c.ClearDuplicate(reason="another crash"), SENIOR)
    assert (story.now_claim.duplicate.status, story.now_claim.duplicate.surviving) == ("cleared", "")
    assert pay(story.do(c.ApproveClaim(), SENIOR)).now_claim.closed_outcome == "paid"


def test_a_cleared_suspicion_lets_the_claim_be_approved() -> None:
    other = LossTrace("CLM-OTHER001", "POL-1", LOSS, "single_vehicle_collision", usd(20_000))
    story = Story(history=History(similar=(other,))).submit()
    story.do(c.ClearDuplicate(reason="two cars"), ADJUSTER_II).do(c.ApproveClaim(), SENIOR)
    assert story.state() is State.PAYMENT_PENDING
    assert story.refused(c.ClearDuplicate(reason="again"), SENIOR).code == "WRONG_STATE"


def test_a_second_vehicle_makes_a_recovery_possible_and_no_recovery_reopens_the_claim() -> None:
    story = Story().submit(vehicles=2).do(c.ApproveClaim(), SENIOR)
    assert story.types[-3:] == ["approved", "recovery.potential", "payment.initiated"]
    pay(story)
    demanded = c.RecordRecovery(kind="subrogation", stage="demanded", amount=usd(19_000))
    story.do(demanded, RECOVERY).do(
        c.RecordRecovery(kind="subrogation", stage="received", amount=usd(12_000)), RECOVERY
    )
    assert story.state() is State.CLOSED
    claim = story.now_claim
    assert (claim.recovery.status, claim.incurred, claim.net_incurred) == ("received", 1_900_000, 800_000)


def test_a_payment_that_comes_back_after_closing_is_owed_and_reserved_again_and_waits_for_a_person() -> None:
    story = pay(Story().submit().do(c.ApproveClaim(), SENIOR))
    reverse(story)
    assert story.types[-1] == "payment.reversed"
    claim = story.now_claim
    assert (claim.state, claim.paid, claim.balance, claim.reserve.indemnity) == (
        State.APPROVED,
        0,
        1_900_000,
        1_900_000,
    )
    again = c.ReversePayment(payment_id=claim.payments[-1].id, reason="returned", provider_ref="R1")
    assert story.refused(again, BANK).code == "REPEATED"
    story.do(c.InitiatePayment(), BANK)
    assert pay(story).now_claim.paid == 1_900_000
    assert [payment.status for payment in story.now_claim.payments] == ["reversed", "completed"]


def test_a_reversal_without_a_return_of_the_bank_needs_a_manager() -> None:
    story = pay(Story().submit().do(c.ApproveClaim(), SENIOR))
    void = c.ReversePayment(payment_id=story.now_claim.payments[-1].id, reason="stopped")
    assert story.refused(void, BANK).guard == "G10"
    story.do(void, MANAGER)
    assert story.state() is State.APPROVED


def test_a_rescinded_decision_takes_back_what_was_not_paid_and_the_claim_has_an_owner() -> None:
    story = Story(payee=None).submit(peril="parked_car", severity="minor", claimed=usd(2400))
    assert story.state() is State.APPROVED and story.now_claim.owner is None
    story.do(c.RescindDecision(reason="new facts"), MANAGER)
    assert story.types[-2:] == ["decision.rescinded", "reassigned"]
    claim = story.now_claim
    assert (claim.state, claim.approved, claim.decision.kind) == (State.ASSIGNED, 0, "none")
    assert claim.owner is not None


def test_who_decided_cannot_rescind_alone() -> None:
    story = Story(payee=None).submit().do(c.ApproveClaim(), MANAGER)
    assert story.refused(c.RescindDecision(reason="new facts"), MANAGER).guard == "G11"


def test_a_returned_proposal_goes_back_and_a_denial_can_be_proposed() -> None:
    propose = c.ProposeDecision(kind="deny", reason_codes=("LATE_NOTICE",), provisions=("Conditions",))
    story = Story().submit().do(propose, ADJUSTER_II).do(c.ReturnProposal(reason="ask first"), SENIOR)
    assert story.state() is State.ASSIGNED and story.now_claim.proposal is None
    story.do(propose, ADJUSTER_II)
    assert story.refused(c.ApproveClaim(), SENIOR).code == "WRONG_STATE"
    story.do(c.RejectClaim(reason_codes=(), provisions=(), appeal_text_id="appeal.denial.1"), SENIOR)
    rejected = next(fact.body for fact in story.facts if fact.type == "claim.rejected")
    assert isinstance(rejected, deciding.ClaimRejected)
    assert (rejected.reason_codes, rejected.proposer_id) == (("LATE_NOTICE",), ADJUSTER_II.id)


def test_an_expense_is_paid_from_its_own_reserve_and_does_not_count_as_indemnity() -> None:
    story = Story(payee=None).submit().do(c.ApproveClaim(), SENIOR)
    story.do(c.SetReserve(expense=usd(500), reason="expert"), SENIOR).set(payee=PAYEE)
    story.only(c.InitiatePayment(kind="expense", amount=usd(500)), BANK)
    pay(story)
    claim = story.now_claim
    assert (claim.paid_expense, claim.paid, claim.reserve.expense) == (50_000, 0, 0)
    assert claim.pending is not None and claim.pending.kind == "indemnity"


def test_a_siu_conclusion_needs_an_open_file_and_a_legal_hold_is_placed_once() -> None:
    story = Story().submit().do(c.StartInvestigation(scope="scene"), SENIOR)
    assert story.refused(c.CloseSIU(outcome="cleared"), SIU).code == "WRONG_STATE"
    hold = c.PlaceLegalHold(hold_id="H1", reason="suit")
    story.do(hold, MANAGER)
    assert story.refused(hold, MANAGER).code == "REPEATED"
    story.do(c.ReleaseLegalHold(hold_id="H1", reason="settled"), MANAGER)
    assert story.now_claim.legal_holds == ()


def test_a_waived_document_counts_as_there_and_keeps_its_reason() -> None:
    story = Story().submit(injured_count=1)
    assert story.refused(c.WaiveDocument(checklist_item="passport", reason="x"), SENIOR).code == "INVALID"
    story.do(c.WaiveDocument(checklist_item="medical_report", reason="seen at the scene"), SENIOR)
    assert story.now_claim.documents["medical_report"].reason == "seen at the scene"
    assert story.now_claim.proof_of_loss
    assert any(key.endswith(".decide") for key in story.now_claim.clocks)


def test_an_override_is_an_event_with_a_reason() -> None:
    story = Story().submit()
    assert story.refused(c.RecordOverride(subject="G05", reason=""), MANAGER).code == "INVALID"
    story.do(c.RecordOverride(subject="capacity", reason="catastrophe"), MANAGER)
    override = story.facts[-1].body
    assert isinstance(override, deciding.OverrideRecorded) and override.overridden_by == MANAGER.id


def test_facts_that_cannot_follow_are_impossible() -> None:
    story = Story().submit()
    claim, last = story.now_claim, story.facts[-1]
    with pytest.raises(ImpossibleFact, match="follows"):
        evolve(claim, last)
    closing = Fact(
        "claim.closed",
        claim.claim_id,
        last.at,
        claim.version + 1,
        last.actor,
        ending.ClaimClosed(outcome="paid"),
    )
    with pytest.raises(ImpossibleFact, match="cannot happen in ASSIGNED"):
        evolve(claim, closing)
    with pytest.raises(ImpossibleFact, match="first fact"):
        evolve(None, closing)


def test_a_confirmation_is_marked_late_when_the_clock_had_run_out() -> None:
    story = Story().submit().do(c.ApproveClaim(), SENIOR).wait(days=5)
    pay(story)
    completed = next(fact.body for fact in story.facts if fact.type == "claim.payment.completed")
    assert isinstance(completed, paying.PaymentCompleted) and completed.late


def recovered(amount: int, **world: Any) -> Story:
    """Paid 19,000 after a deductible of 1,000; somebody else pays back so much."""
    story = closed_and_paid(**world)
    return story.do(c.RecordRecovery(kind="subrogation", stage="received", amount=usd(amount)), RECOVERY)


def closed_and_paid(**world: Any) -> Story:
    story = Story(**world).submit(vehicles=2).do(c.ApproveClaim(), SENIOR)
    pending = story.now_claim.pending
    assert pending is not None
    paid = c.ConfirmPayment(payment_id=pending.id, amount=Money(pending.amount, "USD"), provider_ref="B")
    return story.do(paid, BANK)


def test_of_money_from_others_the_deductible_comes_back_first() -> None:
    story = recovered(600)
    story.do(c.RecordRecovery(kind="subrogation", stage="received", amount=usd(10_000)), RECOVERY)
    claim = story.now_claim
    assert (claim.recovery.received, claim.recovery.deductible_back) == (1_060_000, 100_000)
    assert claim.net_incurred == 1_900_000 - 960_000


def test_or_it_comes_back_pro_rata_when_the_company_says_so() -> None:
    story = recovered(10_000, rules=Rules(deductible_back="pro_rata"))
    assert story.now_claim.recovery.deductible_back == 50_000, "1,000 of 20,000 is a twentieth"
    story.do(c.RecordRecovery(kind="subrogation", stage="received", amount=usd(10_000)), RECOVERY)
    assert story.now_claim.recovery.deductible_back == 100_000


@pytest.mark.parametrize("cause", ["product", "contractor"])
def test_a_product_or_a_contractor_as_the_cause_makes_a_recovery_possible(cause: str) -> None:
    story = Story().submit(cause=cause).do(c.ApproveClaim(), SENIOR)
    assert story.now_claim.recovery.status == "potential"
    assert Story().submit().do(c.ApproveClaim(), SENIOR).now_claim.recovery.status == "none"
