"""Factories for claims: policies, rosters, contexts and a driver that plays commands, saying only what
matters.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from domain.bodies.base import SYSTEM, TIMEKEEPER, Actor
from domain.claim import Claim, evolve
from domain.commands import Command, SubmitClaim
from domain.context import Context, Payee
from domain.coverage import ClaimedItem
from domain.deciding import decide
from domain.events import Fact
from domain.money import Money
from domain.outcome import Accepted, Refused
from domain.policy import Coverage, Policy, PolicyVersion
from domain.process import advance
from domain.roster import Adjuster, Roster

if TYPE_CHECKING:
    from domain.transitions import State

NOW = datetime(2025, 2, 10, 9, 0, tzinfo=UTC)
LOSS = date(2025, 2, 1)

CLAIMANT = Actor(id="CUST-1", role="claimant")
ADJUSTER = Actor(id="ADJ-I", role="adjuster_i")
ADJUSTER_II = Actor(id="ADJ-II", role="adjuster_ii")
SENIOR = Actor(id="ADJ-SENIOR", role="senior_adjuster")
MANAGER = Actor(id="MGR-1", role="claims_manager")
SUPERVISOR = Actor(id="SUP-1", role="supervisor")
REVIEWER = Actor(id="REV-1", role="appeal_reviewer")
SIU = Actor(id="SIU-1", role="siu")
BANK = Actor(id="BANK", role="bank")
RECOVERY = Actor(id="REC-1", role="recovery")

PAYEE = Payee(payee_id="CUST-1", verified=True, sanctions_clear=True)


def usd(major: int) -> Money:
    return Money(major * 100, "USD")


def policy(**changes: Any) -> Policy:
    version = PolicyVersion(
        version=changes.pop("version", 1),
        effective=changes.pop("effective", date(2020, 1, 1)),
        deductible=changes.pop("deductible", usd(1000)),
        limit=changes.pop("limit", usd(250_000)),
        coverages=changes.pop(
            "coverages", tuple(Coverage(code=code) for code in ("injury", "property", "vehicle", "glass"))
        ),
        end=changes.pop("end", None),
    )
    known: dict[str, Any] = {
        "number": "POL-1",
        "line": "motor",
        "jurisdiction": "OH",
        "currency": "USD",
        "customer_id": "CUST-1",
        "insureds": ("CUST-1",),
        "versions": (version,),
    }
    return Policy(**(known | changes))


def adjuster(name: str, **changes: Any) -> Adjuster:
    known: dict[str, Any] = {
        "adjuster_id": name,
        "jurisdictions": frozenset(("OH", "TX")),
        "lines": frozenset(("motor", "property", "health")),
        "skill": "SPECIALIST",
        "capacity": 40,
    }
    return Adjuster(**(known | changes))


def roster(*adjusters: Adjuster, version: int = 7) -> Roster:
    return Roster(version, adjusters or (adjuster("ADJ-001", load=4), adjuster("ADJ-002", load=8)))


def notice(**changes: Any) -> SubmitClaim:
    claimed = changes.pop("claimed", usd(20_000))
    known: dict[str, Any] = {
        "claim_id": "CLM-TEST0001",
        "source": "portal",
        "source_ref": "1",
        "channel": "web",
        "reporter_role": "claimant",
        "policy_number": "POL-1",
        "line": "motor",
        "peril": "single_vehicle_collision",
        "jurisdiction": "OH",
        "loss_date": LOSS,
        "reported_at": NOW - timedelta(hours=1),
        "claimant_id": "CUST-1",
        "items": (ClaimedItem("vehicle", "vehicle", claimed),),
        "severity": "major",
    }
    return SubmitClaim(**(known | changes))


def context(**changes: Any) -> Context:
    known: dict[str, Any] = {"now": NOW, "policy": policy(), "roster": roster(), "payee": PAYEE, "lookups": 2}
    return Context(**(known | changes))


class Story:
    """One claim and its facts: commands are decided, the process manager follows, time passes."""

    def __init__(self, **world: Any) -> None:
        self.world = context(**world)
        self.claim: Claim | None = None
        self.facts: list[Fact] = []
        self.answers: list[Accepted | Refused] = []

    @property
    def now_claim(self) -> Claim:
        assert self.claim is not None
        return self.claim

    def state(self) -> State:
        return self.now_claim.state

    @property
    def types(self) -> list[str]:
        return [fact.type.removeprefix("claim.") for fact in self.facts]

    def wait(self, **span: float) -> Story:
        self.world = replace(self.world, now=self.world.now + timedelta(**span))
        return self

    def set(self, **changes: Any) -> Story:
        self.world = replace(self.world, **changes)
        return self

    def try_(self, command: Command, actor: Actor = SYSTEM) -> Accepted | Refused:
        """Decide; an accepted command becomes facts, which are replayed one by one."""
        answer = decide(self.claim, command, replace(self.world, actor=actor))
        self.answers.append(answer)
        if isinstance(answer, Accepted):
            self._append(answer)
        return answer

    def refused(self, command: Command, actor: Actor = SYSTEM) -> Refused:
        before = len(self.facts)
        answer = self.try_(command, actor)
        assert isinstance(answer, Refused), f"accepted: {[fact.type for fact in self.facts[before:]]}"
        return answer

    def do(self, command: Command, actor: Actor = SYSTEM) -> Story:
        """Decide (it must be accepted), then let the process manager follow."""
        answer = self.try_(command, actor)
        assert isinstance(answer, Accepted), str(answer)
        return self.follow()

    def only(self, command: Command, actor: Actor = SYSTEM) -> Story:
        """Decide (it must be accepted) and nothing more."""
        answer = self.try_(command, actor)
        assert isinstance(answer, Accepted), str(answer)
        return self

    def follow(self) -> Story:
        assert self.claim is not None
        self._append(advance(self.claim, self.world))
        assert advance(self.claim, self.world).facts == (), "the process manager is not idempotent"
        return self

    def submit(self, **changes: Any) -> Story:
        return self.do(notice(**changes), CLAIMANT)

    def fire(self, timer_id: str) -> Accepted | Refused:
        from domain.commands import FireTimer
        from domain.decisions.timers import parse_timer

        clock, cycle, mark = parse_timer(timer_id)
        return self.try_(FireTimer(clock=clock, cycle=cycle, mark=mark), TIMEKEEPER)

    def _append(self, answer: Accepted) -> None:
        claim = self.claim
        for new in answer.facts:
            sequence = claim.version + 1 if claim is not None else 1
            claim_id = claim.claim_id if claim is not None else answer.claim.claim_id
            fact = Fact(new.type, claim_id, new.at, sequence, new.actor, new.body)
            claim = evolve(claim, fact)
            self.facts.append(fact)
        assert claim == answer.claim or not answer.facts
        self.claim = claim
