"""Keeps an embedded server alive: starts it again when it died, with a pause that grows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from runtime.embedded.errors import EmbeddedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.embedded.server import EmbeddedServer


class Keeper:
    """A supervised service around a server that runs already. It never stops the server: its owner does."""

    def __init__(self, server: EmbeddedServer, tell: Callable[[str], None]) -> None:
        """`tell` gets a line for people at each death and each failure to come back."""
        self._server = server
        self._tell = tell
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End soon; legal at any time, also twice."""
        self._stopping.set()

    async def run(self, started: Callable[[], None]) -> None:
        """Watch until told to stop."""
        started()
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            while not stopping.done():
                await self._watch_once(stopping)
        finally:
            stopping.cancel()
            self._stopping.clear()  # a later start begins anew

    async def _watch_once(self, stopping: asyncio.Task[bool]) -> None:
        """Wait for the end of the server or of us; bring the server back in the first case."""
        if self._server.running:
            death = asyncio.create_task(self._server.wait())
            await asyncio.wait({death, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not death.done():
                death.cancel()
                return
            self._tell(f"the embedded store ended with {death.result()}; starting it again")
        try:
            await self._server.restart()
        except EmbeddedError as problem:
            self._tell(f"the embedded store does not come back: {problem}")
