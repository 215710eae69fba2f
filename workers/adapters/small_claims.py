"""Invented small clean motor claims (glass, parked car), so that a demo shows what goes straight through.

The auto set holds none: its smallest claim without an injury is 34,160 dollars. A fifth of a portfolio is the
default share (design/domain.md section 14); everything here is invented and says so.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from domain.customer import CustomerRegistered
from domain.money import Money, decimal_text
from domain.policy import Coverage, PolicyVersion
from domain.policy_events import PolicyIssued, evolve_policy
from workers.adapters.auto_row import COVERAGES, CURRENCY, NOTICE_DAYS, AutoRow
from workers.adapters.invented import Draw, channel_and_reporter, contact
from workers.submissions import Submission, SubmittedItem

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE: Final = "invented_small_claims"
SHARE_PERCENT: Final = 20
"""Default share of small clean claims in a demo's portfolio."""
_DEDUCTIBLE: Final = Money(10_000, CURRENCY)
_LIMIT: Final = Money(10_000_000, CURRENCY)
_GLASS: Final = Coverage("glass", perils=("glass",), provision="Part D: glass")
_FIRST_LOSS: Final = date(2015, 1, 1)
_LOSS_DAYS: Final = 60
INVENTED: Final = ("everything",)


def small_claims(count: int, *, seed: int = 1) -> Iterator[AutoRow]:
    """`count` claims of 250 to 1,399 dollars on policies of their own, years old, nobody injured."""
    for index in range(1, count + 1):
        yield _small_claim(index, seed)


def _small_claim(index: int, seed: int) -> AutoRow:
    number = f"S{index:06d}"
    draw = Draw(seed, number)
    coverage, peril = draw.of((("glass", "glass"), ("vehicle", "parked_car")))
    issued = _issued(number, draw)
    return AutoRow(
        line=index,
        issued=issued,
        policy=evolve_policy(None, issued),
        registered=CustomerRegistered(
            customer_id=issued.customer_id,
            registered=issued.terms.effective,
            jurisdiction=issued.jurisdiction,
        ),
        submission=_submission(number, issued, coverage, peril, draw),
        personal=msgspec.to_builtins(contact(draw)),
    )


def _issued(number: str, draw: Draw) -> PolicyIssued:
    customer_id = f"CUST-{number}"
    return PolicyIssued(
        number=f"POL-{number}",
        line="motor",
        jurisdiction=draw.of(("OH", "IL", "IN")),
        currency=CURRENCY,
        customer_id=customer_id,
        insureds=(customer_id,),
        terms=PolicyVersion(
            version=1,
            effective=_FIRST_LOSS - timedelta(days=365 + draw.below(3_650)),
            deductible=_DEDUCTIBLE,
            limit=_LIMIT,
            coverages=(*COVERAGES, _GLASS),
            notice_days=NOTICE_DAYS,
        ),
        asset="an invented car",
    )


def _submission(number: str, issued: PolicyIssued, coverage: str, peril: str, draw: Draw) -> Submission:
    loss_date = _FIRST_LOSS + timedelta(days=draw.below(_LOSS_DAYS))
    channel, reporter = channel_and_reporter(draw)
    claimed = decimal_text(Money(25_000 + draw.below(115_000), CURRENCY))
    return Submission(
        source=SOURCE,
        source_ref=number,
        channel=channel,
        reporter_role=reporter,
        policy_number=issued.number,
        line="motor",
        peril=peril,
        jurisdiction=issued.jurisdiction,
        loss_date=loss_date,
        reported_at=datetime.combine(loss_date, time(0), UTC) + timedelta(hours=8 + draw.below(72)),
        claimant_id=issued.customer_id,
        insured_id=issued.customer_id,
        items=(SubmittedItem(item_id=coverage, coverage=coverage, claimed=claimed),),
        currency=CURRENCY,
        vehicles=1,
        priority="low",
        severity="trivial",
        police_report="yes",
        property_damage="no",
        description=f"An invented small claim: {peril.replace('_', ' ')}.",
        invented=INVENTED,
    )
