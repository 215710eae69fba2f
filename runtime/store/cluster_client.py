"""Commands for a Redis Cluster: each goes to the node that owns its slot, over that node's own pool.

The client library's RedisCluster is not used: after a few MOVED, and after CLUSTERDOWN for one slot, it closes the
connections of all nodes under the calls that are in flight on them, so a fault in one partition would reach the
others; and it repeats calls by itself (redis-facts R2). Here a call is sent again only after MOVED or ASK, which say
that nothing was done. Everything else is raised, and the map of the slots is asked for again.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from redis.asyncio import Redis
from redis.exceptions import (
    AskError,
    ClusterCrossSlotError,
    ClusterDownError,
    ConnectionError,  # the store's, as everywhere in this package
    MovedError,
    ReadOnlyError,
    RedisError,
    TimeoutError,
    TryAgainError,
)

from runtime.store.cluster_map import ClusterMap, slot_of
from runtime.store.masters import drop_connections
from runtime.store.wire import in_one_round_trip

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runtime.store.address import Place

REDIRECTIONS = 5
"""How often one call follows MOVED. More would mean that two nodes send us to each other."""

_DOUBT = (ReadOnlyError, ClusterDownError, ConnectionError, TimeoutError, OSError)


class ClusterClient(Redis):
    """Looks like a client of one server; a call with a key goes where its key lives, any other to some primary."""

    def __init__(self, places: ClusterMap, open_node: Callable[[Place], Redis], entry: Redis) -> None:
        """Nothing is sent yet. `entry` only lends its shape to the base class."""
        super().__init__(connection_pool=entry.connection_pool)
        self.map = places
        self._open_node = open_node
        self._nodes: dict[Place, Redis] = {}

    def node(self, place: Place) -> Redis:
        """The client of one node."""
        found = self._nodes.get(place)
        if found is None:
            found = self._nodes[place] = self._open_node(place)
        return found

    async def every_primary(self) -> list[Redis]:
        """A client of each node that owns slots."""
        await self.map.sure()
        return [self.node(place) for place in self.map.primaries if place[0]]

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send one command where it belongs."""
        slot = slot_of(args)
        if slot is None:
            return await self._anywhere(args, options)
        return (await self._follow(slot, [args], options))[0]

    async def in_one_go(self, key: str, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Commands for the owner of `key`, in order on one connection; each reply or error is an item."""
        slot = slot_of(("GET", key))
        assert slot is not None
        return await self._follow(slot, commands, {}, pipelined=True)

    async def _follow(
        self, slot: int, commands: Sequence[tuple[Any, ...]], options: dict[str, Any], *, pipelined: bool = False
    ) -> list[Any]:
        """Send to the owner of a slot; after MOVED to where it sends us."""
        for _ in range(REDIRECTIONS):
            place = await self.map.owner(slot)
            try:
                if not pipelined:
                    send: Any = self.node(place).execute_command
                    return [await send(*commands[0], **options)]
                replies = await in_one_round_trip(self.node(place), commands)
                if isinstance(replies[0], AskError):
                    raise replies[0]
                return replies
            except MovedError as problem:
                self.map.moved(slot, (str(problem.host) or place[0], int(problem.port)))
            except AskError as problem:
                target = self.node((str(problem.host) or place[0], int(problem.port)))
                replies = (await in_one_round_trip(target, [("ASKING",), *commands]))[1:]
                if not pipelined and isinstance(replies[0], Exception):
                    raise replies[0] from None
                return replies
            except _DOUBT:
                self.map.doubt()
                raise
        raise TryAgainError(f"slot {slot} was sent from node to node {REDIRECTIONS} times")

    async def _anywhere(self, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Ask one primary after the other until one answers."""
        problem: BaseException = ClusterDownError("no primary of the cluster is known")
        for client in await self.every_primary():
            try:
                send: Any = client.execute_command
                return await send(*args, **options)
            except _DOUBT as found:
                self.map.doubt()
                problem = found
        raise problem

    def pipeline(self, transaction: Any = True, shard_hint: str | None = None) -> Any:
        """Commands that travel together, each to its node. Not atomic, and nothing is promised about their order."""
        if transaction:
            raise ClusterCrossSlotError("a cluster pipeline is no transaction: pipeline(transaction=False)")
        return ClusterPipeline(self)

    async def by_owner(self, commands: Sequence[tuple[Any, ...]]) -> dict[Place, list[int]]:
        """Which node gets which of the commands, by their numbers. Commands without a key are not for a pipeline."""
        groups: dict[Place, list[int]] = defaultdict(list)
        for number, command in enumerate(commands):
            slot = slot_of(command)
            if slot is None:
                raise ClusterCrossSlotError(f"{command[0]} names no key, so no node can be chosen for it")
            groups[await self.map.owner(slot)].append(number)
        return groups

    async def drop(self) -> None:
        """Let go of every connection, and ask where everything is."""
        self.map.doubt()
        for client in self._nodes.values():
            await drop_connections(client)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close the pools of all nodes."""
        nodes, self._nodes = list(self._nodes.values()), {}
        for client in nodes:
            with suppress(RedisError, OSError):
                await client.aclose()


class ClusterPipeline:
    """Collects commands; `execute` sends each node its share, all nodes at once."""

    def __init__(self, client: ClusterClient) -> None:
        """Empty."""
        self._client = client
        self._commands: list[tuple[Any, ...]] = []

    def execute_command(self, *args: Any, **_options: Any) -> ClusterPipeline:
        """Put one command in."""
        self._commands.append(args)
        return self

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        """The replies in the order of the commands; the first error is raised when asked for."""
        commands, self._commands = self._commands, []
        groups = await self._client.by_owner(commands)
        shares = await asyncio.gather(*(self._share(place, [commands[n] for n in ns]) for place, ns in groups.items()))
        replies: list[Any] = [None] * len(commands)
        for numbers, share in zip(groups.values(), shares, strict=True):
            for number, reply in zip(numbers, share, strict=True):
                replies[number] = reply
        if raise_on_error:
            for reply in replies:
                if isinstance(reply, Exception):
                    raise reply
        return replies

    async def _share(self, place: Place, commands: list[tuple[Any, ...]]) -> list[Any]:
        """One node's part. What has moved meanwhile is sent after it, one by one."""
        try:
            replies = await in_one_round_trip(self._client.node(place), commands)
        except _DOUBT as problem:
            self._client.map.doubt()
            return [problem] * len(commands)
        for number, reply in enumerate(replies):
            if isinstance(reply, AskError):
                try:
                    replies[number] = await self._client.execute_command(*commands[number])
                except (RedisError, OSError) as problem:
                    replies[number] = problem
        return replies


async def let_go(client: Redis) -> None:
    """Drop the connections of a client, so that its next call finds out where the master is."""
    if isinstance(client, ClusterClient):
        await client.drop()
    else:
        await drop_connections(client)
