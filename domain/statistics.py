"""Counting as a mergeable fold: each fact gives a `Delta`, deltas add, and the sum is the same for every
split into batches.

From the fact alone (event time, body, derived keys), in integers, so that a replay gives the same figures.
What a reader wants as a decimal (averages, major units) is rendered from sums: `average_hours`, `major_text`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.bodies import deciding, ending, handling, intake, paying
from domain.delta import Delta
from domain.money import Money, decimal_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from typing import Any

    from domain.events import Fact


def delta(fact: Fact) -> Delta:
    """What one fact changes."""
    found = Delta()
    fold_into(found, fact, minute_of(fact.at))
    return found


def fold(facts: Iterable[Fact]) -> Delta:
    """What these facts change, in order."""
    found = Delta()
    for fact in facts:
        fold_into(found, fact, minute_of(fact.at))
    return found


def fold_into(found: Delta, fact: Fact, minute: str) -> None:
    """Add one fact to a delta; the cheap way for a batch. `minute` is `minute_of(fact.at)`."""
    body, event = fact.body, fact.type
    kind = body.type or "other"
    moment = (minute, kind, event)
    found.moments[moment] = found.moments.get(moment, 0) + 1
    if body.status or body.status_before:
        change = (body.status_before, body.status)
        found.statuses[change] = found.statuses.get(change, 0) + 1
    kind_of_body = type(body)
    amount_of = AMOUNTS.get(kind_of_body)
    if amount_of is not None:
        amount = amount_of(body)
        summed = (minute[:10], kind, event, amount.currency)
        found.amounts[summed] = found.amounts.get(summed, 0) + amount.minor
    for clock in body.clocks:
        if clock.op == "start":
            found.count(("kpi", "sla", minute[:10]), f"started:{clock.clock}")
    special = SPECIAL.get(kind_of_body)
    if special is not None:
        special(found, fact, body, minute[:10])


def minute_of(at: datetime) -> str:
    """`2025-02-10T09:05`; its first ten letters are the day. One call for both: strftime takes four times as long."""
    return at.isoformat()[:16]


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


def listed_anew(body: object) -> bool:
    """Does the claim stand on none of the lists that this fact puts it on?

    So it is with its first assignment, and with its end, for it was open. To take it off first would walk the whole
    list for nothing: 640 us with 167,000 claims on it, and the list of closed claims grows for ever.
    """
    if isinstance(body, handling.ClaimAssigned):
        return not body.previous_adjuster_id
    return isinstance(body, (intake.DuplicateConfirmed, ending.ClaimClosed, ending.ClaimWithdrawn))
