"""The policies and customers that the lab's own examples name (POL-001 of CUST-001 ...): invented.

They have no deductible, so that an amount that is claimed can be approved as it is; their cover began long
ago.
"""

from __future__ import annotations

from datetime import date
from typing import Final

import msgspec

from domain.customer import CustomerRegistered
from domain.money import Money
from domain.policy import Coverage, PolicyVersion
from domain.policy_events import PolicyIssued

LIMIT: Final = Money(10_000_000, "USD")
SINCE: Final = date(2015, 1, 1)

_COVERAGES: Final[tuple[tuple[str, tuple[Coverage, ...]], ...]] = (
    ("motor", (Coverage("vehicle"), Coverage("injury"), Coverage("property"))),
    ("property", (Coverage("property"),)),
    ("life", (Coverage("life"),)),
)
LAB_POLICIES: Final = 600
"""Every third is of one line: POL-001 motor, POL-002 property, POL-003 life, and so on."""


class LabRecord(msgspec.Struct, frozen=True):
    """A customer with a policy."""

    registered: CustomerRegistered
    issued: PolicyIssued


def lab_records(count: int = LAB_POLICIES) -> list[LabRecord]:
    """The first records, the same ones every time."""
    return [_record(number) for number in range(1, count + 1)]


def _record(number: int) -> LabRecord:
    line, coverages = _COVERAGES[(number - 1) % len(_COVERAGES)]
    customer_id = f"CUST-{number:03d}"
    terms = PolicyVersion(version=1, effective=SINCE, deductible=Money(0, "USD"), limit=LIMIT, coverages=coverages)
    return LabRecord(
        CustomerRegistered(customer_id=customer_id, registered=SINCE, jurisdiction="OH"),
        PolicyIssued(
            number=f"POL-{number:03d}",
            line=line,
            jurisdiction="OH",
            currency="USD",
            customer_id=customer_id,
            insureds=(customer_id,),
            terms=terms,
            asset="an invented thing",
        ),
    )
