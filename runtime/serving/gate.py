"""Lets a suspicious entry run alone in its process, so that a death can be blamed on it and on nothing else.

Everybody else passes together (`shared`); the one that runs `alone` waits until all others are out and keeps them out.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Gate:
    """One per process."""

    def __init__(self) -> None:
        """Nobody is inside."""
        self._inside = 0
        self._exclusive = asyncio.Lock()
        self._empty = asyncio.Event()
        self._empty.set()

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        """Handle a batch in company."""
        if self._exclusive.locked():
            async with self._exclusive:
                pass  # wait for the one that runs alone
        self._inside += 1
        self._empty.clear()
        try:
            yield
        finally:
            self._inside -= 1
            if self._inside == 0:
                self._empty.set()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Handle one entry while nobody else in the process handles anything."""
        async with self._exclusive:
            while self._inside:
                await self._empty.wait()
            yield
