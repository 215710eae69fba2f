"""Serves one seat of an actor that reads no stream: it looks at the time and appends what is due.

Safe without a fence of its own: what it appends carries an expected version and a command id that is its identity, so
two tickers at once give one event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

from runtime import failpoints
from runtime.errors import EffectRefused, Halted, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runtime.effects import Append
    from runtime.serving.waits import Waits


SHORT_PAUSE = 0.02
"""Seconds between two looks while something is due: the rest of a long list must not wait for the next tick."""


class TimedActor:
    """Base of actors that work by time alone: a name, and what is due."""

    name: ClassVar[str] = ""
    log: ClassVar[str] = ""
    """The log whose partitions it looks after; '' is the main log of the cluster."""

    async def due(self, partition: int) -> Sequence[Append]:
        """Appends that are due in a partition now; empty when nothing is."""
        raise NotImplementedError


class Appends(Protocol):
    """The first atomic step."""

    async def append_many(self, units: Sequence[Append]) -> object:
        """Append independent units; a conflict is an answer, not an error."""
        ...


class Ticker:
    """The loop of one timed actor on one partition."""

    def __init__(
        self, actor: TimedActor, partition: int, appends: Appends, waits: Waits, *, tick_seconds: float
    ) -> None:
        """Looks once every `tick_seconds`, and at once again while something was due."""
        self._actor = actor
        self._partition = partition
        self._appends = appends
        self._waits = waits
        self._tick_seconds = tick_seconds

    def stop(self) -> None:
        """End after the look at hand."""
        self._waits.stop()

    async def run(self, started: Callable[[], None]) -> None:
        """Look until told to stop."""
        started()
        attempt = 0
        while not self._waits.stopping:
            try:
                due = await self._actor.due(self._partition)
                if due:
                    await failpoints.reach("ticker.due")
                    await self._appends.append_many(due)
                    await failpoints.reach("ticker.appended")
                await self._waits.sleep(SHORT_PAUSE if due else self._tick_seconds)
                attempt = 0
            except StoreUnavailable as problem:
                attempt += 1
                async with self._waits.declared("store_away", str(problem)):
                    await self._waits.pause(attempt)
            except (Halted, EffectRefused) as problem:
                async with self._waits.declared("halted", str(problem)):
                    await self._waits.sleep(5.0)
