"""Days and hours that count: calendar days, business days over given holidays, business hours.

Pure: the holidays, the office hours and the time zone are arguments; nothing here knows today. Deadlines in
days count from the day after receipt (design/domain.md section 9).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo

import msgspec

_DAY = timedelta(days=1)
_FURTHEST_DAYS = 36_600
"""How far a search for a business day goes before the calendar itself is at fault (100 years)."""


class Calendar(msgspec.Struct, frozen=True):
    """Which days and hours are worked. `weekend`: Monday is 0. Office hours are local times of day."""

    holidays: frozenset[date] = frozenset()
    weekend: tuple[int, ...] = (5, 6)
    opens: time = time(8)
    closes: time = time(17)

    def is_business_day(self, day: date) -> bool:
        """Neither weekend nor holiday."""
        return day.weekday() not in self.weekend and day not in self.holidays


def local_day(instant: datetime, zone: tzinfo) -> date:
    """The calendar day of an instant where the policy lives; the instant must carry a zone."""
    if zone is UTC and instant.tzinfo is UTC:
        return instant.date()
    return _aware(instant).astimezone(zone).date()


def add_calendar_days(day: date, count: int) -> date:
    """The last day of a period of `count` days that starts on the day after `day`."""
    return day + timedelta(days=count)


def next_business_day(day: date, calendar: Calendar) -> date:
    """`day` itself when it is worked, else the first one after it that is."""
    for _ in range(_FURTHEST_DAYS):
        if calendar.is_business_day(day):
            return day
        day += _DAY
    raise ValueError("the calendar has no business day: look at its weekend and holidays")


def add_business_days(day: date, count: int, calendar: Calendar) -> date:
    """The `count`-th business day after `day`, counting from the day after it; 0 gives `day` itself."""
    if count < 0:
        raise ValueError(f"cannot count {count} business days: the number is below zero")
    for _ in range(count):
        day = next_business_day(day + _DAY, calendar)
    return day


def business_days_between(start: date, end: date, calendar: Calendar) -> int:
    """Business days after `start`, up to and including `end`; 0 when `end` is not after `start`."""
    days = max((end - start).days, 0)
    return sum(calendar.is_business_day(start + timedelta(days=n)) for n in range(1, days + 1))


def add_business_hours(instant: datetime, hours: int, calendar: Calendar, zone: tzinfo) -> datetime:
    """The instant (UTC) at which `hours` office hours have passed since `instant`."""
    left = timedelta(hours=hours)
    local = _aware(instant).astimezone(zone)
    if calendar.closes <= calendar.opens:
        raise ValueError("the office closes before it opens: look at the calendar's hours")
    while True:
        day = next_business_day(local.date(), calendar)
        opening = datetime.combine(day, calendar.opens, zone)
        closing = datetime.combine(day, calendar.closes, zone)
        begin = max(local, opening).astimezone(UTC)
        room = closing.astimezone(UTC) - begin
        if left <= room:
            return begin + left
        left -= max(room, timedelta(0))
        local = datetime.combine(day + _DAY, time(0), zone)


def _aware(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError(f"{instant.isoformat()} has no time zone: times are UTC")
    return instant
