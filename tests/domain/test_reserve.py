"""A reserve stands before a payment, falls with it, and is zero at the end."""

from __future__ import annotations

import pytest

from domain.money import CurrencyMismatch, Money
from domain.reserve import (
    Reserve,
    ReserveChange,
    after_payment,
    apply_change,
    before_payment,
    change_to,
    first_indemnity,
    incurred,
    net_incurred,
    no_reserve,
    release,
)
from tests.support.policies import terms, usd

RESERVE = Reserve(usd(70_610), usd(500))


def test_the_first_reserve_is_what_would_be_owed_if_all_is_covered() -> None:
    assert first_indemnity(usd(71_610), terms()) == usd(70_610)
    assert first_indemnity(usd(114_920), terms(deductible=2_000, limit=100_000)) == usd(100_000)
    assert first_indemnity(usd(100), terms(deductible=2_000)) == usd(0)
    assert first_indemnity(usd(100), None) == usd(100)
    assert first_indemnity(Money(100, "EUR"), terms()) == Money(100, "EUR")


def test_a_change_says_what_was_before_and_after_and_nothing_is_no_change() -> None:
    change = change_to(RESERVE, "indemnity", usd(80_000), "new estimate")
    assert change == ReserveChange("indemnity", usd(70_610), usd(80_000), "new estimate")
    assert apply_change(RESERVE, change) == Reserve(usd(80_000), usd(500))
    assert change_to(RESERVE, "expense", usd(500), "same") is None
    raised = change_to(RESERVE, "expense", usd(900), "expert")
    assert raised is not None and apply_change(RESERVE, raised).outstanding == usd(71_510)


def test_a_reserve_is_never_below_zero_nor_in_another_currency() -> None:
    with pytest.raises(ValueError, match="below zero"):
        change_to(RESERVE, "indemnity", usd(-1), "typing error")
    with pytest.raises(CurrencyMismatch):
        change_to(RESERVE, "indemnity", Money(1, "EUR"), "typing error")


def test_before_a_payment_the_reserve_is_raised_to_it() -> None:
    assert before_payment(RESERVE, usd(70_610)) is None
    change = before_payment(no_reserve("USD"), usd(10))
    assert change is not None and change.after == usd(10)


def test_a_payment_takes_down_its_own_kind_and_stops_at_zero() -> None:
    assert after_payment(RESERVE, "indemnity", usd(70_000)) == Reserve(usd(610), usd(500))
    assert after_payment(RESERVE, "expense", usd(900)) == Reserve(usd(70_610), usd(0))


def test_closing_takes_every_kind_to_zero() -> None:
    changes = release(RESERVE, "closed")
    assert [change.kind for change in changes] == ["indemnity", "expense"]
    left = RESERVE
    for change in changes:
        left = apply_change(left, change)
    assert left == no_reserve("USD")
    assert release(left, "closed") == ()


def test_incurred_is_paid_and_outstanding_less_what_came_back() -> None:
    assert incurred(usd(100), usd(50)) == usd(150)
    assert net_incurred(usd(100), usd(50), usd(30)) == usd(120)
