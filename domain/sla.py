"""Clocks: which a fact starts, stops, pauses and resumes, and when they are due. Profiles are rows of data.

The legal profile of the jurisdiction and INTERNAL run side by side; a jurisdiction without rows uses US-
MODEL. What a fact does to clocks is stored in the fact, so replay rebuilds every due time without a
profile. Days count from the day after receipt; a period of days ends with its last day, in the policy's
time zone.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from domain.bodies import deciding, handling, intake
from domain.bodies.base import Body, ClockChange
from domain.calendar import Calendar, add_business_days, add_business_hours
from domain.holidays import us_calendar
from domain.portrait_notice import tier_of
from domain.sla_profiles import HOLIDAYS, ROWS, ClockRow
from domain.sla_steps import STEPS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from domain.claim_record import Claim
    from domain.facets import Clock

INTERNAL = "INTERNAL"
MODEL = "US-MODEL"
DEFAULT_WARN = (50, 80)
"""Percentages of a clock's span at which the adjuster and the supervisor are warned."""
ACTIVE = frozenset(("running", "paused", "breached"))
"""A clock that is not stopped yet."""


class Timer(msgspec.Struct, frozen=True):
    """What must be scheduled for a claim: `id` is `clock:cycle[:mark]`, unique on the claim for ever."""

    id: str
    due: datetime


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """A dated order (catastrophe) that gives a clock another length in one jurisdiction."""

    jurisdiction: str
    clock: str
    first: date
    last: date
    length: int


class SlaBook(msgspec.Struct, frozen=True):
    """All rows, by (jurisdiction, line, clock). `calendars` by the names that rows use; missing: no
    holidays.
    """

    rows: dict[tuple[str, str, str], tuple[ClockRow, ...]]
    calendars: dict[str, Calendar] = {}
    overrides: tuple[Override, ...] = ()

    def find(self, jurisdiction: str, line: str, clock: str) -> tuple[ClockRow, ...]:
        """The rows that run for this clock: at most one legal, and one internal (tiers apart)."""
        rows = self.rows
        for key in ((jurisdiction, line, clock), ("*", line, clock), (jurisdiction, "*", clock)):
            if key in rows:
                legal = rows[key]
                break
        else:
            known = (jurisdiction, "*", "") in rows or (jurisdiction, line, "") in rows
            legal = () if known else rows.get(("*", "*", clock), ())
        return legal + rows.get((INTERNAL, "*", clock), ())


def sla_book(
    rows: tuple[ClockRow, ...] = ROWS,
    calendars: Mapping[str, Calendar] | None = None,
    overrides: tuple[Override, ...] = (),
) -> SlaBook:
    """Index the rows. The key (jurisdiction, line, "") says that the jurisdiction has a law of its own.

    `calendars` are added to the one of the federal holidays, or replace it by its name.
    """
    index: dict[tuple[str, str, str], tuple[ClockRow, ...]] = {}
    for row in rows:
        index[row.jurisdiction, row.line, row.clock] = (
            *index.get((row.jurisdiction, row.line, row.clock), ()),
            row,
        )
        index.setdefault((row.jurisdiction, row.line, ""), ())
    return SlaBook(rows=index, calendars={HOLIDAYS: us_calendar(), **(calendars or {})}, overrides=overrides)


def due_time(start: datetime, row: ClockRow, length: int, calendar: Calendar, zone: tzinfo) -> datetime:
    """When a clock that starts at `start` is due (UTC)."""
    if row.unit == "hours":
        if row.day_type == "business":
            return add_business_hours(start, length, calendar, zone)
        return start + timedelta(hours=length)
    local = start if zone is UTC else start.astimezone(zone)
    return _end_of_period(local.date(), length, row.day_type == "business", calendar, zone)


@lru_cache(maxsize=4096)
def _end_of_period(received: date, days: int, business: bool, calendar: Calendar, zone: tzinfo) -> datetime:
    """The end of the last day: pure, remembered because thousands of claims arrive on one day."""
    last = add_business_days(received, days, calendar) if business else received + timedelta(days=days)
    return datetime.combine(last + timedelta(days=1), time(0), zone).astimezone(UTC)


def changes(
    claim: Claim | None, notice: intake.ClaimSubmitted, body: Body, at: datetime, book: SlaBook, zone: tzinfo
) -> tuple[ClockChange, ...]:
    """What this fact, which happens to `claim` (before it) at `at`, does to clocks."""
    steps = STEPS.get(type(body))
    if steps is None:
        return ()
    found: list[ClockChange] = []
    others: dict[str, str] = {}
    for op, name in steps(claim, body):
        if op in _STARTING:
            found += _starts(claim, notice, name, op, at, book, zone, body)
        else:
            others[name] = op
    if others and claim is not None:
        found = _others(claim.clocks, others, at, body) + found
    if claim is not None and type(body) is handling.SiuReferred and "fire" in notice.peril:
        found += _arson(claim, at, book, zone)
    return tuple(found)


_STARTING = frozenset(("start", "ensure", "notice"))


def _starts(
    claim: Claim | None,
    notice: intake.ClaimSubmitted,
    name: str,
    op: str,
    at: datetime,
    book: SlaBook,
    zone: tzinfo,
    body: Body,
) -> list[ClockChange]:
    """`start` begins a new cycle, `ensure` one where none is active, `notice` one that is counted from the notice."""
    found = []
    tier = ""
    for row in book.find(notice.jurisdiction, notice.line, name):
        if op == "notice" and row.since != "notice":
            continue
        if row.tier != "*":
            tier = tier or _tier(claim, notice)
            if row.tier != tier:
                continue
        clock = f"{row.profile}.{name}"
        known = claim.clocks.get(clock) if claim is not None else None
        if known is not None and op == "ensure" and known.status in ACTIVE:
            continue
        due = _counted_before(claim, row, body, at, zone)
        if due is None:
            calendar = book.calendars.get(row.calendar) or _NO_HOLIDAYS
            due = due_time(at, row, _length(row, notice.jurisdiction, at, book), calendar, zone)
        cycle = known.cycle + 1 if known is not None else 1
        found.append(ClockChange("start", clock, cycle, due, row.warn if row.warn != DEFAULT_WARN else ()))
    return found


def _counted_before(claim: Claim | None, row: ClockRow, body: Body, at: datetime, zone: tzinfo) -> datetime | None:
    """The due time of a clock whose days began before the fact that starts it; None: they begin with the fact.

    Where everything counts from the notice, a payment is due when the decision is, and a decision that was taken back
    gains no time. Never before the fact itself: what is late already is due at once.
    """
    if row.since == "fact" or claim is None:
        return None
    if row.since == "notice":
        decide = claim.clocks.get(f"{row.profile}.decide")
        counts_on = row.clock == "pay" or type(body) is deciding.DecisionRescinded
        return max(decide.due, at) if decide is not None and counts_on else None
    proof = max(
        (clock.started for key, clock in claim.clocks.items() if key == f"{row.jurisdiction}.decide"), default=at
    )
    return max(due_time(proof, row, row.length, _NO_HOLIDAYS, zone), at)


def _arson(claim: Claim, at: datetime, book: SlaBook, zone: tzinfo) -> list[ClockChange]:
    """More time to decide where the law gives it for a fire that is suspected to be arson."""
    found = []
    for row in book.find(claim.notice.jurisdiction, claim.notice.line, "decide"):
        key = f"{row.profile}.decide"
        clock = claim.clocks.get(key)
        if row.arson_days and clock is not None and clock.status in ACTIVE:
            longer = replace(row, length=row.arson_days, day_type="calendar")
            due = due_time(clock.started, longer, longer.length, _NO_HOLIDAYS, zone)
            if due > max(clock.due, at):
                found.append(ClockChange("lengthen", key, clock.cycle, due))
    return found


def extension_refused(claim: Claim, until: datetime, book: SlaBook) -> str:
    """Why a letter may not give this much more time to decide under the law of the claim; '' when it may."""
    for row in book.find(claim.notice.jurisdiction, claim.notice.line, "decide"):
        clock = claim.clocks.get(f"{row.profile}.decide")
        if row.profile == INTERNAL or clock is None or clock.status not in ACTIVE:
            continue
        if row.extend_times and clock.extended >= row.extend_times:
            return f"{row.profile} lets a letter extend the time to decide {row.extend_times} time(s): {row.source}"
        if row.extend_days and until > clock.due + timedelta(days=row.extend_days):
            return (
                f"{row.profile} gives {row.extend_days} days more for a letter, beyond {clock.due.date()}: {row.source}"
            )
    return ""


def _tier(claim: Claim | None, notice: intake.ClaimSubmitted) -> str:
    """The tier that the claim was assigned at, else the one of its notice."""
    return claim.owner.tier if claim is not None and claim.owner is not None else tier_of(notice)


_NO_HOLIDAYS = Calendar()


def _length(row: ClockRow, jurisdiction: str, at: datetime, book: SlaBook) -> int:
    for order in book.overrides:
        if order.jurisdiction == jurisdiction and order.clock == row.clock and order.first <= at.date() <= order.last:
            return order.length
    return row.length


def _others(clocks: Mapping[str, Clock], ops: Mapping[str, str], at: datetime, body: Body) -> list[ClockChange]:
    """Stop, pause, resume, extend: one pass over the clocks that are not stopped."""
    found = []
    everything = ops.get("*")
    for key, clock in clocks.items():
        if clock.status not in ACTIVE:
            continue
        op = everything or ops.get(key.rpartition(".")[2])
        change = _other(op, key, clock, at, body) if op is not None else None
        if change is not None:
            found.append(change)
    return found


def _other(op: str, key: str, clock: Clock, at: datetime, body: Body) -> ClockChange | None:
    if op == "stop":
        return ClockChange("stop", key, clock.cycle)
    if op == "pause" and clock.status == "running":
        return ClockChange("pause", key, clock.cycle)
    if op == "resume" and clock.paused_at is not None:
        return ClockChange("resume", key, clock.cycle, clock.due + (at - clock.paused_at))
    if op == "extend" and isinstance(body, handling.StatusNotified) and not key.startswith(INTERNAL):
        return ClockChange("extend", key, clock.cycle, body.extends_until)
    return None


def overdue(claim: Claim, now: datetime) -> list[tuple[str, Clock]]:
    """The clocks that run and whose time is over, earliest first: each owes one breach."""
    late = [(key, clock) for key, clock in claim.clocks.items() if clock.status == "running" and clock.due < now]
    if len(late) > 1:
        late.sort(key=lambda pair: (pair[1].due, pair[0]))
    return late


def warn_time(clock: Clock, percent: int) -> datetime:
    """When this share of the clock's span is over."""
    return clock.started + (clock.due - clock.started) * percent // 100


def next_warning(clock: Clock) -> int | None:
    """The next percentage at which people are warned; None when all were."""
    for percent in clock.warn or DEFAULT_WARN:
        if percent > clock.warned:
            return percent
    return None


_NO_CLOCKS: Mapping[str, Clock] = {}


def timers(claim: Claim, but: Mapping[str, Clock] = _NO_CLOCKS) -> tuple[Timer, ...]:
    """What must be scheduled now: one timer per running clock (its next warning, else its due time),
    reminders, a retry.

    `but`: the clocks of the same claim at another version; what both hold as the very same object has the same timer
    there and is left out, for whoever compares the two.
    """
    found = []
    for key, clock in claim.clocks.items():
        if clock.status == "running" and but.get(key) is not clock:
            percent = next_warning(clock)
            if percent is None:
                found.append(Timer(f"{key}:{clock.cycle}", clock.due))
            else:
                found.append(Timer(f"{key}:{clock.cycle}:{percent}", warn_time(clock, percent)))
    return (*found, *_reminder(claim), *_retry(claim))


def _reminder(claim: Claim) -> tuple[Timer, ...]:
    request = claim.request
    if request is None or claim.state != "AWAITING_INFORMATION" or request.inactive_at is None:
        return ()
    if request.reminded < len(request.reminders_at):
        number = request.reminded + 1
        return (Timer(f"reminder:{request.cycle}:{number}", request.reminders_at[request.reminded]),)
    return (Timer(f"inactive:{request.cycle}", request.inactive_at),)


def _retry(claim: Claim) -> tuple[Timer, ...]:
    if claim.state != "PAYMENT_FAILED":
        return ()
    last = claim.payments[-1]
    if not last.retryable or last.retry_at is None:
        return ()
    return (Timer(f"retry:{len(claim.payments)}:{last.attempt}", last.retry_at),)


def next_deadline(claim: Claim) -> datetime | None:
    """The earliest due time of a clock that runs (`slaDeadline` of the snapshot)."""
    dues = [clock.due for clock in claim.clocks.values() if clock.status == "running"]
    return min(dues) if dues else None
