"""When a decision is made: on the wall clock, or (in a simulation) at the moment of what caused it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from runtime.clock import Clock


class Timing(Protocol):
    """Gives the `now` of decisions."""

    def after(self, happened: datetime) -> datetime:
        """The time of a decision that follows from something that happened then."""
        ...

    def now(self) -> datetime:
        """The time for what is due by time alone."""
        ...


class WallTiming:
    """Decisions happen when they are made."""

    def __init__(self, clock: Clock) -> None:
        """`clock` is the machine's."""
        self._clock = clock

    def after(self, happened: datetime) -> datetime:
        """Now; never before what caused it, also when clocks of two machines differ."""
        return max(self.now(), happened)

    def now(self) -> datetime:
        """Now, to the millisecond: the log keeps no more."""
        now = self._clock.now()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)


class SimulatedTiming:
    """Decisions happen at the moment of their cause; time by itself passes only when somebody advances it.

    So a simulation gives the same result however fast it runs, and whoever is killed on the way.
    """

    def __init__(self) -> None:
        """Time has not begun."""
        self._now = datetime.min.replace(tzinfo=UTC)

    def after(self, happened: datetime) -> datetime:
        """The moment of the cause."""
        return happened

    def now(self) -> datetime:
        """How far time was advanced."""
        return self._now

    def advance(self, to: datetime) -> None:
        """Let time pass; it never goes back."""
        self._now = max(self._now, to)
