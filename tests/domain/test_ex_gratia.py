"""Ex gratia: given after a denial, by authority, with the policy set aside as a fact; paid like anything else."""

from __future__ import annotations

from domain import commands as c
from domain.bodies.base import Actor
from domain.bodies.deciding import ClaimApproved, OverrideRecorded
from domain.bodies.ending import ClaimClosed
from domain.money import Money
from domain.transitions import State
from tests.support.claims import BANK, MANAGER, SENIOR, SUPERVISOR, Story, policy, usd

DENY = c.RejectClaim(reason_codes=("PERIL_EXCLUDED",), provisions=("Exclusions",), appeal_text_id="appeal.denial.1")
REOPEN = c.ReopenClaim(reason_code="EX_GRATIA", reason="a customer of forty years")


def gift(amount: Money, reason: str = "a customer of forty years") -> c.ApproveClaim:
    return c.ApproveClaim(amount=amount, ex_gratia=True, reason=reason)


def denied() -> Story:
    """Not covered at all, denied, closed, and opened again for a gift."""
    story = Story(policy=policy(insureds=())).submit().do(DENY, SENIOR)
    assert story.now_claim.closed_outcome == "denied"
    return story.do(REOPEN, SUPERVISOR)


def test_a_manager_gives_up_to_five_thousand_after_a_denial_and_it_is_paid_and_closed() -> None:
    story = denied()
    assert story.state() is State.ASSIGNED
    story.do(gift(usd(5_000)), MANAGER)
    approval = next(fact.body for fact in story.facts if isinstance(fact.body, ClaimApproved))
    assert (approval.decision, approval.ex_gratia, approval.reason_codes) == ("partial", usd(5_000), ("EX_GRATIA",))
    pending = story.now_claim.pending
    assert pending is not None and pending.amount == 500_000
    paid = c.ConfirmPayment(payment_id=pending.id, amount=usd(5_000), provider_ref="B")
    story.do(paid, BANK)
    assert (story.state(), story.now_claim.closed_outcome) == (State.CLOSED, "paid_partial")
    assert isinstance(story.facts[-1].body, ClaimClosed) and story.now_claim.reserve.total == 0


def test_the_policy_that_is_set_aside_is_a_fact_with_the_reason_before_the_approval() -> None:
    story = denied().do(gift(usd(100)), MANAGER)
    place = story.types.index("approved")
    before = story.facts[place - 1].body
    assert isinstance(before, OverrideRecorded)
    assert (before.subject, before.reason, before.overridden_by) == (
        "ex gratia", "a customer of forty years", MANAGER.id,
    )  # fmt: skip


def test_nobody_gives_above_his_authority_and_the_committee_takes_two() -> None:
    story = denied()
    assert story.refused(gift(usd(100)), SENIOR).guard == "G10"
    above = story.refused(gift(Money(500_001, "USD")), MANAGER)
    assert above.guard == "G10" and "committee may give it" in above.message
    one, other = Actor(id="COM-1", role="committee"), Actor(id="COM-2", role="committee")
    assert "two people" in story.refused(gift(usd(6_000)), one).message
    story.do(c.ProposeDecision(kind="ex_gratia", amount=usd(6_000), reason="hardship"), MANAGER)
    assert story.refused(c.ApproveClaim(), MANAGER).guard in ("G10", "G11")
    story.do(c.ApproveClaim(), other)
    assert story.now_claim.approved == 600_000


def test_nothing_is_given_without_a_denial_a_reason_and_an_amount() -> None:
    fresh = Story().submit()
    assert fresh.refused(gift(usd(100)), MANAGER).message == (
        "something is given ex gratia after a denial only, not after no decision"
    )
    story = denied()
    assert "reason" in story.refused(gift(usd(100), reason=""), MANAGER).message
    assert "amount" in story.refused(c.ApproveClaim(ex_gratia=True, reason="x"), MANAGER).message
    assert "EUR" in story.refused(gift(Money(100, "EUR")), MANAGER).message


def test_a_gift_stays_within_what_was_claimed_and_within_the_limit() -> None:
    story = Story(policy=policy(insureds=(), limit=usd(400))).submit(claimed=usd(500))
    story.do(DENY, SENIOR).do(REOPEN, SUPERVISOR)
    assert "above what was claimed" in story.refused(gift(usd(501)), MANAGER).message
    assert "above the limit" in story.refused(gift(usd(401)), MANAGER).message
    story.do(gift(usd(400)), MANAGER)
    assert sum(line.net.minor for line in story.now_claim.decision.items) == story.now_claim.approved == 40_000


def test_a_suspected_duplicate_and_an_open_file_keep_their_guards() -> None:
    story = denied().do(c.ReferToSIU(reason="staged"), SENIOR)
    assert story.refused(gift(usd(100)), MANAGER).code == "WRONG_STATE"
