"""The 1,000 motor claims of the auto set live to their end; its odd rows come out as documented, to the cent."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from domain import commands as c
from domain.bodies import deciding
from domain.bodies.base import Actor
from domain.claim import fold
from domain.money import Money
from domain.reasons import PROVISIONS
from domain.transitions import State
from tests.support.claims import BANK, CLAIMANT, MANAGER, PAYEE, SIU, Story, adjuster, roster
from workers.adapters.auto_portfolio import portfolio
from workers.submissions import submit_command

if TYPE_CHECKING:
    from workers.adapters.auto_row import AutoRow

EVERYBODY = roster(
    *(adjuster(f"ADJ-{n}", jurisdictions=frozenset(("OH", "IL", "IN")), capacity=100_000) for n in range(3))
)


def lived(row: AutoRow) -> Story:
    """The claim as a careful manager would handle it: papers, investigation, what the policy pays, or a denial."""
    notice = row.submission
    story = Story(policy=row.policy, roster=EVERYBODY, payee=replace(PAYEE, payee_id=notice.claimant_id))
    story.set(now=notice.reported_at + timedelta(minutes=1))
    command = submit_command(
        notice, f"CLM-{row.policy.number.removeprefix('POL-'):0>8}", description="", loss_location=""
    )
    story.do(command, CLAIMANT)
    if story.state() is State.UNDER_INVESTIGATION:
        story.do(c.CloseSIU(outcome="cleared"), SIU).do(c.CompleteInvestigation(finding="as described"), MANAGER)
    if story.state() is State.ASSIGNED:
        handle(story)
    return story


def handle(story: Story) -> None:
    missing = story.now_claim.missing_documents
    if missing:
        claimant = Actor(id=story.now_claim.notice.claimant_id, role="claimant")
        story.wait(hours=5).do(c.RequestInformation(items=missing), MANAGER)
        for name in missing:
            story.wait(days=1).do(c.UploadDocument(document_id=f"DOC-{name}", kind=name), claimant)
    coverage = story.now_claim.coverage
    if coverage.outcome == "fail":
        codes = coverage.codes
        provisions = tuple(PROVISIONS[code] for code in codes)
        story.do(c.RejectClaim(reason_codes=codes, provisions=provisions, appeal_text_id="appeal.1"), MANAGER)
    elif story.world.policy is not None and story.world.policy.quarantine is None:
        story.wait(days=2).do(c.ApproveClaim(), MANAGER)
        payment = story.now_claim.pending
        assert payment is not None
        amount = Money(payment.amount, "USD")
        story.wait(days=1).do(c.ConfirmPayment(payment_id=payment.id, amount=amount, provider_ref="BANK"), BANK)


@cache
def lives() -> dict[str, Story]:
    return {row.policy.number.removeprefix("POL-"): lived(row) for row in portfolio(1_000)}


def test_every_claim_of_the_set_rests_but_the_quarantined_one_and_replays_to_the_same() -> None:
    stories = lives()
    assert len(stories) == 1_000
    assert [number for number, story in stories.items() if story.state() is not State.CLOSED] == ["526039"]
    outcomes = Counter(story.now_claim.closed_outcome for story in stories.values())
    assert outcomes == {"paid": 994, "paid_partial": 3, "denied": 2, "": 1}
    assert all(fold(story.facts) == story.claim for story in stories.values())


@pytest.mark.parametrize(
    ("number", "net", "outcome", "codes"),
    [
        ("521585", 7_061_000, "paid", ()),
        ("214618", 10_000_000, "paid_partial", ("LIMIT_EXHAUSTED",)),
        ("556415", 10_000_000, "paid_partial", ("LIMIT_EXHAUSTED",)),
        ("186934", 10_000_000, "paid_partial", ("LIMIT_EXHAUSTED",)),
        ("921202", 7_243_000, "paid", ()),
        ("266247", 0, "denied", ("BELOW_DEDUCTIBLE",)),
        ("794731", 0, "denied", ("LOSS_BEFORE_INCEPTION",)),
    ],
)
def test_a_worked_row_is_paid_to_the_cent(number: str, net: int, outcome: str, codes: tuple[str, ...]) -> None:
    claim = lives()[number].now_claim
    assert (claim.paid, claim.closed_outcome, claim.decision.reason_codes) == (net, outcome, codes)


def test_only_266247_is_referred_by_rule_and_only_794731_is_denied_by_a_machine() -> None:
    referred = {number for number, story in lives().items() if story.now_claim.siu.by_rule}
    assert referred == {"266247"}
    clerical = {
        number
        for number, story in lives().items()
        for fact in story.facts
        if isinstance(fact.body, deciding.ClaimRejected) and fact.body.decided_by == "clerical"
    }
    assert clerical == {"794731"}


def test_the_split_of_521585_is_the_worked_one() -> None:
    items = lives()["521585"].now_claim.decision.items
    assert [(line.deductible.minor, line.net.minor) for line in items] == [
        (9_091, 641_909),
        (18_182, 1_283_818),
        (72_727, 5_135_273),
    ]


def test_a_quarantined_policy_waits_for_a_person_until_it_is_corrected() -> None:
    story = lives()["526039"]
    assert (story.state(), story.now_claim.coverage.outcome) == (State.ASSIGNED, "review")


def test_no_row_goes_straight_through_and_tiers_are_the_counted_ones() -> None:
    stories = lives().values()
    assert not any(story.now_claim.decision.straight_through for story in stories)
    tiers = Counter(story.now_claim.owner.tier for story in stories if story.now_claim.owner is not None)
    assert sum(tiers.values()) == 999 and tiers["FAST"] == 0
