"""A foreign program's client of a topology: XADD and WAIT in one pipeline on one connection, nothing repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis.exceptions import TimeoutError as NotReceivedError

from runtime.store.address import StoreAddress
from runtime.store.clients import open_commands
from runtime.store.cluster_client import ClusterClient

if TYPE_CHECKING:
    from collections.abc import Mapping


class RawWriter:
    """As much of a client as a raw producer uses."""

    def __init__(self, url: str) -> None:
        """Nothing is connected."""
        self._client = open_commands(StoreAddress.parse(url), max_connections=1, reply_seconds=1.5, connect_seconds=1.0)

    async def xadd(self, log: str, fields: Mapping[Any, Any]) -> bytes:
        """The id of the entry once a replica has it. Raises what redis-py raises; then nobody knows."""
        commands = [("XADD", log, "*", *(part for pair in fields.items() for part in pair)), ("WAIT", 1, 500)]
        if isinstance(self._client, ClusterClient):
            replies = await self._client.in_one_go(log, commands)
        else:
            pipeline = self._client.pipeline(transaction=False)
            for command in commands:
                pipeline.execute_command(*command)
            replies = await pipeline.execute(raise_on_error=False)
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        if int(replies[1]) < 1:
            raise NotReceivedError("no replica has it yet")
        entry: bytes = replies[0]
        return entry

    async def aclose(self) -> None:
        """Let go."""
        await self._client.aclose()
