"""Money adds up to the last minor unit, in one currency, and refuses what is no amount."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money import (
    EXPONENTS,
    MAX_MINOR,
    AmountRefused,
    CurrencyMismatch,
    Money,
    UnknownCurrency,
    decimal_text,
    fraction,
    half_up,
    parse_money,
    split,
    split_minor,
    total,
)

weights = st.lists(st.integers(0, 10**9), min_size=1, max_size=12).filter(lambda found: sum(found) > 0)


@given(st.integers(0, MAX_MINOR), weights)
def test_the_parts_of_a_split_add_up_to_the_whole(minor: int, by: list[int]) -> None:
    assert sum(split_minor(minor, by)) == minor


@given(st.integers(0, MAX_MINOR), weights)
def test_a_part_of_a_split_is_its_exact_share_rounded_down_or_up(minor: int, by: list[int]) -> None:
    for part, weight in zip(split_minor(minor, by), by, strict=True):
        floor = minor * weight // sum(by)
        assert part in (floor, floor + 1)
        assert weight or part == 0


def test_the_two_cents_left_over_go_to_the_two_largest_remainders() -> None:
    parts = split(Money(100_000, "USD"), (651_000, 1_302_000, 5_208_000))
    assert [part.minor for part in parts] == [9_091, 18_182, 72_727]


def test_equal_remainders_go_to_the_items_that_come_first() -> None:
    assert split_minor(5, (1, 1, 1)) == (2, 2, 1)


def test_a_debt_is_split_as_its_amount_is() -> None:
    assert split_minor(-5, (1, 1, 1)) == (-2, -2, -1)


def test_nothing_can_be_split_over_nothing_but_something_cannot() -> None:
    assert split_minor(0, (0, 0)) == (0, 0)
    with pytest.raises(ValueError, match="all zero"):
        split_minor(1, (0, 0))


@pytest.mark.parametrize(
    ("numerator", "denominator", "rounded"),
    [(5, 10, 1), (4, 10, 0), (15, 10, 2), (-5, 10, -1), (-4, 10, 0), (0, 3, 0)],
)
def test_halves_are_rounded_away_from_zero(numerator: int, denominator: int, rounded: int) -> None:
    assert half_up(numerator, denominator) == rounded


def test_a_part_of_an_amount_is_rounded_half_up() -> None:
    assert fraction(Money(12_345, "USD"), 2_000, 10_000) == Money(2_469, "USD")
    assert fraction(Money(25, "USD"), 1, 10) == Money(3, "USD")


def test_two_currencies_are_never_added_compared_or_summed() -> None:
    dollars, yen = Money(100, "USD"), Money(100, "JPY")
    for combine in (Money.__add__, Money.__sub__, Money.__lt__, Money.__le__, Money.__gt__, Money.__ge__):
        with pytest.raises(CurrencyMismatch):
            combine(dollars, yen)
    with pytest.raises(CurrencyMismatch):
        total([dollars, yen], "USD")
    assert dollars != yen


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("70610.00", "USD", 7_061_000),
        ("70610", "USD", 7_061_000),
        ("0.1", "USD", 10),
        ("12.500", "USD", 1_250),
        ("500", "JPY", 500),
        ("1.234", "KWD", 1_234),
        (100, "USD", 10_000),
        (Decimal("2500.5"), "USD", 250_050),
        (Decimal("1E+3"), "USD", 100_000),
        (Decimal("0E-20"), "USD", 0),
    ],
)
def test_an_amount_is_read_in_the_minor_unit_of_its_currency(
    text: str | int | Decimal, currency: str, minor: int
) -> None:
    assert parse_money(text, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("NaN", "not a decimal number"),
        ("12abc", "not a decimal number"),
        ("1e400", "not a decimal number"),
        ("1e3", "not a decimal number"),
        ("", "not a decimal number"),
        (" 1", "not a decimal number"),
        ("1,000.00", "not a decimal number"),
        ("+1", "not a decimal number"),
        (".5", "not a decimal number"),
        ("1.", "not a decimal number"),
        ("١٢", "not a decimal number"),
        ("1\n", "not a decimal number"),
        ("9" * 5_000, "not a decimal number"),
        (True, "not a decimal number"),
        ("-1", "below zero"),
        ("1.005", "more decimals than USD has"),
        ("10000000000000.01", "larger than"),
        (10**30, "larger than"),
        (Decimal("NaN"), "not a number"),
        (Decimal("Infinity"), "not a number"),
        (Decimal("1e400"), "out of range"),
        (Decimal("1e-400"), "out of range"),
    ],
)
def test_what_is_no_amount_is_refused_with_the_reason(text: str | int | Decimal, why: str) -> None:
    with pytest.raises(AmountRefused, match=why) as refused:
        parse_money(text, "USD")
    assert len(str(refused.value)) < 120


def test_a_code_that_is_no_currency_is_refused() -> None:
    for code in ("XYZ", "usd", "", "US"):
        with pytest.raises(UnknownCurrency):
            parse_money("1", code)


def test_below_zero_and_further_decimals_are_taken_only_on_request() -> None:
    assert parse_money("-1.00", "USD", allow_negative=True) == Money(-100, "USD")
    assert parse_money("1.005", "USD", rounding=True) == Money(101, "USD")
    assert parse_money("-0", "USD") == Money(0, "USD")


@given(st.integers(-MAX_MINOR, MAX_MINOR), st.sampled_from(sorted(EXPONENTS)))
def test_an_amount_that_is_written_out_is_read_back_the_same(minor: int, currency: str) -> None:
    amount = Money(minor, currency)
    assert parse_money(decimal_text(amount), currency, allow_negative=True) == amount


def test_an_amount_is_shown_with_grouping_for_people() -> None:
    assert str(Money(7_061_000, "USD")) == "70,610.00 USD"
    assert str(Money(-5, "USD")) == "-0.05 USD"
    assert str(Money(1_500, "JPY")) == "1,500 JPY"


def test_money_travels_as_minor_units_and_code() -> None:
    amount = Money(7_061_000, "USD")
    wire = msgspec.json.encode(amount)
    assert wire == b'{"minor":7061000,"currency":"USD"}'
    assert msgspec.json.decode(wire, type=Money) == amount
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"minor":1.5,"currency":"USD"}', type=Money)
