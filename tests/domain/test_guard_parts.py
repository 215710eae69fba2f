"""Each part of a guard refuses by itself: what was knocked out one sentence at a time, and survived, is shown here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from domain import commands as c
from domain import portrait
from domain.bodies.base import SYSTEM, Actor
from domain.bodies.deciding import AppealFiled, ClaimApproved, DecisionRescinded
from domain.bodies.ending import ClaimClosed, ClaimReopened, ClaimWithdrawn
from domain.bodies.paying import PaymentInitiated
from domain.coverage import ClaimedItem
from domain.decisions.approving import approved
from domain.facets import Appeal, Coverage, DocumentItem, InformationRequest, Payment, RedFlags, Reserve
from domain.guards import GUARDS
from domain.money import Money
from domain.rules import Rules
from domain.situation import Situation
from domain.transitions import State
from tests.support.claims import BANK, CLAIMANT, MANAGER, NOW, PAYEE, SENIOR, Story, notice, policy, usd

if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.bodies.base import Body
    from domain.claim_record import Claim
    from domain.context import Payee

TWO = (ClaimedItem("a", "vehicle", usd(10)), ClaimedItem("b", "vehicle", usd(5)))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (notice(items=(TWO[0], ClaimedItem("b", "vehicle", Money(5, "EUR")))), "item b is in EUR, the claim in USD"),
        (notice(items=(TWO[0], ClaimedItem("b", "vehicle", usd(-5)))), "item b claims less than nothing"),
        (notice(items=(TWO[0], TWO[0])), "two items have the same id"),
        (notice(injured_count=-1), "injured people is below zero"),
        (notice(source=""), "source is missing"),
        (notice(source_ref=""), "source ref is missing"),
        (notice(policy_number=""), "policy number is missing"),
        (notice(claimant_id=""), "claimant id is missing"),
        (notice(line=""), "line is missing"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_notice_that_is_not_well_formed_is_refused_by_its_field(wrong: c.SubmitClaim, says: str) -> None:
    refused = Story().refused(wrong, CLAIMANT)
    assert refused.guard == "G02" and says in refused.message


def test_items_that_do_not_add_up_are_refused() -> None:
    """The rules add up themselves; a fact that was made elsewhere need not."""
    story = Story().only(notice(items=TWO), CLAIMANT)
    body = replace(story.now_claim.notice, claimed=usd(16))
    said = GUARDS["G02"](Situation(story.now_claim, None, story.world, body))
    assert said is not None and "do not add up" in said


@dataclass
class Small:
    """A small clean claim that is validated, and its straight-through approval."""

    claim: Claim
    story: Story

    def says(self, claim: Claim | None = None, **world: Any) -> str | None:
        context = replace(self.story.world, **({"actor": SYSTEM} | world))
        judged = claim or self.claim
        found = portrait.adjudicated(self.claim, context)
        assert found is not None
        body = approved(judged, found, context, straight_through=True)
        return GUARDS["G06"](Situation(judged, None, context, body))


@pytest.fixture
def small() -> Small:
    story = Story(rules=Rules(qa_percent=0), policy=policy(deductible=usd(0)))
    story.only(notice(claimed=usd(500), peril="glass", severity="minor"), CLAIMANT).only(c.ValidateClaim(), SYSTEM)
    return Small(story.now_claim, story)


def test_a_small_clean_claim_goes_straight_through(small: Small) -> None:
    assert small.says() is None


@pytest.mark.parametrize(
    ("spoilt", "says"),
    [
        (lambda claim: replace(claim, reopen_count=1), "never goes straight through"),
        (lambda claim: replace(claim, notice=replace(claim.notice, injured_count=1)), "somebody is injured"),
        (
            lambda claim: replace(
                claim, notice=replace(claim.notice, items=(ClaimedItem("i", "injury", usd(500)),))
            ),
            "somebody is injured",
        ),
        (lambda claim: replace(claim, documents={"invoice": DocumentItem(status="required")}), "documents are missing"),
        (lambda claim: replace(claim, coverage=Coverage(outcome="review")), "coverage is review"),
        (lambda claim: replace(claim, red_flags=RedFlags(codes=("LATE_REPORT",), score=10)), "a red flag"),
        (lambda claim: replace(claim, notice=replace(claim.notice, line="life")), "straight-through limit"),
    ],
)  # fmt: skip
def test_whatever_is_not_small_or_not_clean_needs_a_person(
    small: Small, spoilt: Callable[[Claim], Claim], says: str
) -> None:
    said = small.says(spoilt(small.claim))
    assert said is not None and says in said


def test_a_person_a_sample_and_a_policy_that_ended_keep_a_claim_from_going_straight_through(small: Small) -> None:
    person = small.says(actor=Actor(id="ADJ", role="claims_manager"))
    assert person is not None and "only the straight-through rule" in person
    sample = small.says(rules=Rules(qa_percent=100))
    assert sample is not None and "quality sample" in sample
    stranger = small.says(policy=policy(insureds=(), deductible=usd(0)))
    assert stranger is not None and "NOT_AN_INSURED" in stranger


def test_nobody_who_is_not_on_the_roster_gets_a_claim() -> None:
    story = Story().submit()
    refused = story.refused(c.ReassignClaim(reason="r", adjuster_id="ADJ-GHOST"), Actor(id="SUP", role="supervisor"))
    assert refused.guard == "G07" and "not on the roster" in refused.message


def judged(guard: str, story: Story, body: Body, **world: Any) -> str:
    """What a guard says of a fact that is made by hand: the rules themselves would not make it."""
    context = replace(story.world, **({"actor": SENIOR} | world))
    said = GUARDS[guard](Situation(story.now_claim, None, context, body))
    assert said is not None, "the guard lets it pass"
    return said


def approval(story: Story, **changes: Any) -> ClaimApproved:
    found = portrait.adjudicated(story.now_claim, story.world)
    assert found is not None
    return replace(approved(story.now_claim, found, replace(story.world, actor=SENIOR)), **changes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"approved_net": Money(100, "EUR")}, "the claim is in USD, the approval in EUR"),
        ({"approved_net": usd(100)}, "the items do not add up"),
        ({"approved_net": usd(0), "items": ()}, "nothing is payable"),
    ],
)
def test_an_approval_that_does_not_agree_with_itself_is_refused(changes: dict[str, Any], says: str) -> None:
    story = Story().submit()
    assert says in judged("G12", story, approval(story, **changes))


def test_an_approval_without_terms_or_below_what_was_paid_is_refused() -> None:
    story = Story().submit()
    body = approval(story)
    assert "no terms" in judged("G12", story, body, policy=policy(end=NOW.date().replace(year=2021)))
    story.claim = replace(story.now_claim, paid=body.approved_net.minor + 1)
    assert "below what has been paid already" in judged("G12", story, body)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"payment_id": "PAY-CLM-TEST0001-1"}, "exists already"),
        ({"amount": Money(100, "EUR")}, "the approval is in USD, the payment in EUR"),
        ({"amount": usd(0)}, "nothing is owed"),
        ({"amount": usd(90_000)}, "more than is owed"),
        ({"kind": "interest"}, "more than is owed"),
        ({"kind": "expense"}, "more than is owed"),
    ],
)
def test_a_payment_that_is_not_owed_as_it_is_asked_for_is_refused(changes: dict[str, Any], says: str) -> None:
    story = Story().submit().do(c.ApproveClaim(), SENIOR)
    known = PaymentInitiated(
        payment_id="PAY-NEW",
        kind="indemnity",
        amount=usd(19_000),
        payee_id="CUST-1",
        method="transfer",
        attempt=1,
        payer_id="processor",
    )
    assert says in judged("G15", story, replace(known, **changes))


def test_nobody_without_authority_changes_a_reserve_or_rescinds() -> None:
    story = Story(payee=None).submit().do(c.ApproveClaim(), SENIOR)
    body = DecisionRescinded(reason="r", rescinded_by="x", approved_net=usd(19_000))
    stranger = Actor(id="R", role="recovery")
    assert "no authority over indemnity" in judged("G10", story, body, actor=stranger)


def test_no_payment_that_failed_is_no_payment_to_try_again() -> None:
    story = Story().submit()
    body = approval(story)
    assert judged("G20", story, body) == "no payment has failed"


@pytest.mark.parametrize(
    ("payee", "says"),
    [
        (None, "the payee is not known"),
        (replace(PAYEE, verified=False), "is not verified"),
        (replace(PAYEE, sanctions_clear=False), "sanctions screen"),
        (replace(PAYEE, bank_changed_at=NOW), "without a call-back"),
    ],
)
def test_a_payee_who_is_not_known_checked_or_settled_gets_nothing(payee: Payee | None, says: str) -> None:
    story = Story(payee=None).submit().do(c.ApproveClaim(), SENIOR).set(payee=payee)
    refused = story.refused(c.InitiatePayment(), BANK)
    assert refused.guard == "G16" and says in refused.message


def test_what_is_open_on_a_claim_keeps_it_from_closing() -> None:
    deny = c.RejectClaim(reason_codes=("INSUFFICIENT_PROOF",), provisions=("Conditions",), appeal_text_id="a")
    story = Story().submit().only(deny, SENIOR)
    claim, body = story.now_claim, ClaimClosed(outcome="denied")
    asked = InformationRequest(
        items=("x",), outstanding=("x",), owed_by="claimant", resume_state="ASSIGNED", requested_at=NOW
    )
    pending = Payment(id="PAY-1", kind="indemnity", amount=1, status="pending")
    for changes, says in (
        ({"request": asked}, "work is still open"),
        ({"payments": (pending,)}, "payment PAY-1 is pending"),
        ({"state": State.PAID, "approved": 5}, "is still owed"),
        ({"reserve": Reserve(indemnity=5)}, "is outstanding"),
        ({"appeal": Appeal(status="filed", filed_at=NOW), "reserve": Reserve()}, "an appeal is open"),
    ):
        story.claim = replace(replace(claim, reserve=Reserve()), **changes)
        assert says in judged("G18", story, body)


def test_who_appeals_what_and_who_reopens_what() -> None:
    deny = c.RejectClaim(reason_codes=("INSUFFICIENT_PROOF",), provisions=("Conditions",), appeal_text_id="a")
    story = Story().submit().do(deny, SENIOR)
    filed = AppealFiled(filed_by="CUST-1", filed_by_role="claimant")
    assert "only the claimant or a representative" in judged("G14", story, filed)
    closed = story.now_claim
    for changes, says in (
        ({"state": State.PAID}, "paid in full has nothing to appeal"),
        ({"closed_outcome": "withdrawn"}, "closed as withdrawn cannot be appealed"),
        ({"decision": replace(closed.decision, decided_at=None)}, "nothing was decided"),
    ):
        story.claim = replace(closed, **changes)
        assert says in judged("G14", story, filed, actor=CLAIMANT)
    story.claim = closed
    reopened = ClaimReopened(reason_code="NEW", reason="r", count=1)
    assert "no authority to reopen" in judged("G19", story, reopened)
    story.claim = replace(closed, destroyed_keys=("CUST-1",))
    assert "was erased" in judged("G19", story, reopened, actor=MANAGER)


def test_a_claim_with_a_payment_under_way_does_not_end_by_withdrawal() -> None:
    """The table lets nobody withdraw then; the guard would refuse all the same."""
    story = Story().submit().do(c.ApproveClaim(), SENIOR)
    assert "is pending" in judged("G17", story, ClaimWithdrawn(reason="r"))


def test_a_claim_in_another_currency_than_its_policy_is_told_so_and_not_that_no_policy_was_in_force() -> None:
    story = Story().submit(claimed=Money(20_000, "EUR"))
    refused = story.refused(c.ApproveClaim(), Actor(id="COM-1", role="committee"))
    assert refused.guard == "G12"
    assert refused.message.startswith("the claim is in EUR and the policy in USD")
