"""The one loop that owns the children, for one run of a supervisor.

A message changes the book; then `_act` looks at the whole table and does what is due: ask children to stop,
cancel those whose time is up, start those whose turn it is. There is no second place that starts or stops
anything, so a restart that is overtaken by a stop, a stop by an escalation, or a removal by an addition
needs no code of its own.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import anyio

from runtime.supervision import due, signals
from runtime.supervision.book import Book, Rules
from runtime.supervision.child import Cancelled, ChildSpec, Ending, Started, describe, run_to_end
from runtime.supervision.messages import CameUp, Ended, Mailbox, Message
from runtime.supervision.slot import ChildStatus, Slot, State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anyio.abc import TaskGroup


class Loop:
    """One run: the book, the mailbox and the tasks."""

    def __init__(self, rules: Rules, specs: Iterable[ChildSpec]) -> None:
        """Ready to run `specs`; nothing starts here."""
        self._rules = rules
        self._book = Book(rules, specs)
        self._mailbox = Mailbox()
        self._announced = False
        self._unstopped: list[str] = []
        self.running = False

    def tell(self, message: Message) -> None:
        """Leave a message for the loop. Before it runs the book has no other writer: handled at once."""
        if self.running:
            self._mailbox.send(message)
        else:
            self._book.handle(message)

    def status(self) -> tuple[ChildStatus, ...]:
        """The children in starting order, as they are now."""
        now, options = self._rules.clock(), self._rules.intensity
        return tuple(slot.status(slot.failures.level_at(options, now)) for slot in self._slots())

    def stop_budget(self) -> float:
        """Longest time, s, that the soft stops of the present children take together."""
        timeouts = [slot.spec.stop_timeout for slot in self._slots()]
        return sum(timeouts) if self._rules.strategy.ordered else max(timeouts, default=0.0)

    def unstopped(self) -> tuple[str, ...]:
        """Children that ignored their soft stop in this run."""
        return tuple(self._unstopped)

    async def run(self, started: Started) -> None:
        """Until stopped, or until no restart helps (raises the cause). Nothing of a child runs afterwards."""
        self.running = True
        try:
            async with anyio.create_task_group() as tasks:
                try:
                    await self._turn_until_over(tasks, started)
                except anyio.get_cancelled_exc_class():
                    self._on_own_cancel()
                    raise
        finally:
            self._close()
        # Raised outside the task group, so that nobody has to search an exception group for it.
        if self._book.cause is not None:
            raise self._book.cause

    async def _turn_until_over(self, tasks: TaskGroup, started: Started) -> None:
        while True:
            for message in self._mailbox.take_all():
                self._book.handle(message)
            acted_at = self._act(tasks)
            self._announce(started)
            if self._book.over:
                return
            await self._mailbox.wait(due.next_moment(self._slots(), acted_at) - self._rules.clock())

    def _act(self, tasks: TaskGroup) -> float:
        """Do what is due; returns the moment that was taken for now."""
        slots, now, ordered = self._slots(), self._rules.clock(), self._rules.strategy.ordered
        for slot in due.overdue(slots, now):
            self._force(slot)
        for slot in due.due_to_stop(slots, ordered=ordered):
            self._ask_to_stop(slot, now)
        for slot in due.due_to_start(slots, now, ordered=ordered):
            scope = slot.begin(now)
            name = f"{self._rules.name}/{slot.name}"
            tasks.start_soon(self._serve, slot.spec, scope, slot.incarnation, name=name)
        return now

    async def _serve(self, spec: ChildSpec, scope: anyio.CancelScope, incarnation: int) -> None:
        """The task of one start of one child. However it ends, the loop is told."""
        ending: Ending = Cancelled()
        try:
            with scope:
                ending = await run_to_end(spec, partial(self._mailbox.send, CameUp(spec.name, incarnation)))
        finally:
            self._mailbox.send(Ended(spec.name, incarnation, ending))

    def _ask_to_stop(self, slot: Slot, now: float) -> None:
        slot.begin_stop(now)
        if slot.spec.stop is None:
            slot.cancel()
            return
        try:
            slot.spec.stop()
        except Exception as error:  # a broken soft stop must not keep its child running
            slot.last_error = f"soft stop: {describe(error)}"
            slot.forced = True
            slot.cancel()

    def _force(self, slot: Slot) -> None:
        slot.stop_deadline = math.inf
        slot.forced = True
        self._unstopped.append(slot.name)
        self._rules.emit(signals.StopTimedOut(self._rules.name, slot.name, slot.spec.stop_timeout))
        slot.cancel()

    def _on_own_cancel(self) -> None:
        """This run is cancelled from outside: who was still stopping has not done so in time."""
        for slot in self._slots():
            if slot.state is State.STOPPING and not slot.forced:
                self._force(slot)
            slot.forced = True

    def _announce(self, started: Started) -> None:
        if self._announced or self._book.stopping or not all(slot.up for slot in self._slots()):
            return
        self._announced = True
        self._rules.emit(signals.SupervisorStarted(self._rules.name, len(self._slots())))
        started()

    def _close(self) -> None:
        """After the last task: account for those that ended meanwhile; no removal is waited for in vain."""
        self._book.begin_stop()
        for message in self._mailbox.take_all():
            self._book.handle(message)
        self._rules.emit(signals.SupervisorStopped(self._rules.name, self.unstopped()))

    def _slots(self) -> list[Slot]:
        return list(self._book.slots.values())
