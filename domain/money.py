"""Money: integer minor units and an ISO 4217 code, and nothing else.

An amount is never a binary fraction: `Decimal` and text exist only at the edges, in `parse_money` and
`decimal_text`. Two currencies are never added or compared; an exchange is an event with rate, source and
time, not arithmetic. Rounding is half-up per item; a total is the sum of rounded items; a total that must be
divided is divided by largest remainder, ties by order (design/domain.md section 6).
"""

from __future__ import annotations

import re
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_MINOR: Final = 10**12
"""Largest amount taken from outside, in minor units. A thousand of them add up to 15 digits: that is what a day's
figure may hold (and below 2**53, so that a reader in Lua or JavaScript sees the same integer). One claim with an amount
near that limit would make the figures refuse every other claim of its day."""

_BY_EXPONENT: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD "
    "CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ "
    "GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK "
    "MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB "
    "SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN "
    "UYU UZS VED VES WST XCD YER ZAR ZMW ZWG",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
EXPONENTS: Final[dict[str, int]] = {
    code: exponent for exponent, codes in _BY_EXPONENT.items() for code in codes.split()
}
"""Decimal places of a currency's minor unit (ISO 4217)."""


class MoneyError(ValueError):
    """An amount that cannot be used as money."""


class UnknownCurrency(MoneyError):
    """The code is no ISO 4217 currency with a minor unit."""


class CurrencyMismatch(MoneyError):
    """Two currencies met in one sum or comparison."""


class AmountRefused(MoneyError):
    """The text is no amount that we take; the message says why."""


class Money(msgspec.Struct, frozen=True, gc=False):
    """An amount: `minor` units (cents, yen, fils) of `currency`. May be negative as a difference."""

    minor: int
    currency: str

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + _same(self, other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - _same(self, other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.minor < _same(self, other)

    def __le__(self, other: Money) -> bool:
        return self.minor <= _same(self, other)

    def __gt__(self, other: Money) -> bool:
        return self.minor > _same(self, other)

    def __ge__(self, other: Money) -> bool:
        return self.minor >= _same(self, other)

    def __str__(self) -> str:
        return f"{decimal_text(self, grouping=True)} {self.currency}"


def _same(one: Money, other: Money) -> int:
    if one.currency != other.currency:
        raise CurrencyMismatch(f"{one.currency} and {other.currency}: no sum without an exchange event")
    return other.minor


def zero(currency: str) -> Money:
    """Nothing, in the currency."""
    return Money(0, currency)


def total(amounts: Iterable[Money], currency: str) -> Money:
    """Sum of amounts that are all in `currency`; zero for none."""
    minor = 0
    for amount in amounts:
        if amount.currency != currency:
            raise CurrencyMismatch(f"{amount.currency} in a sum of {currency}: no exchange without an event")
        minor += amount.minor
    return Money(minor, currency)


def exponent(currency: str) -> int:
    """Decimal places of the currency's minor unit; refuses a code that is not ISO 4217."""
    try:
        return EXPONENTS[currency]
    except KeyError:
        raise UnknownCurrency(f"{_shown(currency)} is no ISO 4217 currency code, e.g. USD") from None


def half_up(numerator: int, denominator: int) -> int:
    """numerator / denominator as the nearest integer, halves away from zero."""
    if denominator <= 0:
        raise ValueError("the denominator must be above zero")
    quotient, rest = divmod(abs(numerator), denominator)
    rounded = quotient + 1 if 2 * rest >= denominator else quotient
    return rounded if numerator >= 0 else -rounded


def fraction(amount: Money, numerator: int, denominator: int) -> Money:
    """The amount times numerator / denominator, rounded half-up, e.g. 20 % as 2_000 / 10_000."""
    return Money(half_up(amount.minor * numerator, denominator), amount.currency)


def split_minor(minor: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Divides an integer in proportion to weights >= 0 by largest remainder; ties go by order.

    The parts add up to `minor` exactly. With all weights zero only zero can be divided.
    """
    whole = sum(weights)
    if any(weight < 0 for weight in weights):
        raise ValueError("a weight is below zero")
    if whole == 0:
        if minor == 0:
            return (0,) * len(weights)
        raise ValueError("an amount cannot be divided over weights that are all zero")
    if minor < 0:
        return tuple(-part for part in split_minor(-minor, weights))
    parts = [minor * weight // whole for weight in weights]
    left = minor - sum(parts)
    if left:
        by_remainder = sorted(range(len(parts)), key=lambda i: (-(minor * weights[i] % whole), i))
        for i in by_remainder[:left]:
            parts[i] += 1
    return tuple(parts)


def split(amount: Money, weights: Sequence[int]) -> tuple[Money, ...]:
    """`split_minor` for money: the parts add up to the amount to the last minor unit."""
    return tuple(Money(part, amount.currency) for part in split_minor(amount.minor, weights))


_DECIMAL: Final = re.compile(r"(-?)([0-9]{1,18})(?:\.([0-9]{1,12}))?")


def parse_money(
    text: str | int | Decimal, currency: str, *, allow_negative: bool = False, rounding: bool = False
) -> Money:
    """Money from a decimal text in major units, e.g. `("70610.00", "USD")` -> 7_061_000 cents.

    Strict: ASCII digits and one point; no exponent in text, sign, grouping, blanks or NaN. More decimals
    than the currency has are refused unless they are zeros or `rounding` asks for half-up. Raises
    `AmountRefused` or `UnknownCurrency`.
    """
    places = exponent(currency)
    if isinstance(text, Decimal):
        text = _plain(text)
    elif isinstance(text, bool) or not isinstance(text, int | str):
        raise AmountRefused(f"amount {_shown(text)} is not a decimal number")
    elif isinstance(text, int):
        text = str(text) if abs(text) <= MAX_MINOR else "9" * 18
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise AmountRefused(f"amount {_shown(text)} is not a decimal number such as 1250.00")
    sign, whole, rest = match.group(1), match.group(2), match.group(3) or ""
    if rest[places:].strip("0") and not rounding:
        raise AmountRefused(f"amount {_shown(text)} has more decimals than {currency} has ({places})")
    minor = half_up(int(whole + rest) * 10**places, 10 ** len(rest))
    if minor > MAX_MINOR:
        raise AmountRefused(f"amount {_shown(text)} is larger than {Money(MAX_MINOR, currency)}")
    if sign and minor and not allow_negative:
        raise AmountRefused(f"amount {_shown(text)} is below zero")
    return Money(-minor if sign else minor, currency)


def _plain(number: Decimal) -> str:
    """A finite decimal of sane size without an exponent; refused before it is expanded to 400 digits."""
    if not number.is_finite():
        raise AmountRefused(f"amount {_shown(number)} is not a number")
    if number and not -12 <= number.adjusted() <= 17:
        raise AmountRefused(f"amount {_shown(number)} is out of range")
    with localcontext() as context:
        context.prec = 40
        return format(number if number else Decimal(0), "f")


def decimal_text(amount: Money, *, grouping: bool = False) -> str:
    """The amount in major units, e.g. `70610.00`, or with grouping `70,610.00`."""
    places = EXPONENTS.get(amount.currency, 2)
    whole, rest = divmod(abs(amount.minor), 10**places)
    sign = "-" if amount.minor < 0 else ""
    major = f"{whole:,}" if grouping else str(whole)
    return f"{sign}{major}.{rest:0{places}d}" if places else f"{sign}{major}"


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
