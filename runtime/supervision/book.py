"""The supervisor's book: the table of children and what each message changes in it.

One small handler per message; none of them waits, starts or cancels anything. Owned by the loop alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import assert_never

import msgspec

from runtime.backoff import BackoffOptions, delay
from runtime.signals import Signal
from runtime.supervision import signals
from runtime.supervision.child import Broken, Cancelled, ChildSpec, Done, Ending, Failed, describe
from runtime.supervision.intensity import Intensity, IntensityOptions
from runtime.supervision.messages import Add, CameUp, Ended, Message, Remove, Stop
from runtime.supervision.slot import Slot, State
from runtime.supervision.strategy import Strategy, affected


class GaveUp(Exception):
    """Failures came faster than restarts may heal them; the last one is the cause."""


class ReturnedThoughPermanent(Exception):
    """A permanent child returned by itself."""


class Rules(msgspec.Struct, frozen=True):
    """What a supervisor was built with; the same for all its runs."""

    name: str
    strategy: Strategy
    intensity: IntensityOptions
    backoff: BackoffOptions
    emit: Callable[[Signal], None]
    random: Callable[[], float]
    clock: Callable[[], float]
    ends_with_children: bool


class Book:
    """State of one run: slots by name in starting order, failure intensity, whether and why it ends."""

    def __init__(self, rules: Rules, specs: Iterable[ChildSpec]) -> None:
        """All of `specs` wanted, none of them started."""
        self.rules = rules
        self.slots = {spec.name: Slot(spec) for spec in specs}
        self.intensity = Intensity()
        self.stopping = False
        self.cause: Exception | None = None

    @property
    def over(self) -> bool:
        """Whether nothing is left to wait for."""
        if self.stopping:
            return not self.slots
        done = bool(self.slots) and all(slot.finished for slot in self.slots.values())
        return done and self.rules.ends_with_children

    def handle(self, message: Message) -> None:
        """Write down what `message` changes."""
        match message:
            case CameUp():
                self._on_came_up(message)
            case Ended():
                self._on_ended(message)
            case Add():
                self._on_add(message.spec)
            case Remove():
                self._on_remove(message)
            case Stop():
                self.begin_stop()
            case _:
                assert_never(message)

    def begin_stop(self) -> None:
        """Nobody is wanted any more; those that do not run leave at once."""
        self.stopping = True
        for slot in list(self.slots.values()):
            slot.successor = None
            self._dismiss(slot)

    def _on_came_up(self, message: CameUp) -> None:
        slot = self.slots.get(message.child)
        if slot is None or slot.incarnation != message.incarnation or slot.state is not State.STARTING:
            return
        slot.state = State.RUNNING
        seconds = self.rules.clock() - slot.since
        self.rules.emit(signals.ChildStarted(self.rules.name, slot.name, slot.incarnation, seconds))

    def _on_add(self, spec: ChildSpec) -> None:
        if self.stopping:
            return
        if (old := self.slots.get(spec.name)) is None:
            self.slots[spec.name] = Slot(spec)
        else:
            old.successor = spec
            self._dismiss(old)

    def _on_remove(self, message: Remove) -> None:
        if (slot := self.slots.get(message.child)) is None:
            message.gone.set()
            return
        slot.gone.append(message.gone)
        slot.successor = None
        self._dismiss(slot)

    def _on_ended(self, message: Ended) -> None:
        slot, ending = self.slots[message.child], message.ending
        if isinstance(ending, Broken) and not self.stopping:
            self._on_fatal(slot, ending)
        elif slot.state is State.STOPPING or slot.recycle or not slot.wanted:
            self._on_stopped(slot, ending)
        elif isinstance(ending, Done):
            self._on_done(slot)
        elif isinstance(ending, Failed):
            self._on_failed(slot, ending.error)
        else:  # cancelled unasked: a scope around the supervisor is, and its own word of it is on the way
            assert isinstance(ending, Cancelled)
            self.begin_stop()
            self._on_stopped(slot, ending)

    def _on_stopped(self, slot: Slot, ending: Ending) -> None:
        error = describe(ending.error) if isinstance(ending, Failed | Broken) else ""
        # One that ended before its turn to be asked has taken no time to stop.
        seconds = self.rules.clock() - slot.since if slot.state is State.STOPPING else 0.0
        slot.state = State.BACKING_OFF
        slot.recycle = False
        slot.last_error = error or slot.last_error
        self.rules.emit(signals.ChildStopped(self.rules.name, slot.name, seconds, slot.forced, error))
        if not slot.wanted:
            self._leave(slot)

    def _on_done(self, slot: Slot) -> None:
        again = slot.spec.restart == "permanent"
        slot.state = State.DONE
        self.rules.emit(signals.ChildDone(self.rules.name, slot.name, slot.incarnation, again))
        if again:
            self._restart(slot, ReturnedThoughPermanent(f"{slot.name} returned though it is permanent"))

    def _on_failed(self, slot: Slot, error: Exception) -> None:
        was_started, again = slot.state is State.RUNNING, slot.spec.restart != "temporary"
        slot.state = State.FAILED
        slot.last_error = describe(error)
        self.rules.emit(
            signals.ChildFailed(self.rules.name, slot.name, slot.incarnation, slot.last_error, was_started, again)
        )
        if again:
            self._restart(slot, error)

    def _on_fatal(self, slot: Slot, ending: Broken) -> None:
        slot.state = State.FAILED
        slot.last_error = describe(ending.error)
        self.rules.emit(signals.ChildFatal(self.rules.name, slot.name, slot.incarnation, slot.last_error))
        self._escalate(slot, ending.error)

    def _restart(self, slot: Slot, error: Exception) -> None:
        """Count the failure; give up, or start `slot` and those that depend on it after a delay."""
        rules, now = self.rules, self.rules.clock()
        self.intensity = self.intensity.after_failure(rules.intensity, now)
        slot.failures = slot.failures.after_failure(rules.intensity, now)
        if self.intensity.exceeds(rules.intensity):
            self._escalate(slot, self._given_up(slot, error))
            return
        # The child's own decayed count is its attempt: who ran well for long starts with a short delay again.
        wait = delay(rules.backoff, max(1, round(slot.failures.level)), rules.random())
        others = [self.slots[name] for name in affected(rules.strategy, tuple(self.slots), slot.name)]
        # A temporary sibling is left alone; one that was done runs again with the others, as in OTP.
        again = [each for each in others if each.wanted and each.spec.restart != "temporary"]
        for each in again:
            each.restart_after(now + wait)
        names = tuple(each.name for each in again)
        rules.emit(
            signals.BackoffEntered(rules.name, slot.name, names, wait, self.intensity.level, rules.intensity.limit)
        )

    def _given_up(self, slot: Slot, error: Exception) -> GaveUp:
        gave_up = GaveUp(
            f"supervisor {self.rules.name} gave up: {slot.name} failed ({describe(error)}), failure "
            f"intensity {self.intensity.level:.1f} is above the limit of {self.rules.intensity.limit:g}"
        )
        gave_up.__cause__ = error
        return gave_up

    def _escalate(self, slot: Slot, cause: Exception) -> None:
        self.cause = self.cause or cause
        self.rules.emit(
            signals.Escalated(
                self.rules.name, slot.name, describe(cause), self.intensity.level, self.rules.intensity.limit
            )
        )
        self.begin_stop()

    def _dismiss(self, slot: Slot) -> None:
        slot.give_up()
        if not slot.alive:
            self._leave(slot)

    def _leave(self, slot: Slot) -> None:
        """Nothing of this child runs: tell those who wait for it, and let its successor take its place."""
        for gone in slot.gone:
            gone.set()
        if slot.successor is None:
            del self.slots[slot.name]
        else:
            self.slots[slot.name] = Slot(slot.successor, slot.incarnation)
