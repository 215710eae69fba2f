"""A claim runs honestly to its end: whole stories, each fact decided, replayed and followed."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from domain import commands as c
from domain.bodies import deciding, handling, intake
from domain.claim import decode_claim, encode_claim, fold
from domain.coverage import ClaimedItem
from domain.events import decode_body, encode_body
from domain.money import Money
from domain.reasons import PROVISIONS
from domain.transitions import State
from tests.support.claims import (
    ADJUSTER,
    ADJUSTER_II,
    BANK,
    CLAIMANT,
    SENIOR,
    SIU,
    Story,
    adjuster,
    notice,
    policy,
    roster,
    usd,
)

CLERK_DENIAL = c.RejectClaim(
    reason_codes=("BELOW_DEDUCTIBLE",),
    provisions=(PROVISIONS["BELOW_DEDUCTIBLE"],),
    appeal_text_id="appeal.denial.1",
)


def confirm(story: Story) -> Story:
    payment = story.now_claim.pending
    assert payment is not None
    amount = Money(payment.amount, story.now_claim.currency)
    return story.do(c.ConfirmPayment(payment_id=payment.id, amount=amount, provider_ref="BANK-1"), BANK)


def body_of(story: Story, event: str) -> object:
    return next(fact.body for fact in reversed(story.facts) if fact.type == f"claim.{event}")


def test_a_covered_claim_is_acknowledged_validated_reserved_and_assigned_at_once() -> None:
    story = Story().submit()
    assert story.types == ["submitted", "acknowledged", "validated", "reserve.changed", "assigned"]
    validated = body_of(story, "validated")
    assert isinstance(validated, intake.ClaimValidated)
    assert (validated.coverage, validated.codes, validated.policy_version) == ("pass", (), 1)
    assigned = body_of(story, "assigned")
    assert isinstance(assigned, handling.ClaimAssigned)
    assert assigned.adjuster_id == "ADJ-001"
    assert assigned.explanation and len(assigned.candidates) == 2


def test_an_approved_claim_is_reserved_paid_and_closed() -> None:
    story = Story().submit().do(c.ApproveClaim(), ADJUSTER_II)
    assert story.state() is State.PAYMENT_PENDING
    assert story.now_claim.reserve.indemnity == story.now_claim.pending_amount == 1_900_000
    confirm(story)
    assert story.state() is State.CLOSED
    assert (story.now_claim.closed_outcome, story.now_claim.paid) == ("paid", 1_900_000)
    assert story.now_claim.reserve.total == 0
    assert story.types[-4:] == ["approved", "payment.initiated", "payment.completed", "closed"]


def test_a_claim_above_the_limit_is_approved_in_part_at_the_limit() -> None:
    story = Story(policy=policy(deductible=usd(2000), limit=usd(100_000))).submit(claimed=usd(114_920))
    story.do(c.ApproveClaim(), SENIOR)
    approved = body_of(story, "approved")
    assert isinstance(approved, deciding.ClaimApproved)
    assert (approved.decision, approved.approved_net, approved.reason_codes) == (
        "partial",
        usd(100_000),
        ("LIMIT_EXHAUSTED",),
    )
    assert approved.appeal_text_id
    assert confirm(story).now_claim.closed_outcome == "paid_partial"


def test_an_amount_below_the_adjudicated_net_is_approved_exactly_with_its_reason() -> None:
    story = Story().submit(
        items=(ClaimedItem("a", "vehicle", usd(3)), ClaimedItem("b", "property", Money(1_000_001, "USD")))
    )
    story.do(c.ApproveClaim(amount=usd(2500)), ADJUSTER)
    approved = body_of(story, "approved")
    assert isinstance(approved, deciding.ClaimApproved)
    assert (approved.decision, approved.approved_net) == ("partial", usd(2500))
    assert sum(line.net.minor for line in approved.items) == 250_000
    assert approved.reason_codes == ("INSUFFICIENT_PROOF",)


def test_policy_266247_goes_to_siu_by_rule_and_is_denied_by_a_person_afterwards() -> None:
    """NEW_POLICY 25 and INJURY_TRIVIAL_DAMAGE 25 reach 50; claimed 100 is below the deductible of 2,000."""
    new = policy(effective=date(2015, 1, 9), deductible=usd(2000), limit=usd(100_000))
    story = Story(policy=new).submit(
        loss_date=date(2015, 1, 15),
        claimed=usd(100),
        injured_count=1,
        severity="trivial",
    )
    assert story.types[-2:] == ["assigned", "siu.referred"]
    assert story.state() is State.UNDER_INVESTIGATION
    assert story.now_claim.coverage.codes == ("BELOW_DEDUCTIBLE",)
    assert story.refused(c.CompleteInvestigation(finding="none"), SENIOR).guard == "G09"
    story.do(c.CloseSIU(outcome="cleared"), SIU).do(c.CompleteInvestigation(finding="nothing found"), SENIOR)
    story.do(CLERK_DENIAL, SENIOR)
    assert story.state() is State.CLOSED
    assert story.now_claim.closed_outcome == "denied"
    rejected = body_of(story, "rejected")
    assert isinstance(rejected, deciding.ClaimRejected)
    assert rejected.decided_by == SENIOR.id
    assert [line.net for line in rejected.items] == [usd(0)]


def test_a_loss_before_inception_is_denied_by_the_clerical_rule() -> None:
    """Policy 794731: bound 2015-02-22, loss 2015-02-02."""
    story = Story(policy=policy(effective=date(2015, 2, 22))).submit(loss_date=date(2015, 2, 2))
    assert story.types == ["submitted", "acknowledged", "validated", "rejected", "closed"]
    rejected = body_of(story, "rejected")
    assert isinstance(rejected, deciding.ClaimRejected)
    assert (rejected.reason_codes, rejected.decided_by, rejected.second_lookup) == (
        ("LOSS_BEFORE_INCEPTION",),
        "clerical",
        True,
    )
    assert rejected.provisions and rejected.appeal_text_id and rejected.regulator_id == "DOI-OH"


def test_an_unknown_policy_is_registered_and_acknowledged_and_denied_only_after_a_second_lookup() -> None:
    once = Story(policy=None, lookups=1).submit()
    assert once.state() is State.ASSIGNED
    assert once.types[:3] == ["submitted", "acknowledged", "validated"]
    twice = Story(policy=None, lookups=2).submit()
    assert twice.now_claim.closed_outcome == "denied"
    assert twice.now_claim.decision.reason_codes == ("NO_POLICY_FOUND",)


def test_a_quarantined_policy_leads_to_review_by_a_person_and_to_no_approval() -> None:
    """Policy 526039: umbrella -1,000,000."""
    story = Story(policy=policy(quarantine="the umbrella limit is below zero")).submit()
    assert story.now_claim.coverage.outcome == "review"
    assert story.state() is State.ASSIGNED
    refused = story.refused(c.ApproveClaim(), SENIOR)
    assert (refused.guard, refused.state, refused.command) == ("G12", "ASSIGNED", "ApproveClaim")


def test_a_small_clean_claim_is_paid_with_no_human_event() -> None:
    story = Story().submit(peril="parked_car", severity="minor", claimed=usd(2400), source_ref="2")
    assert story.types == [
        "submitted",
        "acknowledged",
        "validated",
        "approved",
        "reserve.changed",
        "payment.initiated",
    ]
    approved = body_of(story, "approved")
    assert isinstance(approved, deciding.ClaimApproved)
    assert approved.straight_through and approved.approved_net == usd(1400)
    assert {fact.actor.role for fact in story.facts[1:]} == {"system"}
    assert confirm(story).state() is State.CLOSED


def test_information_is_requested_and_the_claim_goes_on_when_it_is_complete() -> None:
    story = Story().submit(injured_count=1)
    assert story.now_claim.missing_documents == ("medical_report",)
    assert story.refused(c.ApproveClaim(), SENIOR).guard == "G08"
    story.do(c.RequestInformation(items=("medical_report",)), SENIOR)
    assert story.state() is State.AWAITING_INFORMATION
    story.wait(days=3).do(c.UploadDocument(document_id="D1", kind="medical_report"), CLAIMANT)
    assert story.types[-3:] == ["information.requested", "document.uploaded", "information.completed"]
    uploaded = body_of(story, "document.uploaded")
    assert isinstance(uploaded, handling.DocumentUploaded) and uploaded.complete
    assert story.state() is State.ASSIGNED
    story.do(c.ApproveClaim(), SENIOR)
    assert story.state() is State.PAYMENT_PENDING


def test_an_investigation_starts_and_completes() -> None:
    story = Story().submit().do(c.StartInvestigation(scope="scene"), SENIOR)
    assert story.state() is State.UNDER_INVESTIGATION
    story.do(c.CompleteInvestigation(finding="as described"), SENIOR)
    assert story.state() is State.ASSIGNED


def test_a_failed_payment_is_tried_again_and_completes() -> None:
    story = Story().submit().do(c.ApproveClaim(), ADJUSTER_II)
    first = story.now_claim.pending
    assert first is not None
    story.do(c.FailPayment(payment_id=first.id, reason="bank offline"), BANK)
    second = story.now_claim.pending
    assert second is not None
    assert (second.id, second.attempt) == (first.id, 2)
    story.do(c.FailPayment(payment_id=first.id, reason="bank offline"), BANK)
    assert story.state() is State.PAYMENT_FAILED
    story.wait(hours=1).follow()
    assert story.state() is State.PAYMENT_PENDING
    story.only(c.FailPayment(payment_id=first.id, reason="bank offline"), BANK)
    story.wait(days=1).follow()
    assert story.state() is State.PAYMENT_FAILED, "after three attempts a person must look"


def test_a_bank_message_that_comes_twice_or_fits_nothing_changes_nothing() -> None:
    story = Story().submit().do(c.ApproveClaim(), ADJUSTER_II)
    payment = story.now_claim.pending
    assert payment is not None
    message = c.ConfirmPayment(payment_id=payment.id, amount=usd(19_000), provider_ref="B")
    wrong = c.ConfirmPayment(payment_id=payment.id, amount=usd(18_999), provider_ref="B")
    assert story.refused(wrong, BANK).code == "UNMATCHED"
    story.do(message, BANK)
    before = story.now_claim
    assert story.refused(message, BANK).code == "REPEATED"
    other = c.ConfirmPayment(payment_id="PAY-other", amount=usd(1), provider_ref="B")
    assert story.refused(other, BANK).code == "UNMATCHED"
    assert story.now_claim == before


def test_nobody_eligible_defers_once_per_roster_and_assigns_with_the_next_one() -> None:
    story = Story(roster=roster(adjuster("ADJ-001", load=40))).submit()
    assert story.types[-1] == "assignment.deferred"
    assert story.state() is State.VALIDATED
    story.follow()
    assert story.types.count("assignment.deferred") == 1
    story.set(roster=roster(adjuster("ADJ-001", load=3), version=8)).follow()
    assert story.state() is State.ASSIGNED


def test_without_a_verified_payee_the_claim_waits_in_approved() -> None:
    story = Story(payee=None).submit().do(c.ApproveClaim(), ADJUSTER_II)
    assert story.state() is State.APPROVED
    assert story.types[-1] == "approved"


def test_the_same_notice_twice_meets_the_claim_and_another_one_is_a_conflict() -> None:
    story = Story().submit()
    again = story.refused(notice(), CLAIMANT)
    assert (again.code, again.guard) == ("REPEATED", "G01")
    assert story.refused(notice(source_ref="other"), CLAIMANT).code == "CONFLICT"


@pytest.mark.parametrize(
    ("changes", "other"),
    [
        ({"claimant_id": "CUST-OTHER"}, "claimant"),
        ({"policy_number": "POL-OTHER"}, "policy"),
        ({"claimed": usd(9)}, "amount"),
        ({"claimant_id": "CUST-OTHER", "claimed": usd(9)}, "claimant, amount"),
    ],
    ids=["claimant", "policy", "amount", "both"],
)
def test_a_used_reference_with_other_contents_is_a_conflict_and_not_taken_for_the_claim_that_exists(
    changes: dict[str, Any], other: str
) -> None:
    story = Story().submit()
    refused = story.refused(notice(**changes), CLAIMANT)
    assert (refused.code, refused.guard) == ("CONFLICT", "G01")
    assert refused.message == f"CLM-TEST0001 was submitted already from portal with another {other}"


def test_approve_approve_reject_ends_in_one_payment() -> None:
    """What seed 001 did wrong (C4): all three succeeded."""
    story = Story().submit().do(c.ApproveClaim(), SENIOR)
    assert story.refused(c.ApproveClaim(), SENIOR).code == "WRONG_STATE"
    refused = story.refused(CLERK_DENIAL, SENIOR)
    assert refused.code == "WRONG_STATE"
    assert str(refused).startswith("RejectClaim in PAYMENT_PENDING refused (WRONG_STATE)")
    assert len(story.now_claim.payments) == 1


@pytest.mark.parametrize("kind", ["claim", "facts"])
def test_a_claim_and_its_facts_come_back_from_json_as_they_were(kind: str) -> None:
    story = confirm(Story().submit(injured_count=0).do(c.ApproveClaim(amount=usd(900)), SENIOR))
    if kind == "claim":
        assert decode_claim(encode_claim(story.now_claim)) == story.now_claim
        return
    for fact in story.facts:
        assert decode_body(fact.type, encode_body(fact.body)) == fact.body
    assert fold(story.facts) == story.now_claim


def test_every_fact_carries_what_projections_need() -> None:
    """Seed 001's readers needed fields that were never sent (C11)."""
    for fact in confirm(Story().submit().do(c.ApproveClaim(), SENIOR)).facts:
        assert (fact.body.type, fact.body.priority, fact.body.claimant_id) == ("auto", "normal", "CUST-1")
        assert fact.body.submitted_at is not None and fact.body.policy_number == "POL-1"
