"""What is due: which children are to be stopped or started next, seen from the whole table. Pure.

These functions do nothing themselves, so each rule of order is a plain example in the tests.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from runtime.supervision.slot import Slot, State

if TYPE_CHECKING:
    from collections.abc import Sequence


def due_to_stop(slots: Sequence[Slot], *, ordered: bool) -> list[Slot]:
    """Children to ask now, the last first. Ordered: only the last, and only when none before it is still
    stopping.
    """
    leaving = [slot for slot in reversed(slots) if slot.alive and (slot.recycle or not slot.wanted)]
    if ordered:
        leaving = leaving[:1]
    return [slot for slot in leaving if slot.state is not State.STOPPING]


def due_to_start(slots: Sequence[Slot], now: float, *, ordered: bool) -> list[Slot]:
    """Children to start now. Ordered: the first that is not up, alone, and none while others are being
    recycled.
    """
    if not ordered:
        return [slot for slot in slots if _startable(slot, now)]
    if any(slot.alive and slot.recycle for slot in slots):
        return []
    first = next((slot for slot in slots if slot.wanted and not slot.up), None)
    return [first] if first is not None and _startable(first, now) else []


def overdue(slots: Sequence[Slot], now: float) -> list[Slot]:
    """Children whose soft stop ran out; each is named once."""
    return [slot for slot in slots if slot.alive and slot.stop_deadline <= now]


def next_moment(slots: Sequence[Slot], now: float) -> float:
    """The next monotonic moment (s) at which something is due though no message came; infinity for never.

    A start whose backoff is over at `now` and that was not due all the same waits for another child, that
    is for a
    message: counted here it would keep the loop spinning.
    """
    stops = [slot.stop_deadline for slot in slots if slot.alive]
    starts = [
        slot.not_before for slot in slots if slot.wanted and slot.state is State.BACKING_OFF and slot.not_before > now
    ]
    return min([*stops, *starts], default=math.inf)


def _startable(slot: Slot, now: float) -> bool:
    return slot.wanted and not slot.alive and not slot.finished and slot.not_before <= now
