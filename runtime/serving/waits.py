"""Declared waits: a runner that waits says so, with its reason, so that health does not take it for stuck."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from runtime.backoff import BackoffOptions, delay
from runtime.signals import Bus, WaitDeclared, WaitEnded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Waits:
    """The waits of one runner. `stop` ends any of them at once."""

    def __init__(self, actor: str, group: str, partition: int, bus: Bus, backoff: BackoffOptions) -> None:
        """Names for the signals; `backoff` for the waits that repeat."""
        self._actor = actor
        self._group = group
        self._partition = partition
        self._bus = bus
        self._backoff = backoff
        self._stopping = asyncio.Event()

    @property
    def stopping(self) -> bool:
        """Were we asked to stop?"""
        return self._stopping.is_set()

    def stop(self) -> None:
        """End the wait that is on, and make every later one end at once."""
        self._stopping.set()

    @asynccontextmanager
    async def declared(self, reason: str, detail: str = "") -> AsyncIterator[None]:
        """Everything inside is a wait on purpose."""
        self._bus.emit(WaitDeclared(self._actor, self._group, self._partition, reason, detail))
        try:
            yield
        finally:
            self._bus.emit(WaitEnded(self._actor, self._group, self._partition, reason))

    async def pause(self, attempt: int) -> None:
        """Sleep the backoff of this attempt (1 is the first), with jitter; shorter when asked to stop."""
        await self.sleep(delay(self._backoff, attempt, random.random()))

    async def sleep(self, seconds: float) -> None:
        """Sleep, or until asked to stop."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
