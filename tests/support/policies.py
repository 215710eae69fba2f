"""Policies for tests: a motor policy as the auto set has them, saying only what a test cares about."""

from __future__ import annotations

from datetime import date

from domain.coverage import ClaimedItem, LossFacts
from domain.money import Money
from domain.policy import Coverage, Interruption, Policy, PolicyVersion

LOSS_DAY = date(2015, 1, 25)
AUTO_COVERAGES = (Coverage("injury"), Coverage("property"), Coverage("vehicle"))


def usd(dollars: int) -> Money:
    """Whole dollars."""
    return Money(dollars * 100, "USD")


def terms(
    *,
    deductible: int = 1_000,
    limit: int = 250_000,
    effective: date = date(2014, 10, 17),
    end: date | None = None,
    version: int = 1,
    coverages: tuple[Coverage, ...] = AUTO_COVERAGES,
    deductible_first: bool = True,
    notice_days: int | None = None,
) -> PolicyVersion:
    """One version; amounts in whole dollars."""
    return PolicyVersion(
        version=version,
        effective=effective,
        end=end,
        deductible=usd(deductible),
        limit=usd(limit),
        coverages=coverages,
        deductible_first=deductible_first,
        notice_days=notice_days,
    )


def policy(
    *versions: PolicyVersion,
    interruptions: tuple[Interruption, ...] = (),
    quarantine: str | None = None,
    line: str = "motor",
) -> Policy:
    """A policy of CUST-1 with the given versions, one plain version when none is given."""
    return Policy(
        number="POL-521585",
        line=line,
        jurisdiction="OH",
        currency="USD",
        customer_id="CUST-1",
        insureds=("CUST-1",),
        versions=versions or (terms(),),
        interruptions=interruptions,
        quarantine=quarantine,
    )


def claimed(**dollars: int) -> tuple[ClaimedItem, ...]:
    """Items by coverage code, e.g. `claimed(injury=6_510, vehicle=52_080)`."""
    return tuple(ClaimedItem(code, code, usd(amount)) for code, amount in dollars.items())


def loss(
    items: tuple[ClaimedItem, ...] | None = None,
    *,
    loss_day: date = LOSS_DAY,
    reported_day: date | None = None,
    peril: str = "single_vehicle_collision",
    claimant_id: str = "CUST-1",
    duplicate_score: int = 0,
    other_insurance: bool = False,
    limit_used: int = 0,
) -> LossFacts:
    """A loss of CUST-1 inside the plain policy's span."""
    return LossFacts(
        loss_day=loss_day,
        reported_day=reported_day or loss_day,
        peril=peril,
        claimant_id=claimant_id,
        items=items if items is not None else claimed(vehicle=10_000),
        duplicate_score=duplicate_score,
        other_insurance=other_insurance,
        limit_used=limit_used,
    )
