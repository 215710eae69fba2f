"""The supervisor as others see it: build it, run it, send it messages. The work is done by its loop."""

from __future__ import annotations

import random as random_module
import time
from typing import TYPE_CHECKING

import anyio

from runtime.backoff import BackoffOptions
from runtime.supervision.book import Rules
from runtime.supervision.intensity import IntensityOptions, check_reachable
from runtime.supervision.loop import Loop
from runtime.supervision.messages import Add, Remove, Stop
from runtime.supervision.strategy import Strategy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runtime.signals import Signal
    from runtime.supervision.child import ChildSpec, Started
    from runtime.supervision.slot import ChildStatus


class AlreadyRunning(RuntimeError):
    """`run` was called while an earlier `run` of the same supervisor goes on."""


def _nobody_waits() -> None:
    """For a root: nobody above it wants to know that it is up."""


class Supervisor:
    """Runs children, restarts those that fail, gives up when that does not help.

    Its methods are for the event loop's own thread. `emit` must not raise (a `runtime.signals.Bus` does not).
    """

    def __init__(
        self,
        name: str,
        specs: Sequence[ChildSpec] = (),
        *,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        intensity: IntensityOptions | None = None,
        backoff: BackoffOptions | None = None,
        emit: Callable[[Signal], None],
        random: Callable[[], float] = random_module.random,
        clock: Callable[[], float] = time.monotonic,
        ends_with_children: bool = False,
    ) -> None:
        """Nothing starts here. ValueError: two specs of one name, or a limit that could never be exceeded.

        ends_with_children: `run` returns when no child has anything left to do, instead of waiting for
        `stop`.
        """
        names = [spec.name for spec in specs]
        if len(set(names)) != len(names):
            raise ValueError(f"supervisor {name}: names of children must differ, got {', '.join(names)}")
        intensity, backoff = intensity or IntensityOptions(), backoff or BackoffOptions()
        check_reachable(intensity, backoff.cap_seconds)
        self.name = name
        self._rules = Rules(name, Strategy(strategy), intensity, backoff, emit, random, clock, ends_with_children)
        self._specs = tuple(specs)
        self._unstopped: tuple[str, ...] = ()
        self._loop = Loop(self._rules, self._specs)

    async def run(self, started: Started = _nobody_waits) -> None:
        """Run until stopped (returns), or until no restart helps (raises GaveUp, or the Fatal of a child).

        Fits `ChildSpec.run`, so supervisors nest; `started` is called when all children are up. A
        cancellation of this call cancels the children and is re-raised. AlreadyRunning: one run at a time.
        """
        if self._loop.running:
            raise AlreadyRunning(f"supervisor {self.name} is running already")
        loop = self._loop
        try:
            await loop.run(started)
        finally:
            self._unstopped = loop.unstopped()
            self._loop = Loop(self._rules, self._specs)

    def stop(self) -> None:
        """Ask for the end: children stop in reverse order, then `run` returns. Before `run`: that run ends
        at once.

        May be called any number of times.
        """
        self._loop.tell(Stop())

    def add(self, spec: ChildSpec) -> None:
        """Run one more child. One of the same name is stopped first and then replaced: there are never two
        at once.

        What is added is forgotten when `run` ends. Whoever adds must therefore be restarted together with
        this supervisor (one_for_all above both).
        """
        self._loop.tell(Add(spec))

    def remove(self, name: str) -> anyio.Event:
        """Stop one child and forget it. The event is set when nothing of it runs, at once for an unknown
        name.
        """
        gone = anyio.Event()
        self._loop.tell(Remove(name, gone))
        return gone

    def children(self) -> tuple[ChildStatus, ...]:
        """The children in starting order, as they are now."""
        return self._loop.status()

    def unstopped(self) -> tuple[str, ...]:
        """The children that ignored their soft stop, in the present run or else in the last one."""
        return self._loop.unstopped() if self._loop.running else self._unstopped

    def stop_budget(self) -> float:
        """Longest time in seconds that soft stops of the present children can take: what a parent must
        grant.
        """
        return self._loop.stop_budget()
