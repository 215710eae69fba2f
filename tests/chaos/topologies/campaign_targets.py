"""The topologies as targets of the campaign: `make campaign TARGET=sentinel SEEDS=20`, `TARGET=cluster`.

A confirmed append survives one fault of a server, so the next fault of one comes when the replica is in step again. The
append-only file is fsynced always: a killed server that comes back at once, before anybody took over, brings with it
what it had confirmed.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from runtime.embedded.locate import locate
from tests.chaos.campaign.dump import Dump, dump_of
from tests.chaos.topologies.node import AWAY, Node
from tests.chaos.topologies.sentinels import DOWN_AFTER_MS, WatchedPair
from tests.chaos.topologies.six_nodes import NODE_TIMEOUT_MS, SixNodes
from tests.support.waiting import NotInTimeError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.chaos.campaign.target import Upstream, Wanted

PROBE = "campaign:probe"
WHOLE_SECONDS = 60.0

NOT_HERE = frozenset(
    {
        # No proxy can stand between a client and servers that it finds by itself.
        "lose the reply of a settle", "lose the reply of an append", "lose the reply of a read", "lose any reply",
        "reset the connections of a worker", "half-open connections", "cut a worker off",
        "delay everything of a worker", "slow link of a worker",
        # There is no data directory of ours, and no file system under it.
        "fill the disk of the store", "a second supervisor on the data directory", "slow disk",
        # Is done to the one server of the embedded store; so nothing here is ever LOST.
        "damage the log", "meet lost",
        # Would let another server take over without anybody waiting for it: here this is a fault of its own.
        "stop the store", "pause all clients", "a slow script", "no connection is left",
    }
)  # fmt: skip


class TopologyTarget:
    """What both targets share; see `campaign.target.Target`."""

    name = ""
    proxied = False
    without = NOT_HERE
    confirmed_survive = True
    data_dir: Path | None = None
    partitions: int | None = None
    """How many there have to be; None: as the plan says."""

    def __init__(self, topology: WatchedPair | SixNodes) -> None:
        """Nothing is started."""
        self.topology = topology
        self._down: Node | None = None

    async def primary_of(self, key: str | None) -> Node:
        """The server that holds a key."""
        raise NotImplementedError

    async def start(self) -> None:
        """Start all servers."""
        await self.topology.start()

    async def stop(self) -> None:
        """End all servers."""
        await self.topology.stop()

    @property
    def store_pid(self) -> int | None:
        """Not known without asking; the faults that need it are done on the embedded store."""
        return None

    def upstream(self) -> Upstream:
        """No proxy."""
        raise NotImplementedError("no proxy can stand before this target")

    def settings(self, instead: str = "") -> Mapping[str, str]:
        """How workers and clients find it."""
        del instead
        return {"REDIS_URL": self.topology.url}

    async def run(self, *words: str | bytes | int, key: str | None = None) -> Any:
        """Send one command to the primary of a key."""
        return await (await self.primary_of(key)).run(*words)

    async def kill_primary(self) -> None:
        """Kill -9 the primary of partition 0."""
        self._down = await self.primary_of(None)
        self._down.kill()

    async def shut_primary_down(self) -> None:
        """End it in good order."""
        self._down = await self.primary_of(None)
        await self._down.shut_down()

    async def restart_primary(self) -> None:
        """Bring it back, and wait until the next fault may come."""
        assert self._down is not None
        await self._down.start()
        await self.topology.whole(WHOLE_SECONDS)

    async def writable(self, within: float) -> float:
        """Poll with a write."""
        began = time.monotonic()
        while True:
            try:
                await self.run("SET", PROBE, "1", "PX", 1000, key=PROBE)
                return time.monotonic() - began
            except (*AWAY, LookupError) as problem:
                if time.monotonic() - began > within:
                    raise NotInTimeError("the store takes writes", within, problem) from problem
            await asyncio.sleep(0.01)

    async def back(self, old: Node, within: float = 30.0) -> float:
        """Seconds from now until somebody else than `old` takes a write for what it held."""
        raise NotImplementedError


class SentinelTarget(TopologyTarget):
    """A primary, a replica and three sentinels."""

    name = "sentinel"
    without = NOT_HERE | {"move the slot of a partition"}

    def __init__(self, wanted: Wanted) -> None:
        """Nothing is started."""
        self.pair = WatchedPair(wanted.folder / "pair", fsync="always")
        super().__init__(self.pair)

    async def primary_of(self, key: str | None) -> Node:
        """The master."""
        del key
        return await self.pair.primary()

    async def restart_primary(self) -> None:
        """As its manager would: a replica when somebody else has become master, else what it was."""
        assert self._down is not None
        old = self._down
        await old.start()
        new = self.pair.other(old)
        with suppress(*AWAY):
            if (await new.info("replication"))["role"] == "master":
                await old.run("REPLICAOF", "127.0.0.1", new.port)
        await self.pair.whole(WHOLE_SECONDS)

    async def back(self, old: Node, within: float = 30.0) -> float:
        """Until the replica takes a write."""
        return await _taken(self.pair.other(old), PROBE, within)

    async def dump(self) -> Dump:
        """What the master holds."""
        return await dump_of(self.run)

    def conditions(self) -> Mapping[str, str]:
        """What it is."""
        topology = f"1 primary, 1 replica, 3 sentinels, down-after {DOWN_AFTER_MS} ms"
        return {"server": _server(), "topology": topology, "store fsync": "always"}


class ClusterTarget(TopologyTarget):
    """Three masters with a replica each; eight partitions."""

    name = "cluster"
    without = NOT_HERE | {"cut the primary off from the others"}
    partitions = 8

    def __init__(self, wanted: Wanted) -> None:
        """Nothing is started."""
        self.six = SixNodes(wanted.folder / "six", fsync="always")
        super().__init__(self.six)

    async def primary_of(self, key: str | None) -> Node:
        """The node that owns the key's slot; without a key that of partition 0."""
        return await self.six.owner_of(key or "claims:events:{p0}")

    async def back(self, old: Node, within: float = 30.0) -> float:
        """Until its replica takes a write for the slots that it held."""
        return await _taken(await self.six.replica_of(old), "probe:{p0}", within)

    async def dump(self) -> Dump:
        """What all masters hold."""
        whole = Dump()
        for node in await self.six.masters():
            whole.merge(await dump_of(node.run))
        return whole

    def conditions(self) -> Mapping[str, str]:
        """What it is."""
        topology = f"3 masters, 3 replicas, node-timeout {NODE_TIMEOUT_MS} ms, P = 8"
        return {"server": _server(), "topology": topology, "store fsync": "always"}


def _server() -> str:
    binary = locate()
    return f"{binary.name} {binary.version}"


async def _taken(node: Node, key: str, within: float) -> float:
    """Seconds until this node takes a write."""
    began = time.monotonic()
    while True:
        try:
            await node.run("SET", key, "1", "PX", 1000)
            return time.monotonic() - began
        except AWAY as problem:
            if time.monotonic() - began > within:
                raise NotInTimeError("another server takes writes", within, problem) from problem
        await asyncio.sleep(0.01)
