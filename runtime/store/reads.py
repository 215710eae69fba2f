"""Pure reads of the store, many in one round trip. What actors and the command line look things up with.

Only verbs of the closed list below pass: a write is an effect or an append, never a call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime.store.clients import every_server
from runtime.store.cluster_client import ClusterClient
from runtime.store.trouble import STORE_ERRORS, translated
from runtime.store.wire import in_one_round_trip

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from redis.asyncio import Redis

    from runtime.store import functions

READS = frozenset(
    {
        "EXISTS", "GET", "HGET", "HGETALL", "HKEYS", "HLEN", "HMGET", "LLEN", "LRANGE", "MEMORY USAGE", "MGET",
        "PING", "SCARD", "SISMEMBER", "SMEMBERS", "STRLEN", "TTL", "TYPE", "XINFO CONSUMERS", "XINFO GROUPS",
        "XINFO STREAM", "XLEN", "XPENDING", "XRANGE", "XREVRANGE", "ZCARD", "ZRANGE", "ZRANGEBYSCORE", "ZREVRANGE",
        "ZSCORE", "INFO", "DBSIZE",
    }
)  # fmt: skip

Command = tuple[str | int | bytes, ...]


class Reads:
    """Reads over the pooled command client."""

    def __init__(self, client: Redis) -> None:
        """Nothing is sent yet."""
        self._client = client
        self._send: functions.Send = client.execute_command

    async def one(self, *command: str | int | bytes) -> Any:
        """The reply of one read, raw bytes inside. Errors come translated (`StoreUnavailable` ...)."""
        _allowed(command)
        try:
            return await self._send(*command)
        except STORE_ERRORS as problem:
            raise translated(problem) from problem

    async def many(self, commands: Sequence[Command], *, raw: bool = False) -> list[Any]:
        """The replies of many reads in one round trip, in order.

        `raw`: as they came, where that can be had: a mapping for each of a thousand entries is made only to be taken
        apart again. In a cluster they are shaped all the same, so who asks for it takes both.
        """
        if not commands:
            return []
        for command in commands:
            _allowed(command)
        try:
            replies = await self._replies(commands, raw=raw)
        except STORE_ERRORS as problem:
            raise translated(problem) from problem
        for command, reply in zip(commands, replies, strict=True):
            if isinstance(reply, Exception):
                fault = translated(reply)
                raise type(fault)(f"{fault} (asked: {' '.join(map(str, command[:2]))})") from reply
        return replies

    async def _replies(self, commands: Sequence[Command], *, raw: bool) -> list[Any]:
        if not isinstance(self._client, ClusterClient):
            return await in_one_round_trip(self._client, commands, raw=raw)
        pipeline = self._client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        replies: list[Any] = await pipeline.execute(raise_on_error=False)
        return replies

    async def scored(self, *command: str | int | bytes) -> list[tuple[bytes, float]]:
        """A read of a sorted set with scores, in the same shape whatever the protocol gives: (member, score)."""
        rows = await self.one(*command, "WITHSCORES")
        if rows and not isinstance(rows[0], (list, tuple)):
            rows = list(zip(rows[::2], rows[1::2], strict=True))
        return [(member, float(score)) for member, score in rows]

    async def stream(self, key: str, *, page: int = 1000, after: str = "") -> AsyncIterator[tuple[bytes, list[bytes]]]:
        """Every entry of a stream in order, `page` at a time: (id, flat fields)."""
        start = f"({after}" if after else "-"
        while True:
            entries = await self.one("XRANGE", key, start, "+", "COUNT", page)
            for entry_id, fields in entries:
                yield (
                    entry_id,
                    fields if isinstance(fields, list) else [part for pair in fields.items() for part in pair],
                )
            if len(entries) < page:
                return
            start = f"({entries[-1][0].decode()}"

    async def keys(self, pattern: str) -> AsyncIterator[bytes]:
        """Names of keys that match, by SCAN: for checks and listings, never on a path that must be fast.

        A key whose slot moves between two nodes meanwhile may come twice or not at all.
        """
        try:
            servers = await every_server(self._client)
        except STORE_ERRORS as problem:
            raise translated(problem) from problem
        for server in servers:
            cursor: int | bytes = 0
            send: functions.Send = server.execute_command
            while True:
                try:
                    cursor, names = await send("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
                except STORE_ERRORS as problem:
                    raise translated(problem) from problem
                for name in names:
                    yield name
                if int(cursor) == 0:
                    break


def _allowed(command: Command) -> None:
    verb = str(command[0])
    if verb not in READS and " ".join(map(str, command[:2])) not in READS:
        raise ValueError(f"{verb} is no read: writes are effects and appends")
