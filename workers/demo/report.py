"""What the demonstration found: counts, statuses, groups, odd rows of the data, and the verdict of `verify`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from domain.money import Money
from domain.transitions import RESTING
from workers.demo.stillness import GroupStanding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from domain.claim_record import Claim
    from workers.application import Application

ODD_ROWS: Mapping[str, str] = {
    "POL-521585": "claimed 71,610, deductible 1,000: more than an Adjuster II may approve",
    "POL-214618": "claimed 114,920, limit 100,000",
    "POL-556415": "claimed 108,030, limit 100,000",
    "POL-186934": "claimed 108,480, limit 100,000",
    "POL-921202": "policy 22 days old, total loss without a police report",
    "POL-266247": "claimed 100, deductible 2,000; policy 6 days old, injury with trivial damage",
    "POL-794731": "bound on 2015-02-22, loss on 2015-02-02",
    "POL-526039": "umbrella limit of -1,000,000",
}
"""The rows of the auto set that are tests (its README), by policy number."""


PAGE = 200
"""Claims that are read together."""


class OddRow(msgspec.Struct, frozen=True):
    """What became of one odd row. `holds`: what is odd about it; `why`: how it came to this end, in words."""

    policy: str
    holds: str
    why: str
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


class Tally:
    """Claims by state, closed ones by outcome, the odd rows among them; a claim is looked at and let go."""

    def __init__(self) -> None:
        """No claim was looked at."""
        self.claims = 0
        self.resting = True
        self._states: Counter[str] = Counter()
        self._outcomes: Counter[str] = Counter()
        self._odd: dict[str, OddRow] = {}

    def add(self, claim: Claim) -> None:
        """Look at one claim."""
        self.claims += 1
        self.resting = self.resting and claim.state in RESTING
        self._states[claim.state.value] += 1
        if claim.closed_outcome:
            self._outcomes[claim.closed_outcome] += 1
        if claim.notice.policy_number in ODD_ROWS:
            self._odd[claim.notice.policy_number] = _odd_row(claim)

    @property
    def states(self) -> dict[str, int]:
        """Claims by state."""
        return dict(sorted(self._states.items()))

    @property
    def outcomes(self) -> dict[str, int]:
        """Closed claims by outcome."""
        return dict(sorted(self._outcomes.items()))

    @property
    def odd_rows(self) -> list[OddRow]:
        """The odd rows, in the order of the table."""
        return [self._odd[number] for number in ODD_ROWS if number in self._odd]


def _odd_row(claim: Claim) -> OddRow:
    number, decision = claim.notice.policy_number, claim.decision
    return OddRow(
        policy=number,
        holds=ODD_ROWS[number],
        why=_why(claim),
        claim=claim.claim_id,
        state=claim.state.value,
        outcome=claim.closed_outcome,
        decision=decision.kind,
        coverage=claim.coverage.outcome,
        codes=tuple(dict.fromkeys((*claim.coverage.codes, *decision.reason_codes, *claim.red_flags.codes))),
        net=str(Money(claim.approved, claim.currency)),
    )


def _why(claim: Claim) -> str:
    """How the claim came to its end: cover, suspicion, who decided, on what grounds."""
    decision, flags = claim.decision, claim.red_flags
    steps: list[str] = []
    if flags.codes:
        steps.append(f"red flags {flags.score} ({', '.join(flags.codes)})")
        referred = claim.siu.status != "none"
        steps.append(f"special investigation: {claim.siu.status}" if referred else "no referral below 50")
    if claim.coverage.outcome != "pass":
        codes = f" ({', '.join(claim.coverage.codes)})" if claim.coverage.codes else ", the policy is in quarantine"
        steps.append(f"coverage {claim.coverage.outcome}{codes}")
    steps.append(_decided(claim))
    said = (*claim.coverage.codes, *flags.codes)
    steps += [code for code in decision.reason_codes if code not in said]
    return "; ".join(steps)


def _decided(claim: Claim) -> str:
    decision = claim.decision
    what = {"full": "approved", "partial": "approved in part", "denied": "denied"}.get(decision.kind, "not decided")
    proposed = f", proposed by {decision.proposer_id}" if decision.proposer_id not in ("", decision.decider_id) else ""
    by = "the rules, clerical" if decision.decider_id in ("", "clerical") else decision.decider_id
    return f"{what} by {by}{proposed}"


async def tally_of(app: Application, claim_ids: Sequence[str]) -> Tally:
    """The claims as their snapshots have them, some at a time."""
    tally = Tally()
    for start in range(0, len(claim_ids), PAGE):
        for claim in await app.claims.read(claim_ids[start : start + PAGE]):
            if claim is not None:
                tally.add(claim)
    return tally


async def event_counts(app: Application) -> Counter[str]:
    """Events of the claim log by type."""
    counts: Counter[str] = Counter()
    keys = app.claim_keyspace
    for partition in range(keys.spec.partitions):
        async for _, fields in app.store.reads.stream(keys.log(partition)):
            counts[fields[3].decode() if fields[2] == b"eventType" else "raw"] += 1
    return counts
