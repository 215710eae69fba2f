"""Each part of a guard refuses by itself: what was knocked out one sentence at a time, and survived, is shown here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from domain import commands as c
from domain import portrait
from domain.bodies.base import SYSTEM, Actor
from domain.coverage import ClaimedItem
from domain.decisions.approving import approved
from domain.facets import Coverage, DocumentItem, RedFlags
from domain.guards import GUARDS
from domain.money import Money
from domain.rules import Rules
from domain.situation import Situation
from tests.support.claims import CLAIMANT, Story, notice, policy, usd

if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.claim_record import Claim

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
