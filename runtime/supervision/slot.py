"""One row of the supervisor's table: a child as the loop sees it."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING

import anyio
import msgspec

from runtime.supervision.intensity import Intensity

if TYPE_CHECKING:
    from runtime.supervision.child import ChildSpec


class State(StrEnum):
    """Where a child is. Alive (a task exists) are STARTING, RUNNING and STOPPING."""

    WAITING = "waiting"
    BACKING_OFF = "backing_off"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    DONE = "done"
    FAILED = "failed"


class ChildStatus(msgspec.Struct, frozen=True):
    """One child as `/status` shows it. `failures` decays; `last_error` is empty when it never failed."""

    name: str
    state: State
    incarnation: int
    failures: float
    last_error: str


class Slot:
    """All that the loop knows about one child. Owned by the loop: nobody else writes here."""

    def __init__(self, spec: ChildSpec, incarnation: int = 0) -> None:
        """A child that is wanted and does not run; `incarnation`: starts so far under this name."""
        self.spec = spec
        self.state = State.WAITING
        self.incarnation = incarnation
        self.wanted = True
        self.recycle = False
        self.successor: ChildSpec | None = None
        self.gone: list[anyio.Event] = []
        self._scope: anyio.CancelScope | None = None
        self.failures = Intensity()
        self.last_error = ""
        self.not_before = -math.inf
        self.since = -math.inf
        self.stop_deadline = math.inf
        self.forced = False

    @property
    def name(self) -> str:
        """Its name, unique in the table."""
        return self.spec.name

    @property
    def alive(self) -> bool:
        """Whether a task of this child exists."""
        return self.state in (State.STARTING, State.RUNNING, State.STOPPING)

    @property
    def up(self) -> bool:
        """Whether those after it may start: it works, or has nothing more to do."""
        return self.state in (State.RUNNING, State.DONE, State.FAILED)

    @property
    def finished(self) -> bool:
        """Whether it ended and is not wanted back."""
        return self.state in (State.DONE, State.FAILED)

    def begin(self, now: float) -> anyio.CancelScope:
        """A new task is about to run; it must do so in the scope returned."""
        self.state = State.STARTING
        self.incarnation += 1
        self._scope = anyio.CancelScope()
        self.since = now
        self.stop_deadline = math.inf
        self.forced = False
        return self._scope

    def cancel(self) -> None:
        """The hard stop of its task."""
        if self._scope is not None:
            self._scope.cancel()

    def restart_after(self, moment: float) -> None:
        """Start again, not before `moment`; a living task is stopped first."""
        self.not_before = max(self.not_before, moment)
        if self.alive:
            self.recycle = True
        else:
            self.state = State.BACKING_OFF

    def begin_stop(self, now: float) -> None:
        """It is asked to stop now and has its `stop_timeout` for it."""
        self.state = State.STOPPING
        self.since = now
        self.stop_deadline = now + self.spec.stop_timeout

    def give_up(self) -> None:
        """Nobody wants this child any more; a living task is stopped."""
        self.wanted = False
        self.recycle = False

    def status(self, level: float) -> ChildStatus:
        """A copy for readers; `level` is its decayed failure count."""
        return ChildStatus(self.name, self.state, self.incarnation, round(level, 3), self.last_error)
