"""What happens to a cluster of claims, by seed."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from tests.chaos.support.claims_run import AWAY, LEASE_SECONDS, groups_of
from tests.support.waiting import until

if TYPE_CHECKING:
    import random

    from tests.chaos.support.claims_run import ClaimsCluster, Process


class Nemesis:
    """Does harm, one fault at a time. `words`: with what a process that died is followed by another one."""

    def __init__(self, cluster: ClaimsCluster, chance: random.Random, *words: str) -> None:
        """The cluster runs."""
        self.cluster = cluster
        self.chance = chance
        self.words = words
        self.done: dict[str, int] = {}

    async def strike(self, *faults: str) -> None:
        """One fault, of these or of all."""
        name = self.chance.choice(faults or FAULTS)
        self.done[name] = self.done.get(name, 0) + 1
        await getattr(self, name)()

    async def kill(self) -> None:
        """Kill a worker; a parent brings another one, else we do."""
        one, pid = self._worker()
        os.kill(pid, signal.SIGKILL)
        if pid == one.process.pid:
            one.process.wait()
            self.cluster.bury(one)
            self.cluster.launch(*self.words)

    async def pause(self) -> None:
        """A worker sleeps beyond its lease, and wakes up as a zombie."""
        _, pid = self._worker()
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(LEASE_SECONDS + 0.5)
            os.kill(pid, signal.SIGCONT)

    async def destroy_group(self) -> None:
        """Somebody destroys a consumer group."""
        log, group = await self._group()
        await self._tried("XGROUP", "DESTROY", log, group)

    async def set_back(self) -> None:
        """Somebody sets a group's cursor back to the beginning."""
        log, group = await self._group()
        await self._tried("XGROUP", "SETID", log, group, "0")

    async def delete_consumer(self) -> None:
        """Somebody deletes the consumers of a group, with all that is pending at them."""
        log, group = await self._group()
        for row in await self._tried("XINFO", "CONSUMERS", log, group) or []:
            await self._tried("XGROUP", "DELCONSUMER", log, group, row.get(b"name") or row.get("name"))

    async def cut(self) -> None:
        """All connections are closed."""
        await self._tried("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    async def pause_clients(self) -> None:
        """The store answers nobody for a while."""
        await self._tried("CLIENT", "PAUSE", 1500)
        await asyncio.sleep(1.0)

    async def kill_store(self) -> None:
        """The store dies and comes back with all that it had confirmed."""
        await self.cluster.restart_store()

    def _worker(self) -> tuple[Process, int]:
        one = self.chance.choice(self.cluster.processes)
        return one, self.chance.choice(one.workers())

    async def _group(self) -> tuple[str, str]:
        """Any group of any partition that has something to lose."""
        keys = self.chance.choice(self.cluster.keyspaces)
        partition = self.chance.randrange(keys.spec.partitions)
        with suppress(*AWAY):
            return keys.log(partition), self.chance.choice(await groups_of(self.cluster.client, keys, partition))
        return keys.log(partition), "processors"

    async def _tried(self, *words: Any) -> Any:
        with suppress(ResponseError, *AWAY):
            return await self.cluster.client.execute_command(*words)
        return None

    async def end(self) -> None:
        """Everybody that is left runs; who came while the store was away is started again, as its manager would."""
        for one in list(self.cluster.processes):
            await until(lambda one=one: one.met_no_store or one.has_started(), within=25.0, what="all are up")  # type: ignore[misc]
            if one.met_no_store:
                self.cluster.bury(one)
                await self.cluster.birth(*self.words)


FAULTS = ("kill", "pause", "destroy_group", "set_back", "delete_consumer", "cut", "pause_clients", "kill_store")
