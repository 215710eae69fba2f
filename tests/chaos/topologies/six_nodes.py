"""A Redis Cluster of three masters and three replicas on the loopback, made by our own commands.

async with six_nodes(folder) as cluster:
    cluster.url                                # redis+cluster://...
    master = await cluster.owner(slot)
    master.kill(); await cluster.whole_but(master)
    await cluster.move_slot(slot, target)      # under load
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from redis.crc import key_slot

from tests.chaos.topologies.node import AWAY, DURABLE, Node, free_port
from tests.chaos.topologies.sentinels import in_step
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SLOTS = 16_384
MASTERS = 3
NODE_TIMEOUT_MS = 2000


class SixNodes:
    """The cluster. A dead master is replaced in about 4 s (redis-facts C5)."""

    def __init__(self, folder: Path, *, fsync: str = "everysec", nodes: int = 6, min_replicas: int = 0) -> None:
        """Nothing is started. With three nodes there are no replicas."""
        directives = DURABLE | {
            "appendfsync": fsync,
            "cluster-enabled": "yes",
            "cluster-node-timeout": str(NODE_TIMEOUT_MS),
            "cluster-config-file": "nodes.conf",
            "repl-timeout": "5",
            "min-replicas-to-write": str(min_replicas),
            "min-replicas-max-lag": "2",
        }
        self.nodes = [Node(folder / f"node-{n}", directives | {"cluster-port": str(free_port())}) for n in range(nodes)]
        self._bus = {one.port: one._directives["cluster-port"] for one in self.nodes}

    @property
    def url(self) -> str:
        """How clients find it: three of its nodes."""
        return "redis+cluster://" + ",".join(one.place for one in self.nodes[:3])

    async def start(self) -> None:
        """Start, introduce, share the slots, give each master a replica; returns when all of it stands."""
        await asyncio.gather(*(one.start() for one in self.nodes))
        for epoch, one in enumerate(self.nodes, 1):
            await one.run("CLUSTER", "SET-CONFIG-EPOCH", epoch)
        share = SLOTS // MASTERS
        for n, one in enumerate(self.nodes[:MASTERS]):
            last = SLOTS - 1 if n == MASTERS - 1 else (n + 1) * share - 1
            await one.run("CLUSTER", "ADDSLOTSRANGE", n * share, last)
        for one in self.nodes:
            for other in self.nodes:
                if other is not one:
                    await one.run("CLUSTER", "MEET", "127.0.0.1", other.port, self._bus[other.port])
        await until(self._all_met, within=30.0, what="every node knows every other")
        names = [(await one.run("CLUSTER", "MYID")).decode() for one in self.nodes]
        for n, one in enumerate(self.nodes[MASTERS:]):
            await until(lambda one=one, n=n: _done(one, "CLUSTER", "REPLICATE", names[n]), what="a replica")  # type: ignore[misc]
        await self.whole()

    async def _all_met(self) -> bool:
        for one in self.nodes:
            lines = (await one.run("CLUSTER", "NODES")).decode().splitlines()
            if len(lines) != len(self.nodes) or any("handshake" in line or "noaddr" in line for line in lines):
                return False
        return True

    async def whole(self, within: float = 40.0) -> None:
        """Wait until every running node calls the cluster whole, and each master has its replica in step."""
        await until(self._is_whole, within=within, what="the cluster is whole")

    async def _is_whole(self) -> bool:
        with suppress(*AWAY):
            masters = 0
            for one in self.nodes:
                if (await one.info_cluster())["cluster_state"] != "ok":
                    return False
                facts = await one.info("replication")
                masters += facts["role"] == "master"
                if facts["role"] == "slave" and facts["master_link_status"] != "up":
                    return False
                if len(self.nodes) > MASTERS and facts["role"] == "master" and not await in_step(one):
                    return False
            return masters == MASTERS
        return False

    async def masters(self) -> list[Node]:
        """The running nodes that own slots."""
        found = []
        for one in self.nodes:
            with suppress(*AWAY):
                if (await one.info("replication"))["role"] == "master":
                    found.append(one)
        return found

    async def owner(self, slot: int) -> Node:
        """The running node that says that it owns a slot."""
        for one in self.nodes:
            with suppress(*AWAY):
                for first, last, port in await _ranges(one):
                    if first <= slot <= last and port == one.port:
                        return one
        raise LookupError(f"no running node owns slot {slot}")

    async def owner_of(self, key: str) -> Node:
        """The node that owns a key."""
        return await self.owner(key_slot(key.encode()))

    async def replica_of(self, master: Node) -> Node:
        """A running replica of this master."""
        for one in self.nodes:
            with suppress(*AWAY):
                facts = await one.info("replication")
                if facts["role"] == "slave" and facts["master_port"] == str(master.port):
                    return one
        raise LookupError("that master has no replica")

    async def failover(self, master: Node) -> Node:
        """An administrator's failover: its replica takes over in good order, nothing is lost."""
        replica = await self.replica_of(master)
        await replica.run("CLUSTER", "FAILOVER")
        await self.promoted(replica)
        return replica

    async def promoted(self, node: Node, within: float = 20.0) -> None:
        """Wait until this node is a master that takes writes."""

        async def there() -> bool:
            with suppress(*AWAY):
                up = (await node.info_cluster())["cluster_state"] == "ok"
                return up and (await node.info("replication"))["role"] == "master"
            return False

        await until(there, within=within, what="the replica took over")

    async def move_slot(self, slot: int, target: Node) -> None:
        """Reshard one slot: key by key, as the usual tool does, while everybody works on it."""
        source = await self.owner(slot)
        ids = {one.port: (await one.run("CLUSTER", "MYID")).decode() for one in (source, target)}
        await target.run("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source.port])
        await source.run("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target.port])
        while names := await source.run("CLUSTER", "GETKEYSINSLOT", slot, 20):
            await source.run("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *names)
        for one in (target, source):
            await one.run("CLUSTER", "SETSLOT", slot, "NODE", ids[target.port])
        for one in self.nodes:
            if one not in (target, source):
                with suppress(*AWAY):
                    await one.run("CLUSTER", "SETSLOT", slot, "NODE", ids[target.port])

    async def stop(self) -> None:
        """End everything."""
        for one in self.nodes:
            await one.close()


async def _ranges(node: Node) -> list[tuple[int, int, int]]:
    return [(int(row[0]), int(row[1]), int(row[2][1])) for row in await node.run("CLUSTER", "SLOTS")]


async def _done(node: Node, *words: Any) -> bool:
    with suppress(*AWAY):
        await node.run(*words)
        return True
    return False


@asynccontextmanager
async def six_nodes(folder: Path, *, fsync: str = "everysec", nodes: int = 6) -> AsyncIterator[SixNodes]:
    """A running cluster; gone at the end of the block."""
    cluster = SixNodes(folder, fsync=fsync, nodes=nodes)
    try:
        await cluster.start()
        yield cluster
    finally:
        await cluster.stop()
