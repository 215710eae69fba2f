"""What the demonstration found: counts, statuses, groups, odd rows of the data, and the verdict of `verify`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from domain.money import Money
from domain.transitions import RESTING
from workers.demo.stillness import GroupStanding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from domain.claim_record import Claim
    from workers.application import Application

ODD_ROWS: Mapping[str, str] = {
    "POL-521585": "pays 70,610.00; above an Adjuster II",
    "POL-214618": "over the limit: 100,000.00, partial",
    "POL-556415": "over the limit: 100,000.00, partial",
    "POL-186934": "over the limit: 100,000.00, partial",
    "POL-921202": "two red flags, no referral: 72,430.00",
    "POL-266247": "below the deductible; special investigation first",
    "POL-794731": "loss before inception: clerical denial",
    "POL-526039": "negative umbrella: policy quarantined, cover in review",
}
"""The rows of the auto set that are tests (its README), by policy number."""


class OddRow(msgspec.Struct, frozen=True):
    """What became of one odd row."""

    policy: str
    expected: str
    claim: str
    state: str
    outcome: str
    decision: str
    coverage: str
    codes: tuple[str, ...]
    net: str


class DemoReport(msgspec.Struct):
    """The one object that `demo --json` prints."""

    claims: int
    events: int
    events_by_type: dict[str, int]
    claims_by_status: dict[str, int]
    outcomes: dict[str, int]
    groups: dict[str, GroupStanding]
    parked_reasons: dict[str, int]
    odd_rows: list[OddRow]
    verify: dict[str, Any]
    seconds: float
    peak_megabytes: float
    resting: bool

    @property
    def ok(self) -> bool:
        """Every claim came to rest and every guarantee held."""
        return self.resting and bool(self.verify["ok"])


def odd_rows(claims: Iterable[Claim]) -> list[OddRow]:
    """The odd rows among these claims."""
    found = {claim.notice.policy_number: claim for claim in claims if claim.notice.policy_number in ODD_ROWS}
    rows: list[OddRow] = []
    for number, expected in ODD_ROWS.items():
        claim = found.get(number)
        if claim is None:
            continue
        decision = claim.decision
        rows.append(
            OddRow(
                policy=number,
                expected=expected,
                claim=claim.claim_id,
                state=claim.state.value,
                outcome=claim.closed_outcome,
                decision=decision.kind,
                coverage=claim.coverage.outcome,
                codes=tuple(dict.fromkeys((*claim.coverage.codes, *decision.reason_codes, *claim.red_flags.codes))),
                net=str(Money(claim.approved, claim.currency)),
            )
        )
    return rows


async def claims_of(app: Application, claim_ids: Sequence[str]) -> list[Claim]:
    """The claims as their snapshots have them, a thousand at a time."""
    found: list[Claim] = []
    for start in range(0, len(claim_ids), 1000):
        page = await app.claims.read(claim_ids[start : start + 1000])
        found += [claim for claim in page if claim is not None]
    return found


async def event_counts(app: Application) -> Counter[str]:
    """Events of the claim log by type."""
    counts: Counter[str] = Counter()
    keys = app.claim_keyspace
    for partition in range(keys.spec.partitions):
        async for _, fields in app.store.reads.stream(keys.log(partition)):
            counts[fields[3].decode() if fields[2] == b"eventType" else "raw"] += 1
    return counts


def statuses(claims: Iterable[Claim]) -> tuple[dict[str, int], dict[str, int], bool]:
    """Claims by state, closed ones by outcome, and whether all rest."""
    states: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    resting = True
    for claim in claims:
        states[claim.state.value] += 1
        if claim.closed_outcome:
            outcomes[claim.closed_outcome] += 1
        resting = resting and claim.state in RESTING
    return dict(sorted(states.items())), dict(sorted(outcomes.items())), resting
