"""Nobody decides more than their role may, per line and currency, on cumulative totals."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.authority import (
    ROLES,
    Delegation,
    at_least,
    authority,
    effective_role,
    in_qa_sample,
    limit,
    may_decide,
    needs_dual_control,
    role_for,
    stp_limit,
    suffices,
)
from domain.money import Money
from tests.support.policies import usd


@pytest.mark.parametrize(
    ("role", "indemnity", "reserve"),
    [
        ("adjuster_i", 15_000, 25_000),
        ("adjuster_ii", 50_000, 75_000),
        ("senior_adjuster", 100_000, 150_000),
        ("claims_manager", 250_000, 500_000),
    ],
)
def test_a_role_decides_up_to_its_limit_and_not_a_cent_more(role: str, indemnity: int, reserve: int) -> None:
    assert may_decide(role, "motor", usd(indemnity))
    assert not may_decide(role, "motor", usd(indemnity) + Money(1, "USD"))
    assert may_decide(role, "motor", usd(reserve), "reserve")
    assert not may_decide(role, "motor", usd(reserve) + Money(1, "USD"), "reserve")


def test_the_machine_decides_small_amounts_by_line() -> None:
    assert [stp_limit(line, "USD") for line in ("motor", "health", "property", "life")] == [
        usd(1_500),
        usd(1_000),
        usd(5_000),
        None,
    ]
    assert may_decide("system", "motor", usd(1_500))
    assert not may_decide("system", "life", usd(1))
    assert not may_decide("system", "motor", usd(1), "denial")


def test_a_denial_needs_more_than_a_beginner() -> None:
    assert not may_decide("adjuster_i", "motor", usd(1), "denial")
    assert may_decide("adjuster_ii", "motor", usd(50_000), "denial")
    assert not may_decide("adjuster_ii", "motor", usd(50_001), "denial")
    assert may_decide("senior_adjuster", "motor", usd(1_000_000), "denial")


def test_a_limit_is_never_converted_to_another_currency() -> None:
    assert limit("claims_manager", "motor", "EUR") == Money(0, "EUR")
    assert role_for("motor", Money(1, "EUR")) == "committee"


def test_a_role_that_decides_nothing_decides_not_even_zero() -> None:
    for role in ("siu", "payments", ""):
        assert not may_decide(role, "motor", usd(0))
    assert not at_least("siu", "system")


def test_521585_is_above_an_adjuster_ii_and_within_a_senior() -> None:
    net = usd(70_610)
    assert not suffices(authority("adjuster_ii", "motor", net))
    assert role_for("motor", net) == "senior_adjuster"


@given(st.integers(0, 10**9), st.sampled_from(("indemnity", "reserve", "denial")))
def test_the_role_that_is_named_suffices_and_the_one_below_does_not(minor: int, kind: str) -> None:
    amount = Money(minor, "USD")
    needed = role_for("motor", amount, kind)  # type: ignore[arg-type]  # the three kinds
    assert may_decide(needed, "motor", amount, kind)  # type: ignore[arg-type]
    below = ROLES[ROLES.index(needed) - 1]
    assert below == "system" or not may_decide(below, "motor", amount, kind)  # type: ignore[arg-type]


def test_a_delegation_holds_on_its_days_only() -> None:
    given_to = (Delegation("u1", "claims_manager", date(2015, 2, 1), date(2015, 2, 7)),)
    assert effective_role("u1", "adjuster_ii", given_to, date(2015, 2, 7)) == "claims_manager"
    assert effective_role("u1", "adjuster_ii", given_to, date(2015, 2, 8)) == "adjuster_ii"
    assert effective_role("u2", "adjuster_ii", given_to, date(2015, 2, 7)) == "adjuster_ii"
    assert effective_role("u1", "committee", given_to, date(2015, 2, 7)) == "committee"


def test_dual_control_starts_above_ten_thousand_and_always_without_a_row() -> None:
    assert not needs_dual_control(usd(10_000))
    assert needs_dual_control(usd(10_000) + Money(1, "USD"))
    assert needs_dual_control(Money(1, "EUR"))


def test_one_claim_in_twenty_is_read_by_a_person_and_always_the_same() -> None:
    drawn = [n for n in range(10_000) if in_qa_sample(f"CLM-{n}")]
    assert 400 <= len(drawn) <= 600
    assert drawn == [n for n in range(10_000) if in_qa_sample(f"CLM-{n}")]
