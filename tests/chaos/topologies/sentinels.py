"""A primary, its replica and three sentinels on the loopback, ready for a failover within seconds.

async with watched_pair(folder) as pair:
    pair.url                       # redis+sentinel://...
    await pair.failover()          # SENTINEL FAILOVER, or pair.primary().kill(), pair.cut_off()
    await pair.settled(old)        # until another one is master
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from tests.chaos.topologies.node import AWAY, DURABLE, Node
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SERVICE = "claims"
PASSWORD = "of-the-workers"
WATCHER, WATCHER_PASSWORD = "watcher", "of-the-sentinels"
DOWN_AFTER_MS = 1000


class WatchedPair:
    """Two stores of which one is master, and three sentinels. A fault of the master is answered in about 2 s.

    Sentinels and replicas come as the user `watcher`: `cut_off` locks it out of a master, which is then alone with
    its clients, as if the network had parted them.
    """

    def __init__(self, folder: Path, *, fsync: str = "everysec", min_replicas: int = 0, maximum_lag: int = 2) -> None:
        """Nothing is started."""
        store = DURABLE | {
            "appendfsync": fsync,
            "requirepass": PASSWORD,
            "masteruser": WATCHER,
            "masterauth": WATCHER_PASSWORD,
            "min-replicas-to-write": str(min_replicas),
            "min-replicas-max-lag": str(maximum_lag),
            "repl-timeout": "5",
            "user": f"{WATCHER} on >{WATCHER_PASSWORD} +@all ~* &*",
        }
        self.stores = [Node(folder / f"store-{n}", store, password=PASSWORD) for n in range(2)]
        self.sentinels: list[Node] = []
        self._folder = folder

    @property
    def url(self) -> str:
        """How clients find the master."""
        places = ",".join(one.place for one in self.sentinels)
        return f"redis+sentinel://:{PASSWORD}@{places}/{SERVICE}"

    async def start(self) -> None:
        """Start everything; returns when the replica is in step and every sentinel knows of all."""
        await asyncio.gather(*(one.start() for one in self.stores))
        first, second = self.stores
        await second.run("REPLICAOF", "127.0.0.1", first.port)
        await until(lambda: in_step(first), within=20.0, what="the replica is in step")
        self.sentinels = self._sentinels(first)
        await asyncio.gather(*(one.start() for one in self.sentinels))
        await until(self._all_known, within=20.0, what="every sentinel knows the replica and the others")

    def _sentinels(self, master: Node) -> list[Node]:
        """Three that know each other from the start: finding each other would take seconds."""
        three = [Node(self._folder / f"sentinel-{n}", {}, sentinel="") for n in range(3)]
        ids = [hashlib.sha1(one.place.encode()).hexdigest() for one in three]
        for n, one in enumerate(three):
            others = [
                f"sentinel known-sentinel {SERVICE} 127.0.0.1 {other.port} {ids[m]}"
                for m, other in enumerate(three)
                if m != n
            ]
            one._sentinel = "\n".join(
                [
                    f"port {one.port}",
                    f"dir {one.folder}",
                    f"sentinel myid {ids[n]}",
                    f"sentinel monitor {SERVICE} 127.0.0.1 {master.port} 2",
                    f"sentinel auth-user {SERVICE} {WATCHER}",
                    f"sentinel auth-pass {SERVICE} {WATCHER_PASSWORD}",
                    f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}",
                    f"sentinel failover-timeout {SERVICE} 6000",
                    f"sentinel parallel-syncs {SERVICE} 1",
                    *others,
                    "",
                ]
            )
        return three

    async def _all_known(self) -> bool:
        for one in self.sentinels:
            told = await self._told(one)
            healthy = told.get("flags") == "master" and told.get("num-slaves") == "1"
            if not healthy or told.get("num-other-sentinels") != "2":
                return False
        return True

    async def _told(self, sentinel: Node) -> dict[str, str]:
        with suppress(*AWAY):
            reply = await sentinel.run("SENTINEL", "MASTER", SERVICE)
            return {reply[n].decode(): reply[n + 1].decode() for n in range(0, len(reply), 2)}
        return {}

    async def primary(self) -> Node:
        """The store that most sentinels call master."""
        ports = [(await self._told(one)).get("port") for one in self.sentinels if one.running]
        best = max(set(ports), key=ports.count)
        return next(one for one in self.stores if str(one.port) == best)

    def other(self, node: Node) -> Node:
        """The other store."""
        return self.stores[1 - self.stores.index(node)]

    async def failover(self) -> None:
        """An administrator's failover: the roles change in good order."""
        await self.sentinels[0].run("SENTINEL", "FAILOVER", SERVICE)

    async def cut_off(self, node: Node) -> None:
        """Sentinels and replica do not reach this master any more; its clients do."""
        await node.run("ACL", "SETUSER", WATCHER, "off")
        await node.run("CLIENT", "KILL", "USER", WATCHER)

    async def join(self, node: Node) -> None:
        """Everybody reaches it again; the sentinels make a replica of it."""
        await node.run("ACL", "SETUSER", WATCHER, "on")

    async def promoted(self, old: Node, within: float = 15.0) -> Node:
        """Wait until the other store is master, by its own word and by that of the sentinels."""
        new = self.other(old)

        async def there() -> bool:
            with suppress(*AWAY):
                return (await new.info("replication"))["role"] == "master" and await self.primary() is new
            return False

        await until(there, within=within, what="another master")
        return new

    async def whole(self, within: float = 30.0) -> None:
        """Wait until master and replica are in step and the sentinels are content: the next fault may come."""

        async def there() -> bool:
            with suppress(*AWAY, KeyError, StopIteration):
                return await in_step(await self.primary()) and await self._all_known()
            return False

        await until(there, within=within, what="master and replica in step again")

    async def stop(self) -> None:
        """End everything."""
        for one in [*self.sentinels, *self.stores]:
            await one.close()


async def in_step(master: Node) -> bool:
    """Whether a master has a replica that takes the stream: `online` alone is said before its first ACK, and until then
    nothing is sent to it.
    """
    with suppress(*AWAY):
        facts = await master.info("replication")
        replica = dict(word.split("=", 1) for word in facts.get("slave0", "").split(",") if "=" in word)
        return facts["role"] == "master" and replica.get("state") == "online" and int(replica["offset"]) > 0
    return False


@asynccontextmanager
async def watched_pair(
    folder: Path, *, fsync: str = "everysec", min_replicas: int = 0, maximum_lag: int = 2
) -> AsyncIterator[WatchedPair]:
    """A running pair; gone at the end of the block."""
    pair = WatchedPair(folder, fsync=fsync, min_replicas=min_replicas, maximum_lag=maximum_lag)
    try:
        await pair.start()
        yield pair
    finally:
        await pair.stop()
