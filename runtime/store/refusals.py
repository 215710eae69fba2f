"""Watches what the store refused its users (`ACL LOG`): each entry there is a right that is missing, or an attack."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import NoPermissionError

from runtime.store.clients import every_server
from runtime.store.facts import mapping
from runtime.store.trouble import STORE_ERRORS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from redis.asyncio import Redis

REASONS: Final = ("command", "key", "channel", "auth", "other")
"""Why it was refused. Names of users are no labels: whoever tries to get in chooses them."""

MOST: Final = 1000
"""Entries that are asked for; a server keeps `acllog-max-len` of them, alike ones as one."""


class Refusals:
    """A supervised service that counts the refusals that are in the log of each server now and then."""

    def __init__(self, client: Redis, tell: Callable[[Mapping[str, int]], None], *, every_seconds: float) -> None:
        """`tell` gets the count by reason; nothing is told where the log may not be read or the store is away."""
        self._client = client
        self._tell = tell
        self._every = every_seconds
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End soon; legal at any time."""
        self._stopping.set()

    async def run(self, started: Callable[[], None]) -> None:
        """Look until told to stop."""
        started()
        try:
            while not self._stopping.is_set():
                await self.look()
                try:
                    async with asyncio.timeout(self._every):
                        await self._stopping.wait()
                except TimeoutError:
                    continue
        finally:
            self._stopping.clear()  # a later start begins anew

    async def look(self) -> None:
        """Count once."""
        rows: list[Any] = []
        try:
            for server in await every_server(self._client):
                send: Callable[..., Awaitable[Any]] = server.execute_command
                rows += await send("ACL", "LOG", MOST)
        except (NoPermissionError, *STORE_ERRORS):
            return
        self._tell(counted(rows))


def counted(rows: Iterable[Any]) -> dict[str, int]:
    """The refusals by reason, from the rows of `ACL LOG`."""
    found = dict.fromkeys(REASONS, 0)
    for row in rows:
        named = mapping(row)
        reason = named["reason"].decode() if isinstance(named["reason"], bytes) else str(named["reason"])
        found[reason if reason in found else "other"] += int(named["count"])
    return found
