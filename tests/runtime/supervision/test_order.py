from __future__ import annotations

import math

import pytest

from runtime.supervision import ChildSpec, Started, State, Strategy
from runtime.supervision.due import due_to_start, due_to_stop, next_moment, overdue
from runtime.supervision.slot import Slot
from runtime.supervision.strategy import affected


async def _nothing(started: Started) -> None:
    started()


def _slots(**states: State) -> list[Slot]:
    slots = [Slot(ChildSpec(name=name, run=_nothing)) for name in states]
    for slot in slots:
        slot.state = states[slot.name]
    return slots


def _names(slots: list[Slot]) -> str:
    return "".join(slot.name for slot in slots)


@pytest.mark.parametrize(
    ("strategy", "restarted"),
    [(Strategy.ONE_FOR_ONE, "b"), (Strategy.REST_FOR_ONE, "bc"), (Strategy.ONE_FOR_ALL, "abc")],
)
def test_the_strategy_says_who_is_restarted_with_a_failed_child(strategy: Strategy, restarted: str) -> None:
    assert "".join(affected(strategy, "abc", "b")) == restarted


def test_independent_children_start_together() -> None:
    assert _names(due_to_start(_slots(a=State.WAITING, b=State.WAITING), 0.0, ordered=False)) == "ab"


def test_dependent_children_start_one_after_the_other() -> None:
    waiting, starting = State.WAITING, State.STARTING
    assert _names(due_to_start(_slots(a=waiting, b=waiting), 0.0, ordered=True)) == "a"
    assert _names(due_to_start(_slots(a=starting, b=waiting), 0.0, ordered=True)) == ""
    assert _names(due_to_start(_slots(a=State.RUNNING, b=waiting), 0.0, ordered=True)) == "b"
    assert _names(due_to_start(_slots(a=State.DONE, b=waiting), 0.0, ordered=True)) == "b"


def test_nothing_starts_before_its_backoff_is_over() -> None:
    slots = _slots(a=State.WAITING)
    slots[0].restart_after(10.0)
    assert next_moment(slots, 9.9) == 10.0
    assert _names(due_to_start(slots, 9.9, ordered=False)) == ""
    assert _names(due_to_start(slots, 10.0, ordered=False)) == "a"


def test_a_start_that_waits_for_another_child_does_not_keep_the_loop_spinning() -> None:
    slots = _slots(a=State.STARTING, b=State.WAITING)
    slots[1].restart_after(10.0)
    assert due_to_start(slots, 11.0, ordered=True) == []
    assert next_moment(slots, 11.0) == math.inf


def test_nothing_starts_while_dependents_are_still_being_stopped() -> None:
    slots = _slots(a=State.BACKING_OFF, b=State.STOPPING)
    slots[1].recycle = True
    assert _names(due_to_start(slots, 0.0, ordered=True)) == ""


def test_independent_children_are_asked_to_stop_together_the_last_first() -> None:
    slots = _slots(a=State.RUNNING, b=State.STARTING, c=State.RUNNING)
    for slot in slots:
        slot.give_up()
    assert _names(due_to_stop(slots, ordered=False)) == "cba"


def test_dependent_children_stop_one_after_the_other_from_the_last() -> None:
    slots = _slots(a=State.RUNNING, b=State.RUNNING)
    for slot in slots:
        slot.give_up()
    assert _names(due_to_stop(slots, ordered=True)) == "b"
    slots[1].begin_stop(0.0)
    assert _names(due_to_stop(slots, ordered=True)) == ""


def test_a_stopping_child_is_overdue_at_its_deadline() -> None:
    slots = _slots(a=State.RUNNING)
    slots[0].begin_stop(100.0)
    assert overdue(slots, 104.9) == []
    assert overdue(slots, 105.0) == slots
    assert next_moment(slots, 100.0) == 105.0
