"""A child that fails, hangs, returns or ignores its stop on command, and that makes a double start
impossible to miss.

The idea is suture's `FailableService`. Until it is told something it blocks, as a real worker does.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anyio

from runtime.supervision import ChildSpec, Fatal, Restart, Started

if TYPE_CHECKING:
    from collections.abc import Callable


class StartedTwice(Fatal):
    """Two starts of one child ran at the same time; fatal, so that no restart hides it."""


class Failable:
    """One child. It obeys from start to start: what is told to it while it does not run counts for the next
    start.

    journal: shared by several children, it gets "+name" for each start and "-name" for each end, in order.
    comes_up: whether it calls `started`.
    ignores_stop: it goes on after a soft stop; only cancellation ends it.
    """

    def __init__(
        self,
        name: str,
        *,
        journal: list[str] | None = None,
        comes_up: bool = True,
        ignores_stop: bool = False,
    ) -> None:
        self.name = name
        self.journal = [] if journal is None else journal
        self.comes_up = comes_up
        self.ignores_stop = ignores_stop
        self.starts = 0
        self.stops_asked = 0
        self.running = False
        self.cancelled_by_us = False
        self._act: Callable[[], None] | None = None
        self._told: anyio.Event | None = None
        self._task: asyncio.Task[object] | None = None

    def spec(self, restart: Restart = "permanent", *, soft: bool = True, stop_timeout: float = 5.0) -> ChildSpec:
        """Its spec; `soft=False` leaves it without a soft stop."""
        stop = self.stop if soft else None
        return ChildSpec(name=self.name, run=self.run, restart=restart, stop=stop, stop_timeout=stop_timeout)

    async def run(self, started: Started) -> None:
        """Block until told how to end."""
        if self.running:
            raise StartedTwice(f"{self.name} was started while it was running")
        self.running = True
        self.starts += 1
        self.journal.append(f"+{self.name}")
        self._task = asyncio.current_task()
        try:
            if self.comes_up:
                started()
            await self._wait_until_told()
        except anyio.get_cancelled_exc_class():
            self.cancelled_by_us = True
            raise
        finally:
            self.running = False
            self.journal.append(f"-{self.name}")

    async def _wait_until_told(self) -> None:
        self._told = anyio.Event()
        if self._act is None:
            await self._told.wait()
        act, self._act, self._told = self._act, None, None
        if act is not None:
            act()

    def fail(self, error: Exception | None = None) -> None:
        """End by raising."""
        self._tell(lambda: _raise(error or RuntimeError(f"{self.name} was told to fail")))

    def finish(self) -> None:
        """End by returning."""
        self._tell(lambda: None)

    def stop(self) -> None:
        """Soft stop, as the spec has it."""
        self.stops_asked += 1
        if not self.ignores_stop:
            self.finish()

    def cancel_as_a_stranger(self) -> None:
        """Cancel its task behind the supervisor's back; it must run."""
        assert self._task is not None, f"{self.name} does not run"
        self._task.cancel()

    def _tell(self, act: Callable[[], None]) -> None:
        self._act = act
        if self._told is not None:
            self._told.set()


def _raise(error: Exception) -> None:
    raise error
