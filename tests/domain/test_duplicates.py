"""Two notices of the same loss are recognised; two losses are not taken for one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.duplicates import LossTrace, best_match, duplicate_score, grade
from domain.money import Money
from tests.support.policies import LOSS_DAY, usd

CLAIM = LossTrace("CLM-1", "POL-1", LOSS_DAY, "vehicle_theft", usd(10_000), asset="a1", claimant="c1")


@pytest.mark.parametrize(
    ("other", "score"),
    [
        (replace(CLAIM, claim_id="CLM-2"), 100),
        (replace(CLAIM, claim_id="CLM-2", claimant=""), 90),
        (replace(CLAIM, claim_id="CLM-2", loss_day=LOSS_DAY + timedelta(days=1)), 100),
        (replace(CLAIM, claim_id="CLM-2", loss_day=LOSS_DAY + timedelta(days=2)), 40),
        (replace(CLAIM, claim_id="CLM-2", policy_number="POL-2"), 40),
        (replace(CLAIM, claim_id="CLM-2", peril="glass"), 40),
        (replace(CLAIM, claim_id="CLM-2", claimed=usd(10_204)), 100),
        (replace(CLAIM, claim_id="CLM-2", claimed=usd(10_205)), 85),
        (replace(CLAIM, claim_id="CLM-2", claimed=usd(9_800)), 100),
        (replace(CLAIM, claim_id="CLM-2", claimed=usd(9_799)), 85),
        (replace(CLAIM, claim_id="CLM-2", claimed=Money(1_000_000, "CAD")), 85),
        (replace(CLAIM, claim_id="CLM-2", claimed=usd(1), asset="", claimant=""), 60),
        (CLAIM, 0),
    ],
)
def test_the_score_adds_what_is_the_same(other: LossTrace, score: int) -> None:
    assert duplicate_score(CLAIM, other) == score


@pytest.mark.parametrize(
    ("score", "word"), [(59, "none"), (60, "possible"), (84, "possible"), (85, "probable"), (100, "probable")]
)
def test_a_score_has_its_word(score: int, word: str) -> None:
    assert grade(score) == word


def test_what_is_unknown_on_both_claims_is_not_the_same() -> None:
    blank = LossTrace("CLM-1", "", LOSS_DAY, "", usd(1))
    assert duplicate_score(blank, replace(blank, claim_id="CLM-2", claimed=usd(100))) == 0


def test_the_best_match_is_the_highest_score_and_then_the_smaller_id() -> None:
    near = replace(CLAIM, claim_id="CLM-9", claimed=usd(1))
    same = [replace(CLAIM, claim_id=f"CLM-{n}") for n in (4, 3)]
    found = best_match(CLAIM, [near, *same, CLAIM])
    assert found is not None and (found.claim_id, found.score, found.grade) == ("CLM-3", 100, "probable")
    assert best_match(CLAIM, [CLAIM, replace(near, claim_id="CLM-8", peril="glass")]) is None


traces = st.builds(
    LossTrace,
    claim_id=st.sampled_from(("CLM-1", "CLM-2", "CLM-3")),
    policy_number=st.sampled_from(("", "POL-1", "POL-2")),
    loss_day=st.integers(0, 4).map(lambda days: LOSS_DAY + timedelta(days=days)),
    peril=st.sampled_from(("glass", "vehicle_theft")),
    claimed=st.integers(0, 300).map(usd),
    asset=st.sampled_from(("", "a1", "a2")),
    claimant=st.sampled_from(("", "c1")),
)


@given(traces, traces)
def test_the_score_is_the_same_from_both_sides(one: LossTrace, other: LossTrace) -> None:
    assert duplicate_score(one, other) == duplicate_score(other, one)
    assert 0 <= duplicate_score(one, other) <= 100
