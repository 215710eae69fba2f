"""Deadlines count from the day after receipt, over the days and hours that are worked."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.calendar import (
    Calendar,
    add_business_days,
    add_business_hours,
    add_calendar_days,
    business_days_between,
    local_day,
)

FRIDAY = date(2015, 1, 16)
MARTIN_LUTHER_KING = date(2015, 1, 19)
OFFICE = Calendar(holidays=frozenset({MARTIN_LUTHER_KING}))
OHIO = timezone(timedelta(hours=-5))


def test_the_day_of_receipt_does_not_count() -> None:
    assert add_calendar_days(FRIDAY, 15) == date(2015, 1, 31)
    assert add_business_days(FRIDAY, 0, OFFICE) == FRIDAY


def test_a_weekend_and_a_holiday_are_no_business_days() -> None:
    assert add_business_days(FRIDAY, 1, OFFICE) == date(2015, 1, 20)
    assert add_business_days(FRIDAY, 1, Calendar()) == MARTIN_LUTHER_KING


@given(st.dates(date(2015, 1, 1), date(2016, 1, 1)), st.integers(0, 60))
def test_counting_business_days_forth_and_back_agrees(day: date, count: int) -> None:
    assert business_days_between(day, add_business_days(day, count, OFFICE), OFFICE) == count


def test_office_hours_run_on_over_closing_and_the_weekend() -> None:
    friday_afternoon = datetime(2015, 1, 16, 20, 30, tzinfo=UTC)  # 15:30 in Ohio, 90 minutes are left
    assert add_business_hours(friday_afternoon, 4, OFFICE, OHIO) == datetime(2015, 1, 20, 15, 30, tzinfo=UTC)


def test_before_opening_and_after_closing_nothing_has_passed() -> None:
    opening = datetime(2015, 1, 15, 13, 0, tzinfo=UTC)
    assert add_business_hours(opening - timedelta(hours=3), 2, OFFICE, OHIO) == opening + timedelta(hours=2)
    late = datetime(2015, 1, 15, 23, 0, tzinfo=UTC)
    assert add_business_hours(late, 0, OFFICE, OHIO) == opening + timedelta(days=1)


def test_the_day_of_a_loss_is_the_day_where_the_policy_lives() -> None:
    assert local_day(datetime(2015, 1, 25, 3, 0, tzinfo=UTC), OHIO) == date(2015, 1, 24)


def test_a_time_without_a_zone_and_a_calendar_without_work_are_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        local_day(datetime(2015, 1, 25), OHIO)
    with pytest.raises(ValueError, match="no business day"):
        add_business_days(FRIDAY, 1, Calendar(weekend=(0, 1, 2, 3, 4, 5, 6)))
