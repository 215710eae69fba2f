"""Days are those of the place where the policy lives, wherever the process runs that decides."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.calendar import local_day
from domain.commands import SubmitClaim
from domain.requests import Raw, Wish, read_request
from domain.sla_profiles import ROWS
from tests.support.claims import Story, policy
from workers.zones import ZONE_NAMES, zone_of

PLACES = st.sampled_from(sorted(ZONE_NAMES))
DAYS = st.dates(date(2024, 1, 2), date(2026, 12, 30))
WORKERS = Path(__file__).parents[2] / "workers"


def reported(instant: datetime, jurisdiction: str) -> SubmitClaim:
    """The notice that a foreign producer's instant of the loss becomes."""
    data = {
        "policyId": "POL-1", "customerId": "CUST-1", "amount": 5, "description": "x", "type": "auto",
        "incidentDate": instant.astimezone(UTC).isoformat(),
    }  # fmt: skip
    at = (instant + timedelta(days=2)).astimezone(UTC).isoformat()
    raw = Raw("claim.submitted", "CLM-1A2B3C4D", "e1", at, json.dumps(data))
    wish = read_request(raw, jurisdiction=jurisdiction, zone=zone_of(jurisdiction))
    assert isinstance(wish, Wish) and isinstance(wish.command, SubmitClaim)
    return wish.command


def failures(loss: date, end: date) -> tuple[str, ...]:
    """What the check of cover says of a loss under a policy that holds until `end`, exclusive."""
    terms = policy(effective=end - timedelta(days=400), end=end)
    told = datetime.combine(loss + timedelta(days=2), time(12), UTC)
    story = Story(policy=terms, now=told).submit(loss_date=loss, reported_at=told).follow()
    return story.now_claim.coverage.codes


@settings(max_examples=60, deadline=None)
@given(PLACES, DAYS)
def test_a_loss_late_in_the_evening_of_the_last_day_of_cover_is_covered_and_one_an_hour_later_is_not(
    place: str, last: date
) -> None:
    late = datetime.combine(last, time(23, 30), zone_of(place))
    end = last + timedelta(days=1)
    in_time = reported(late, place).loss_date
    too_late = reported((late.astimezone(UTC) + timedelta(hours=1)).astimezone(zone_of(place)), place).loss_date
    assert (in_time, too_late) == (last, end)
    assert "LOSS_AFTER_EXPIRY" not in failures(in_time, end)
    assert "LOSS_AFTER_EXPIRY" in failures(too_late, end)


@settings(max_examples=60, deadline=None)
@given(PLACES, st.datetimes(datetime(2024, 1, 2), datetime(2026, 12, 1), timezones=st.just(UTC)))
def test_a_deadline_in_days_ends_at_midnight_where_the_policy_lives(place: str, told: datetime) -> None:
    zone = zone_of(place)
    story = Story(policy=policy(effective=date(2020, 1, 1), jurisdiction=place), now=told, zone=zone)
    story.submit(jurisdiction=place, loss_date=local_day(told, zone), reported_at=told)
    clock = story.now_claim.clocks["INTERNAL.acknowledge"]
    assert clock.due.astimezone(zone).time() == time(0)
    assert clock.due > told


def test_a_day_that_a_program_writes_as_midnight_in_utc_stays_that_day() -> None:
    assert reported(datetime(2025, 1, 15, tzinfo=UTC), "OH").loss_date == date(2025, 1, 15)


def test_a_loss_day_in_utc_is_no_day_of_the_future_in_the_evening_of_a_western_zone() -> None:
    told = datetime(2025, 1, 16, 2, 30, tzinfo=UTC)  # 21:30 on the 15th in Ohio
    story = Story(now=told, zone=zone_of("OH")).submit(loss_date=date(2025, 1, 16), reported_at=told)
    assert story.now_claim.notice.loss_date == date(2025, 1, 16)


def test_every_place_with_a_law_of_its_own_has_a_zone_and_an_unknown_one_has_utc() -> None:
    places = {row.jurisdiction for row in ROWS} - {"*", "INTERNAL"}
    assert {place for place in places if zone_of(place) is UTC} == set()
    assert zone_of("US") is UTC and zone_of("nowhere") is UTC and zone_of("../../etc/passwd") is UTC


@pytest.mark.parametrize("machine", ["Asia/Tokyo", "Pacific/Honolulu"])
def test_the_zone_of_the_machine_and_its_zone_data_change_no_clock(machine: str) -> None:
    program = (
        "from tests.support.claims import Story; from workers.zones import zone_of;"
        "s = Story(zone=zone_of('OH')).submit().follow();"
        "print(sorted((k, c.due.isoformat()) for k, c in s.now_claim.clocks.items()))"
    )
    there = os.environ | {"TZ": machine, "PYTHONTZPATH": ""}
    done = subprocess.run([sys.executable, "-c", program], env=there, capture_output=True, text=True, check=True)
    here = Story(zone=zone_of("OH")).submit().follow().now_claim.clocks
    assert done.stdout.strip() == str(sorted((key, clock.due.isoformat()) for key, clock in here.items()))


def test_every_decision_in_workers_is_given_the_zone_of_its_policy() -> None:
    calls = [
        (path.name, call.lineno, {word.arg for word in call.keywords})
        for path in WORKERS.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Context"
    ]
    assert len(calls) >= 8
    assert [call for call in calls if "zone" not in call[2]] == []
