"""Every guard refuses, with its sentence; the same wish is accepted once that guard is taken away."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import pytest
from msgspec.structs import replace

from domain import commands as c
from domain import guards
from domain.bodies.base import SYSTEM, Actor
from domain.context import History, Payee
from domain.coverage import ClaimedItem
from domain.duplicates import LossTrace
from domain.money import Money
from domain.outcome import Accepted
from domain.policy import Interruption
from domain.transitions import State
from tests.support.claims import (
    ADJUSTER,
    ADJUSTER_II,
    BANK,
    CLAIMANT,
    LOSS,
    MANAGER,
    NOW,
    PAYEE,
    REVIEWER,
    SENIOR,
    SUPERVISOR,
    Story,
    adjuster,
    notice,
    policy,
    roster,
    usd,
)

if TYPE_CHECKING:
    from collections.abc import Callable

DENY = c.RejectClaim(reason_codes=("INSUFFICIENT_PROOF",), provisions=("Conditions",), appeal_text_id="appeal.denial.1")


class Case(NamedTuple):
    """A guard, a story up to the wish, the wish, who wishes, and a part of the sentence."""

    guard: str
    story: Callable[[], Story]
    command: c.Command
    actor: Actor
    says: str


def assigned(**changes: object) -> Story:
    return Story().submit(**changes)


def approved(payee: Payee | None = None, **changes: object) -> Story:
    """Approved and waiting: the payee is not verified yet; then the world is as the case wants it."""
    story = Story(payee=None).submit(**changes).do(c.ApproveClaim(), SENIOR)
    return story.set(payee=payee)


def proposed() -> Story:
    return assigned().do(c.ProposeDecision(), ADJUSTER_II)


def denied() -> Story:
    return assigned().do(DENY, SENIOR)


def paid() -> Story:
    story = Story().submit().do(c.ApproveClaim(), SENIOR)
    payment = story.now_claim.pending
    assert payment is not None
    message = c.ConfirmPayment(payment_id=payment.id, amount=Money(payment.amount, "USD"), provider_ref="B")
    return story.do(message, BANK)


def paid_and_reopened() -> Story:
    return paid().only(c.ReopenClaim(reason_code="NEW_FACTS", reason="hidden damage"), SUPERVISOR)


def failed(*, retryable: bool) -> Story:
    story = Story().submit().do(c.ApproveClaim(), SENIOR)
    payment = story.now_claim.pending
    assert payment is not None
    return story.only(c.FailPayment(payment_id=payment.id, reason="account closed", retryable=retryable), BANK)


def in_siu() -> Story:
    return assigned().do(c.ReferToSIU(reason="staged"), SENIOR)


def unassigned(**changes: object) -> Story:
    """Validated, with nobody who could take it: only the process manager may approve or reject here."""
    return Story(roster=roster(adjuster("ADJ-001", active=False)), **changes).submit(injured_count=1)


def rejected_not_closed() -> Story:
    """Denied by a person, before the process manager closes it."""
    return assigned().only(DENY, SENIOR)


SIMILAR = LossTrace("CLM-OTHER001", "POL-1", LOSS, "single_vehicle_collision", usd(20_000))

CANCELLED = Interruption(kind="cancelled", start=LOSS)

CASES = [
    Case("G02", Story, notice(loss_date=NOW.date() + timedelta(days=1)), CLAIMANT, "after the report"),
    Case("G02", Story, notice(claimed=usd(0)), CLAIMANT, "above zero"),
    Case("G02", Story, notice(items=()), CLAIMANT, "at least one item"),
    Case("G02", Story, notice(reported_at=NOW + timedelta(hours=1)), CLAIMANT, "in the future"),
    Case("G02", Story, notice(items=(ClaimedItem("a", "vehicle", Money(1, "XXX")),)), CLAIMANT, "ISO 4217"),
    Case(
        "G03",
        lambda: assigned().set(policy=policy(interruptions=(CANCELLED,))),
        c.ApproveClaim(),
        SENIOR,
        "CANCELLED",
    ),
    Case("G04", lambda: assigned().set(policy=policy(insureds=())), c.ApproveClaim(), SENIOR, "NOT_AN_INSURED"),
    Case(
        "G05",
        lambda: assigned().set(history=History(similar=(SIMILAR,))),
        c.ApproveClaim(),
        SENIOR,
        "CLM-OTHER001 looks alike",
    ),
    Case("G06", unassigned, c.ApproveClaim(), SYSTEM, "straight-through limit"),
    Case(
        "G07",
        lambda: assigned().set(roster=roster(adjuster("ADJ-009", capacity=1, load=1))),
        c.ReassignClaim(reason="leave", adjuster_id="ADJ-009"),
        SUPERVISOR,
        "at capacity",
    ),
    Case("G08", lambda: assigned(injured_count=1), c.ApproveClaim(), SENIOR, "medical_report"),
    Case(
        "G08",
        lambda: assigned().do(c.RequestInformation(items=("invoice",)), SENIOR),
        c.CompleteInformation(),
        SENIOR,
        "invoice",
    ),
    Case("G09", in_siu, c.CompleteInvestigation(finding="x"), SENIOR, "SIU file is open"),
    Case("G10", assigned, c.ApproveClaim(), ADJUSTER, "adjuster_ii may decide it"),
    Case("G10", assigned, c.SetReserve(indemnity=usd(90_000), reason="worse"), ADJUSTER, "senior_adjuster"),
    Case("G11", proposed, c.ApproveClaim(), ADJUSTER_II, "somebody else must confirm"),
    Case("G11", proposed, c.ReturnProposal(reason="no"), ADJUSTER_II, "somebody else must confirm"),
    Case("G12", assigned, c.ApproveClaim(amount=usd(19_001)), SENIOR, "above what the policy pays"),
    Case("G13", assigned, replace(DENY, reason_codes=()), SENIOR, "reason code"),
    Case("G13", assigned, replace(DENY, provisions=()), SENIOR, "provision"),
    Case("G13", assigned, replace(DENY, appeal_text_id=""), SENIOR, "appeal rights"),
    Case("G13", unassigned, DENY, SYSTEM, "needs a person"),
    Case("G14", lambda: denied().wait(days=181), c.FileAppeal(), CLAIMANT, "window for an appeal ended"),
    Case("G14", denied, c.FileAppeal(), SENIOR, "only the claimant"),
    Case("G14", paid, c.FileAppeal(), CLAIMANT, "cannot be appealed"),
    Case(
        "G14",
        lambda: denied().do(c.FileAppeal(), CLAIMANT),
        c.DecideAppeal(outcome="overturned"),
        SENIOR,
        "made the decision",
    ),
    Case(
        "G14",
        lambda: denied().do(c.FileAppeal(), CLAIMANT).set(superiors=(SENIOR.id,)),
        c.DecideAppeal(outcome="overturned"),
        REVIEWER,
        "reports to",
    ),
    Case("G15", lambda: approved(PAYEE), c.InitiatePayment(amount=usd(19_001)), BANK, "more than is owed"),
    Case(
        "G15",
        lambda: approved(PAYEE).only(c.SetReserve(indemnity=usd(1), reason="wrong"), MANAGER),
        c.InitiatePayment(),
        BANK,
        "more than is reserved",
    ),
    Case("G16", approved, c.InitiatePayment(), BANK, "payee is not known"),
    Case("G16", lambda: approved(replace(PAYEE, verified=False)), c.InitiatePayment(), BANK, "not verified"),
    Case("G16", lambda: approved(replace(PAYEE, sanctions_clear=False)), c.InitiatePayment(), BANK, "sanctions"),
    Case(
        "G16",
        lambda: approved(replace(PAYEE, bank_changed_at=NOW - timedelta(days=9))),
        c.InitiatePayment(),
        BANK,
        "call-back",
    ),
    Case("G16", lambda: approved(PAYEE), c.InitiatePayment(), SENIOR, "payer is not the approver"),
    Case("G17", paid_and_reopened, c.WithdrawClaim(reason="enough"), CLAIMANT, "never withdrawn"),
    Case(
        "G17",
        paid_and_reopened,
        c.MarkDuplicate(surviving_claim_id="CLM-OTHER001", reason="same"),
        SENIOR,
        "never duplicate",
    ),
    Case(
        "G19",
        lambda: paid().wait(days=731),
        c.ReopenClaim(reason_code="X", reason="x"),
        SUPERVISOR,
        "limitation",
    ),
    Case("G19", paid, c.ReopenClaim(reason_code="", reason="x"), SUPERVISOR, "reason code"),
    Case("G20", lambda: failed(retryable=False), c.RetryPayment(), BANK, "verify the payee"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.guard}-{type(case.command).__name__}-{case.says}")
def test_the_guard_refuses_with_state_command_and_its_sentence(case: Case) -> None:
    story = case.story()
    before = story.claim
    refused = story.refused(case.command, case.actor)
    assert (refused.code, refused.guard) == ("GUARD_FAILED", case.guard), str(refused)
    assert case.says in refused.message
    assert refused.command == type(case.command).__name__
    assert refused.state == (before.state.value if before is not None else "")
    assert story.claim == before


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.guard}-{type(case.command).__name__}-{case.says}")
def test_without_the_guard_the_same_wish_would_be_accepted(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    story = case.story()
    monkeypatch.setitem(guards.GUARDS, case.guard, lambda situation: None)
    answer = story.try_(case.command, case.actor)
    assert isinstance(answer, Accepted), str(answer)


def test_closing_waits_for_an_open_file_of_the_investigation_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    """G18; the state table keeps an open file from being denied, so it is opened behind its back."""
    story = rejected_not_closed()
    claim = story.now_claim
    story.claim = replace(claim, siu=type(claim.siu)(status="referred"))
    refused = story.refused(c.CloseClaim(), SENIOR)
    assert (refused.guard, refused.message) == ("G18", "an SIU file is open")
    monkeypatch.setitem(guards.GUARDS, "G18", lambda situation: None)
    assert isinstance(story.try_(c.CloseClaim(), SENIOR), Accepted)


def test_three_failed_attempts_need_a_person() -> None:
    story = failed(retryable=True)
    for _ in range(2):
        story.only(c.RetryPayment(), BANK)
        payment = story.now_claim.pending
        assert payment is not None
        story.only(c.FailPayment(payment_id=payment.id, reason="offline"), BANK)
    refused = story.refused(c.RetryPayment(), BANK)
    assert refused.guard == "G20" and "failed 3 times" in refused.message


def test_what_only_the_committee_may_decide_takes_two_people() -> None:
    one, other = Actor(id="COM-1", role="committee"), Actor(id="COM-2", role="committee")
    story = Story(policy=policy(limit=usd(900_000))).submit(claimed=usd(400_000))
    refused = story.refused(c.ApproveClaim(), one)
    assert refused.guard == "G10" and "takes two people" in refused.message
    story.do(c.ProposeDecision(), one)
    assert story.refused(c.ApproveClaim(), one).guard == "G11"
    story.do(c.ApproveClaim(), other)
    assert story.now_claim.approved == 39_900_000


def test_a_reporters_clock_may_be_a_little_ahead() -> None:
    Story().do(notice(reported_at=NOW + timedelta(minutes=1)), CLAIMANT)


def test_payee_details_that_were_verified_again_allow_another_attempt() -> None:
    story = failed(retryable=False)
    story.wait(hours=1)
    story.set(payee=replace(PAYEE, verified_at=story.world.now)).follow()
    assert story.state() is State.PAYMENT_PENDING


def test_a_policy_that_had_ended_leaves_nothing_to_adjudicate_under() -> None:
    refused = assigned().set(policy=policy(end=LOSS)).refused(c.ApproveClaim(), SENIOR)
    assert refused.guard == "G03" and "LOSS_AFTER_EXPIRY" in refused.message


def test_every_guard_has_a_case() -> None:
    assert {case.guard for case in CASES} | {"G18"} == set(guards.GUARDS)


def test_a_role_that_may_not_ask_is_told_so() -> None:
    refused = assigned().refused(c.ApproveClaim(), CLAIMANT)
    assert (refused.code, refused.message) == ("NOT_ALLOWED", "the role claimant may not do this")


def test_the_lowest_role_only_recommends_a_denial() -> None:
    assert assigned().refused(DENY, ADJUSTER).code == "NOT_ALLOWED"


def test_an_approval_that_only_lacks_authority_becomes_a_proposal_when_it_says_so() -> None:
    story = Story().submit(claimed=usd(71_610)).do(c.ApproveClaim(escalate=True), ADJUSTER_II)
    assert story.state() is State.PENDING_APPROVAL
    proposal = story.now_claim.proposal
    assert proposal is not None and (proposal.net, proposal.proposer_id) == (7_061_000, ADJUSTER_II.id)
    story.do(c.ApproveClaim(), SENIOR)
    assert (story.now_claim.decision.proposer_id, story.now_claim.decision.decider_id) == (
        ADJUSTER_II.id,
        SENIOR.id,
    )
    assert story.now_claim.approved == 7_061_000
