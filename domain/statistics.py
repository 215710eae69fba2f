"""Counting as a mergeable fold: each fact gives a `Delta`, deltas add, and the sum is the same for every
split into batches.

From the fact alone (event time, body, derived keys), in integers, so that a replay gives the same figures.
A `View` is a key of source-systems.md B5 cut at its colons; `":".join(view)` is its plain name. What a
reader wants as a decimal (averages, major units) is rendered from sums: `average_hours`, `major_text`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from domain.bodies import deciding, ending, handling, intake, paying
from domain.money import Money, decimal_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from domain.events import Fact

View = tuple[str, ...]


class Delta(msgspec.Struct):
    """Changes of views. `counts`: hash field += n. `scores`: sorted set member += n. `points`: sorted set
    member at a score (decimal text). `members`: in a list or set, or out of it; the later fact wins.
    """

    counts: dict[tuple[View, str], int] = {}
    scores: dict[tuple[View, str], int] = {}
    points: dict[tuple[View, str], str] = {}
    members: dict[tuple[View, str], bool] = {}

    def count(self, view: View, field: str, by: int = 1) -> None:
        """Add to a field of a hash."""
        key = (view, field)
        self.counts[key] = self.counts.get(key, 0) + by

    def score(self, view: View, member: str, by: int = 1) -> None:
        """Add to the score of a member."""
        key = (view, member)
        self.scores[key] = self.scores.get(key, 0) + by

    def add(self, other: Delta) -> Delta:
        """This delta and a later one, in this one."""
        for key, by in other.counts.items():
            self.counts[key] = self.counts.get(key, 0) + by
        for key, by in other.scores.items():
            self.scores[key] = self.scores.get(key, 0) + by
        self.points.update(other.points)
        self.members.update(other.members)
        return self


def delta(fact: Fact) -> Delta:
    """What one fact changes."""
    found = Delta()
    fold_into(found, fact)
    return found


def fold(facts: Iterable[Fact]) -> Delta:
    """What these facts change, in order."""
    found = Delta()
    for fact in facts:
        fold_into(found, fact)
    return found


def fold_into(found: Delta, fact: Fact) -> None:
    """Add one fact to a delta; the cheap way for a batch."""
    body, event, at = fact.body, fact.type, fact.at
    day, hour = at.strftime("%Y-%m-%d"), str(at.hour)
    kind = body.type or "other"
    action = event.removeprefix("claim.")
    found.count(("analytics", "hourly", day), event)
    found.count(("analytics", "hourly", day, hour), event)
    found.count(("analytics", "minute", f"{day}T{at.hour:02d}:{at.minute:02d}"), event)
    found.count(("analytics", "daily", day), f"{kind}:{event}")
    found.count(("metrics", "daily", day), f"claims:{action}")
    found.count(("metrics", "daily", day), f"claims:{kind}:{action}")
    found.count(("metrics", "hourly", day, hour), f"claims:{action}")
    if body.status or body.status_before:
        _status(found, body.status_before, body.status)
    amount = AMOUNTS.get(type(body))
    if amount is not None:
        _amount(found, day, kind, event, amount(body))
    for change in body.clocks:
        if change.op == "start":
            found.count(("kpi", "sla", day), f"started:{change.clock}")
    special = SPECIAL.get(type(body))
    if special is not None:
        special(found, fact, body, day)


AMOUNTS: dict[type, Callable[[Any], Money]] = {
    intake.ClaimSubmitted: lambda body: body.claimed,
    deciding.ClaimApproved: lambda body: body.approved_net,
    paying.PaymentInitiated: lambda body: body.amount,
    paying.PaymentCompleted: lambda body: body.amount,
    paying.PaymentFailed: lambda body: body.amount,
    paying.PaymentReversed: lambda body: body.amount,
    paying.InterestAdded: lambda body: body.amount,
    paying.RecoveryRecorded: lambda body: body.amount,
}
"""The one amount of a fact that is summed by event type: claimed, approved and paid are never mixed."""

BUCKETS = (
    (1_000, "0-1000"),
    (5_000, "1001-5000"),
    (10_000, "5001-10000"),
    (25_000, "10001-25000"),
    (50_000, "25001-50000"),
)
"""Upper bound in whole major units, inclusive -> name of the bucket of a claimed amount."""


def bucket(amount: Money) -> str:
    """The bucket of a claimed amount: up to 1000, then above it, to the cent."""
    major, rest = (part for part in divmod(amount.minor, 10 ** len(decimal_text(amount).partition(".")[2])))
    whole = major + (1 if rest else 0)
    for most, name in BUCKETS:
        if whole <= most:
            return name
    return "50000+"


def average_hours(seconds: int, count: int) -> str:
    """The mean of a sum of seconds, in hours with two places, half up; `0.00` for none."""
    hundredths = (2 * seconds + 36 * count) // (72 * count) if count else 0
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def major_text(minor: int, currency: str) -> str:
    """A sum in minor units as decimal text in major units."""
    return decimal_text(Money(minor, currency))


def _status(found: Delta, before: str, after: str) -> None:
    view = ("analytics", "status")
    if before:
        found.count(view, before, -1)
    if after:
        found.count(view, after)


def _amount(found: Delta, day: str, kind: str, event: str, amount: Money) -> None:
    view = ("analytics", "amounts", day)
    found.count(view, f"{event}:minor:{amount.currency}", amount.minor)
    found.count(view, f"{kind}:{event}:minor:{amount.currency}", amount.minor)


def _submitted(found: Delta, fact: Fact, body: intake.ClaimSubmitted, day: str) -> None:
    found.count(("analytics", "amounts", "distribution", day), bucket(body.claimed))
    found.score(("leaderboard", "claim_types"), body.type)
    found.count(("kpi", "daily", day), f"new:{body.line}")
    seconds = max(int((body.reported_at.date() - body.loss_date).days), 0) * 86_400
    _cycle(found, day, "loss_reported", seconds)


def _assigned(found: Delta, fact: Fact, body: handling.ClaimAssigned | handling.ClaimReassigned, day: str) -> None:
    if isinstance(body, handling.ClaimReassigned):
        found.count(("kpi", "daily", day), "reassigned")
        if body.previous_adjuster_id:
            found.members[("adjuster", body.previous_adjuster_id, "workload"), fact.claim_id] = False
    found.members[("adjuster", body.adjuster_id, "workload"), fact.claim_id] = True
    found.members[("queue", "assigned", "claims"), fact.claim_id] = True


def _approved(found: Delta, fact: Fact, body: deciding.ClaimApproved, day: str) -> None:
    found.count(("kpi", "daily", day), f"decided:{body.decision}")
    if body.straight_through:
        found.count(("kpi", "daily", day), "straight_through")
    if body.assigned_to:
        board = ("leaderboard", "adjusters", "approved_amount")
        found.score(board, body.assigned_to, body.approved_net.minor)
    _decided(found, fact, body.processing_seconds, day)
    found.members[("queue", "payment", "pending"), fact.claim_id] = True


def _rejected(found: Delta, fact: Fact, body: deciding.ClaimRejected, day: str) -> None:
    found.count(("kpi", "daily", day), "decided:denied")
    for code in body.reason_codes:
        found.count(("kpi", "daily", day), f"denied:{code}")
    _decided(found, fact, body.processing_seconds, day)


def _decided(found: Delta, fact: Fact, seconds: int, day: str) -> None:
    """Processing time: from submission to the decision."""
    found.points[("analytics", "processing_times", day), fact.claim_id] = average_hours(seconds, 1)
    view = ("analytics", "processing", day)
    found.count(view, "seconds", seconds)
    found.count(view, "count")
    _cycle(found, day, "submitted_decided", seconds)
    found.members[("queue", "assigned", "claims"), fact.claim_id] = False


def _cycle(found: Delta, day: str, name: str, seconds: int) -> None:
    """Sum, count and an exact histogram in whole hours, so that median and p90 are those of all the facts."""
    view = ("kpi", "cycle", name, day)
    found.count(view, "seconds", seconds)
    found.count(view, "count")
    found.count(view, f"h:{seconds // 3600}")


def _completed(found: Delta, fact: Fact, body: paying.PaymentCompleted, day: str) -> None:
    if body.late:
        found.count(("kpi", "daily", day), "paid_late")
    if body.balance.minor == 0:
        found.members[("queue", "payment", "pending"), fact.claim_id] = False
        if body.approved_at is not None:
            _cycle(found, day, "approved_paid", max(int((fact.at - body.approved_at).total_seconds()), 0))


def _payment_failed(found: Delta, fact: Fact, body: paying.PaymentFailed, day: str) -> None:
    found.count(("kpi", "daily", day), f"payment_failed:{body.reason}")


def _ended(found: Delta, fact: Fact, body: Any, day: str) -> None:
    """Closed, withdrawn or a duplicate: nobody works on it any more."""
    found.count(("kpi", "daily", day), f"closed:{body.outcome}")
    if body.assigned_to:
        found.score(("leaderboard", "adjusters", "resolved"), body.assigned_to)
        found.members[("adjuster", body.assigned_to, "workload"), fact.claim_id] = False
    found.members[("queue", "assigned", "claims"), fact.claim_id] = False
    found.members[("queue", "payment", "pending"), fact.claim_id] = False
    found.members[("queue", "claims", "closed"), fact.claim_id] = True
    if body.submitted_at is not None:
        _cycle(found, day, "submitted_closed", max(int((fact.at - body.submitted_at).total_seconds()), 0))


def _open_again(found: Delta, fact: Fact, body: Any, day: str) -> None:
    """Reopened, appealed or paid back: it is work again for who had it."""
    found.members[("queue", "claims", "closed"), fact.claim_id] = False
    if isinstance(body, ending.ClaimReopened):
        found.count(("kpi", "daily", day), "reopened")
        if body.previous_adjuster_id:
            found.members[("adjuster", body.previous_adjuster_id, "workload"), fact.claim_id] = False
    elif body.assigned_to:
        found.members[("adjuster", body.assigned_to, "workload"), fact.claim_id] = True
    if isinstance(body, paying.PaymentReversed):
        found.count(("kpi", "daily", day), "payment_reversed")
        found.members[("queue", "payment", "pending"), fact.claim_id] = True


def _rescinded(found: Delta, fact: Fact, body: deciding.DecisionRescinded, day: str) -> None:
    found.members[("queue", "payment", "pending"), fact.claim_id] = False


def _breached(found: Delta, fact: Fact, body: ending.SlaBreached, day: str) -> None:
    found.count(("kpi", "sla", day), f"breached:{body.clock}")
    found.count(("kpi", "sla", day), f"breached:{body.jurisdiction}:{body.clock}")


def _siu(found: Delta, fact: Fact, body: Any, day: str) -> None:
    what = "referred" if isinstance(body, handling.SiuReferred) else body.outcome
    found.count(("kpi", "siu", day), what)


def _appealed(found: Delta, fact: Fact, body: deciding.AppealDecided, day: str) -> None:
    found.count(("kpi", "daily", day), f"appeal:{body.outcome}")


SPECIAL: dict[type, Callable[[Delta, Fact, Any, str], None]] = {
    intake.ClaimSubmitted: _submitted,
    intake.DuplicateConfirmed: _ended,
    handling.ClaimAssigned: _assigned,
    handling.ClaimReassigned: _assigned,
    handling.SiuReferred: _siu,
    handling.SiuConcluded: _siu,
    deciding.ClaimApproved: _approved,
    deciding.ClaimRejected: _rejected,
    deciding.DecisionRescinded: _rescinded,
    deciding.AppealFiled: _open_again,
    deciding.AppealDecided: _appealed,
    paying.PaymentCompleted: _completed,
    paying.PaymentFailed: _payment_failed,
    paying.PaymentReversed: _open_again,
    ending.ClaimClosed: _ended,
    ending.ClaimWithdrawn: _ended,
    ending.ClaimReopened: _open_again,
    ending.SlaBreached: _breached,
}
"""Body -> what it counts beside the families that every fact counts."""
