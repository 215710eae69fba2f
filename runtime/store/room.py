"""Is there room for new events? Appends are refused at a soft limit, so that consumers can still drain a full store.

At the store's own limit everything but settle stops, leases and heartbeats included; below the soft one nothing does.
The figure is looked up at most once a second: it costs a call, and a second of appends is far below the reserve.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoPermissionError

from runtime.errors import StoreFull
from runtime.store.cluster_client import ClusterClient
from runtime.store.trouble import STORE_ERRORS, translated

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.store.functions import Client

LOOK_SECONDS = 1.0
SOFT_PERCENT = 90
"""Of the store's `maxmemory`. The last tenth is for settles, leases and what is in flight."""


class Room:
    """The store's memory, as last seen."""

    def __init__(
        self,
        client: Client,
        *,
        soft_percent: int = SOFT_PERCENT,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is asked yet."""
        self._client = client
        self._soft_percent = soft_percent
        self._monotonic = monotonic
        self._next_look = 0.0
        self._full = ""

    async def require(self) -> None:
        """Raise `StoreFull` when new events should wait. A user who may not ask is let through."""
        now = self._monotonic()
        if now >= self._next_look:
            self._next_look = now + LOOK_SECONDS
            self._full = await self._look()
        if self._full:
            raise StoreFull(self._full)

    async def _look(self) -> str:
        """Why there is no room; '' when there is."""
        try:
            servers = await self._client.every_primary() if isinstance(self._client, ClusterClient) else [self._client]
            infos = [await server.execute_command("INFO", "memory") for server in servers]
        except NoPermissionError:
            return ""
        except STORE_ERRORS as problem:
            raise translated(problem) from problem
        return next((why for info in infos if (why := self._judged(info))), "")

    def _judged(self, info: Any) -> str:
        used, limit = int(info["used_memory"]), int(info.get("maxmemory", 0))
        if limit == 0 or used * 100 < limit * self._soft_percent:
            return ""
        return (
            f"the store is {used * 100 // limit} % full ({used / 1e6:,.0f} of {limit / 1e6:,.0f} MB): new events wait "
            f"from {self._soft_percent} % on, consumers go on; trim or raise maxmemory"
        )
