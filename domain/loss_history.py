"""What the other losses say about a new one: alike ones (a second notice of one loss), and how many in 24 months.

Only losses that were reported earlier count, so that of two notices of one loss the second is the suspicious one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from domain.context import History
from domain.duplicates import POSSIBLE_FROM, duplicate_score

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from domain.duplicates import LossTrace

FREQUENCY_YEARS: Final = 2
"""The red flag FREQUENCY looks back 24 months from the day of loss (design/domain.md section 7)."""


def history_of(loss: LossTrace, earlier: Iterable[LossTrace]) -> History:
    """The history of a loss, given those of the same policy that were reported before it.

    A loss that looks like this one is not counted again: two notices of one loss are one loss.
    """
    alike: list[LossTrace] = []
    counted = 1
    since = years_before(loss.loss_day, FREQUENCY_YEARS)
    for other in earlier:
        if duplicate_score(loss, other) >= POSSIBLE_FROM:
            alike.append(other)
        elif other.claim_id != loss.claim_id and since < other.loss_day <= loss.loss_day:
            counted += 1
    return History(similar=tuple(alike), claims_in_24_months=counted)


def years_before(day: date, years: int) -> date:
    """The same day some years ago; 29 February becomes the 28th."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, day=28)
