"""The federal holidays of the United States by rule, as a calendar for business days. Pure: no table of years.

A holiday on a Saturday is kept on the Friday before, one on a Sunday on the Monday after (5 U.S.C. 6103; second-hand).
A jurisdiction with other holidays gets a calendar of its own (`sla.sla_book`, `calendars`).
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from typing import Final

from domain.calendar import Calendar

FIRST_YEAR: Final = 1990
LAST_YEAR: Final = 2100
"""Years whose holidays are known; a period beyond them counts weekends only."""
JUNETEENTH_SINCE: Final = 2021

_MONDAY, _THURSDAY = 0, 3
_DAY: Final = timedelta(days=1)


def federal_holidays(year: int) -> tuple[date, ...]:
    """The days of one year on which federal offices are closed, as they are kept."""
    fixed = [date(year, 1, 1), date(year, 7, 4), date(year, 11, 11), date(year, 12, 25)]
    if year >= JUNETEENTH_SINCE:
        fixed.append(date(year, 6, 19))
    moving = [
        _nth(year, 1, _MONDAY, 3),  # Martin Luther King
        _nth(year, 2, _MONDAY, 3),  # Washington
        _last(year, 5, _MONDAY),  # Memorial Day
        _nth(year, 9, _MONDAY, 1),  # Labor Day
        _nth(year, 10, _MONDAY, 2),  # Columbus Day
        _nth(year, 11, _THURSDAY, 4),  # Thanksgiving
    ]
    return tuple(sorted([*map(_kept, fixed), *moving]))


@cache
def us_calendar() -> Calendar:
    """Business days of the United States."""
    years = range(FIRST_YEAR, LAST_YEAR + 1)
    return Calendar(holidays=frozenset(day for year in years for day in federal_holidays(year)))


def _nth(year: int, month: int, weekday: int, number: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (number - 1))


def _last(year: int, month: int, weekday: int) -> date:
    """The last such weekday of a month that is not December."""
    end = date(year, month + 1, 1) - _DAY
    return end - timedelta(days=(end.weekday() - weekday) % 7)


def _kept(day: date) -> date:
    return day - _DAY if day.weekday() == 5 else day + _DAY if day.weekday() == 6 else day
