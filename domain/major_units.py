"""Keys for lab readers: amounts in major units, hours. Derived when a fact is made, never read back by a
rule.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from domain.money import EXPONENTS

if TYPE_CHECKING:
    from datetime import datetime

    from domain.money import Money


def major(amount: Money) -> Decimal:
    """The amount in major units: 7061000 cents -> 70610.00."""
    return Decimal(amount.minor).scaleb(-EXPONENTS.get(amount.currency, 2))


def seconds_between(start: datetime, end: datetime) -> int:
    """Whole seconds, never negative."""
    return max((end - start) // timedelta(seconds=1), 0)


def hours(seconds: int) -> Decimal:
    """Hours with two places, half up."""
    return Decimal((seconds + 18) // 36).scaleb(-2)
