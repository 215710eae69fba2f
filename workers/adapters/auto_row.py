"""One row of the auto set as a policy, a customer and a submission.

What the set does not hold is invented (`invented.py`) and listed in `Submission.invented`. Sex, education,
occupation, hobbies, relationship, capital gains and the fraud label are never read. Age, postal code and the
like go into `AutoRow.personal`, which is to be sealed; street and hour of the loss into the texts that are.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal, TypeVar

import msgspec

from domain.customer import CustomerRegistered
from domain.money import Money, decimal_text, parse_money
from domain.policy import Coverage, Policy, PolicyVersion
from domain.policy_events import PolicyIssued, evolve_policy
from workers.adapters.invented import Draw, channel_and_reporter, contact, report_delay_hours
from workers.submissions import Known, Submission, SubmittedItem

T = TypeVar("T")

SOURCE: Final = "auto_claims"
CURRENCY: Final = "USD"
WHOLE_DIGITS: Final = 9
"""Whole numbers of up to so many digits are far below the largest amount."""
NOTICE_DAYS: Final = 180
"""Notice period that the set does not state (a default of this adapter)."""

USED_COLUMNS: Final = (
    "months_as_customer",
    "age",
    "policy_number",
    "policy_bind_date",
    "policy_state",
    "policy_csl",
    "policy_deductable",
    "policy_annual_premium",
    "umbrella_limit",
    "insured_zip",
    "incident_date",
    "incident_type",
    "collision_type",
    "incident_severity",
    "authorities_contacted",
    "incident_state",
    "incident_city",
    "incident_location",
    "incident_hour_of_the_day",
    "number_of_vehicles_involved",
    "property_damage",
    "bodily_injuries",
    "witnesses",
    "police_report_available",
    "total_claim_amount",
    "injury_claim",
    "property_claim",
    "vehicle_claim",
    "auto_make",
    "auto_model",
    "auto_year",
)
"""Every column that is read. What is not here is never looked at."""

INVENTED: Final = ("reportedAt", "channel", "reporterRole", "priority")
"""Fields of a submission that the set does not hold."""

COVERAGES: Final = (
    Coverage("injury", exclusions=("racing", "war"), provision="Part A: bodily injury"),
    Coverage("property", exclusions=("racing", "war"), provision="Part B: damage to property of others"),
    Coverage("vehicle", exclusions=("racing", "war"), provision="Part D: damage to the insured vehicle"),
)
_ITEMS: Final = (("injury", "injury_claim"), ("property", "property_claim"), ("vehicle", "vehicle_claim"))
_PERILS: Final[dict[str, str]] = {
    "Multi-vehicle Collision": "multi_vehicle_collision",
    "Single Vehicle Collision": "single_vehicle_collision",
    "Vehicle Theft": "vehicle_theft",
    "Parked Car": "parked_car",
}
_SEVERITIES: Final[dict[str, Literal["trivial", "minor", "major", "total"]]] = {
    "Trivial Damage": "trivial",
    "Minor Damage": "minor",
    "Major Damage": "major",
    "Total Loss": "total",
}
_KNOWN: Final[dict[str, Known]] = {"YES": "yes", "NO": "no", "?": "unknown"}
_PRIORITIES: Final[dict[str, Literal["low", "normal", "high"]]] = {
    "trivial": "low",
    "minor": "normal",
    "major": "normal",
    "total": "high",
}


class AutoRow(msgspec.Struct, frozen=True):
    """One row: its events, its policy, its submission, and what must be sealed before it is stored.

    `line` is the line in the file, from 2. `personal`: attributes of the customer, all of them personal data.
    """

    line: int
    issued: PolicyIssued
    policy: Policy
    registered: CustomerRegistered
    submission: Submission
    personal: dict[str, str]


def auto_row(line: int, row: dict[str, str], seed: int, copy: int) -> AutoRow:
    """The row's cells by column; raises `ValueError` that names the column for a cell that cannot be used."""
    number = str(_whole(row, "policy_number")) + (f"-{copy}" if copy > 1 else "")
    draw = Draw(seed, number)
    issued = _issued(row, number)
    personal = {
        "zip": row["insured_zip"],
        "age": row["age"],
        "monthsAsCustomer": row["months_as_customer"],
        **msgspec.to_builtins(contact(draw)),
    }
    return AutoRow(
        line=line,
        issued=issued,
        policy=evolve_policy(None, issued),
        registered=CustomerRegistered(
            customer_id=issued.customer_id,
            registered=issued.terms.effective,
            jurisdiction=issued.jurisdiction,
        ),
        submission=_submission(row, number, issued, draw),
        personal=personal,
    )


def _issued(row: dict[str, str], number: str) -> PolicyIssued:
    """Bound once and renewed yearly: one version without an end."""
    umbrella = _dollars(row, "umbrella_limit", allow_negative=True)
    customer_id = f"CUST-{number}"
    return PolicyIssued(
        number=f"POL-{number}",
        line="motor",
        jurisdiction=row["policy_state"],
        currency=CURRENCY,
        customer_id=customer_id,
        insureds=(customer_id,),
        terms=PolicyVersion(
            version=1,
            effective=_day(row, "policy_bind_date"),
            deductible=_dollars(row, "policy_deductable"),
            limit=_limit(row, umbrella),
            coverages=COVERAGES,
            premium=_dollars(row, "policy_annual_premium"),
            notice_days=NOTICE_DAYS,
        ),
        asset=f"{row['auto_make']} {row['auto_model']} {row['auto_year']}",
        quarantine=f"the umbrella limit is below zero: {umbrella}" if umbrella.minor < 0 else None,
    )


def _limit(row: dict[str, str], umbrella: Money) -> Money:
    """The first figure of `100/300` (thousands) for the whole claim, and a positive umbrella on top."""
    first = row["policy_csl"].partition("/")[0]
    if not first.isdecimal():
        raise ValueError(f"policy_csl: {row['policy_csl']!r} is not written like 100/300")
    return Money(int(first) * 100_000 + max(umbrella.minor, 0), CURRENCY)


def _submission(row: dict[str, str], number: str, issued: PolicyIssued, draw: Draw) -> Submission:
    loss_date = _day(row, "incident_date")
    severity = _one_of(row, "incident_severity", _SEVERITIES)
    channel, reporter = channel_and_reporter(draw)
    return Submission(
        source=SOURCE,
        source_ref=number,
        channel=channel,
        reporter_role=reporter,
        policy_number=issued.number,
        line="motor",
        peril=_one_of(row, "incident_type", _PERILS),
        jurisdiction=issued.jurisdiction,
        loss_date=loss_date,
        reported_at=_reported(loss_date, report_delay_hours(draw)),
        claimant_id=issued.customer_id,
        insured_id=issued.customer_id,
        items=_items(row),
        currency=CURRENCY,
        injured_count=_whole(row, "bodily_injuries"),
        vehicles=_whole(row, "number_of_vehicles_involved"),
        priority=_PRIORITIES[severity],
        severity=severity,
        police_report=_one_of(row, "police_report_available", _KNOWN),
        property_damage=_one_of(row, "property_damage", _KNOWN),
        description=_description(row),
        loss_location=f"{row['incident_location']}, {row['incident_city']}, {row['incident_state']}",
        invented=INVENTED,
    )


def _reported(loss_date: date, delay_hours: int) -> datetime:
    """The instant of the report; the hour of the loss is personal and is not used."""
    return datetime.combine(loss_date, time(0), UTC) + timedelta(hours=delay_hours)


def _items(row: dict[str, str]) -> tuple[SubmittedItem, ...]:
    """The items above zero; together they must be the total of the row."""
    amounts = [(coverage, _dollars(row, column)) for coverage, column in _ITEMS]
    asked, stated = sum(amount.minor for _, amount in amounts), _dollars(row, "total_claim_amount")
    if asked != stated.minor:
        raise ValueError(f"total_claim_amount: {stated} is not the sum of the items ({Money(asked, CURRENCY)})")
    if asked == 0:
        raise ValueError("total_claim_amount: nothing is claimed")
    return tuple(
        SubmittedItem(item_id=coverage, coverage=coverage, claimed=decimal_text(amount))
        for coverage, amount in amounts
        if amount.minor
    )


def _description(row: dict[str, str]) -> str:
    """What happened in the words of the row; personal (it holds the hour), so it is sealed with the claim."""
    collision = "" if row["collision_type"] == "?" else f", {row['collision_type'].lower()}"
    severity, hour = row["incident_severity"].lower(), row["incident_hour_of_the_day"]
    return (
        f"{row['incident_type']}{collision}, {severity}, at {hour} h. "
        f"Authorities contacted: {row['authorities_contacted']}. Witnesses: {row['witnesses']}."
    )


def _day(row: dict[str, str], column: str) -> date:
    month, _, rest = row[column].partition("/")
    day, _, year = rest.partition("/")
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        raise ValueError(f"{column}: {row[column]!r} is no day written as month/day/year") from None


def _dollars(row: dict[str, str], column: str, *, allow_negative: bool = False) -> Money:
    cell = row[column]
    if len(cell) <= WHOLE_DIGITS and cell.isascii() and cell.isdecimal():
        return Money(int(cell) * 100, CURRENCY)  # as the set writes them: a fourth of the time of the long way
    try:
        return parse_money(row[column], CURRENCY, allow_negative=allow_negative)
    except ValueError as error:
        raise ValueError(f"{column}: {error}") from None


def _whole(row: dict[str, str], column: str) -> int:
    if not (row[column].isdecimal() and len(row[column]) <= 9):
        raise ValueError(f"{column}: {row[column]!r} is no whole number")
    return int(row[column])


def _one_of(row: dict[str, str], column: str, words: dict[str, T]) -> T:
    try:
        return words[row[column]]
    except KeyError:
        raise ValueError(f"{column}: {row[column]!r} is none of {', '.join(words)}") from None
