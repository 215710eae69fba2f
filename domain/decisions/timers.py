"""What a due timer means: a warning, a reminder, the end of waiting. A breach is realised by every decision
anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain import sla
from domain.bodies.base import TIMEKEEPER
from domain.bodies.ending import SlaWarned
from domain.bodies.handling import InformationReminded
from domain.decisions import ending
from domain.decisions.handling import release_reserve
from domain.decisions.step import Problem
from domain.guards import first_refusal
from domain.situation import Situation

if TYPE_CHECKING:
    from domain.claim_record import Claim
    from domain.commands import FireTimer
    from domain.decisions.draft import Draft


def fire(draft: Draft, command: FireTimer) -> Problem | None:
    """Add what the timer means to the draft (whose overdue clocks are realised); a problem when it means
    nothing now.
    """
    if command.clock == "reminder":
        return _remind(draft, command)
    if command.clock == "inactive":
        return _give_up(draft, command)
    if command.clock == "retry":
        return None
    return _warn(draft, command)


def _warn(draft: Draft, command: FireTimer) -> Problem | None:
    claim, now = _claim(draft), draft.context.now
    clock = claim.clocks.get(command.clock)
    if clock is None or clock.cycle != command.cycle or clock.status != "running" or command.mark is None:
        return _settled(command)
    if (
        clock.warned >= command.mark
        or command.mark not in (clock.warn or sla.DEFAULT_WARN)
        or now < sla.warn_time(clock, command.mark)
    ):
        return _settled(command)
    profile, _, name = command.clock.partition(".")
    body = SlaWarned(
        clock=command.clock,
        cycle=clock.cycle,
        percent=command.mark,
        due=clock.due,
        profile=profile,
        name=name,
        jurisdiction=claim.notice.jurisdiction,
    )
    draft.emit(body, actor=TIMEKEEPER)
    return None


def _remind(draft: Draft, command: FireTimer) -> Problem | None:
    request, now = _claim(draft).request, draft.context.now
    if request is None or request.cycle != command.cycle or command.mark != request.reminded + 1:
        return _settled(command)
    if command.mark > len(request.reminders_at) or now < request.reminders_at[command.mark - 1]:
        return _settled(command)
    body = InformationReminded(number=command.mark, items=request.outstanding, owed_by=request.owed_by)
    draft.emit(body, actor=TIMEKEEPER)
    return None


def _give_up(draft: Draft, command: FireTimer) -> Problem | None:
    claim, context = _claim(draft), draft.context
    request = claim.request
    waiting = claim.state == "AWAITING_INFORMATION" and request is not None and request.cycle == command.cycle
    if not waiting or request is None or request.inactive_at is None or context.now < request.inactive_at:
        return _settled(command)
    body = ending.closed(claim, context, "no answer after the reminders")
    refusal = first_refusal(("G17",), Situation(claim, command, context, body))
    if refusal is not None:
        return Problem("GUARD_FAILED", refusal.sentence, refusal.guard)
    release_reserve(draft)
    draft.emit(body, actor=TIMEKEEPER)
    return None


def _claim(draft: Draft) -> Claim:
    assert draft.claim is not None
    return draft.claim


def _settled(command: FireTimer) -> Problem:
    mark = "" if command.mark is None else f":{command.mark}"
    return Problem("NOTHING_DUE", f"timer {command.clock}:{command.cycle}{mark} is settled, moved or early")


def parse_timer(timer_id: str) -> tuple[str, int, int | None]:
    """`clock:cycle[:mark]` -> its parts, for `FireTimer`. Raises `ValueError` for anything else."""
    clock, *rest = timer_id.split(":")
    if not clock or len(rest) not in (1, 2):
        raise ValueError(f"timer id {timer_id!r} is not clock:cycle or clock:cycle:mark")
    return clock, int(rest[0]), int(rest[1]) if len(rest) == 2 else None
