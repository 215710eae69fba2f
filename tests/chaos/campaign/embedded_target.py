"""The embedded store as a target: one real server under our own supervision, on a data directory of the seed's own."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import redis.exceptions
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from runtime.embedded.options import EmbeddedOptions
from runtime.embedded.server import EmbeddedServer
from tests.chaos.campaign.dump import Dump, dump_of
from tests.chaos.campaign.target import Upstream
from tests.support.waiting import NotInTimeError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.chaos.campaign.target import Wanted

AWAY = (redis.exceptions.RedisError, OSError)
"""What a client of a store sees that is killed, paused or full."""

TOPOLOGY_FAULTS = frozenset(
    {
        "fail over in good order", "kill the primary until another took over",
        "stop the primary until another took over", "cut the primary off from the others",
        "move the slot of a partition",
    }
)  # fmt: skip
"""Faults that need more than one server (`topologies/campaign_faults.py`)."""

PROBE = "campaign:probe"
"""Key that is written to see whether writes are taken."""


class EmbeddedTarget:
    """See `target.Target`."""

    name = "embedded"
    proxied = True
    without = TOPOLOGY_FAULTS
    confirmed_survive = True
    partitions: int | None = None

    def __init__(self, wanted: Wanted) -> None:
        """Nothing is started."""
        self.data_dir: Path | None = wanted.folder / "store"
        self.fsync = wanted.fsync
        self.server = EmbeddedServer(
            EmbeddedOptions(
                data_dir=str(self.data_dir),
                socket_dir=str(wanted.folder / "s"),
                appendfsync=wanted.fsync,
                min_free_mib=0,
                max_memory_mib=256,
                restart_first_seconds=0.05,
                restart_longest_seconds=0.2,
            )
        )
        self._client: Redis | None = None

    @property
    def store_pid(self) -> int | None:
        """The server's process."""
        return self.server.store.server_pid if self.server.running else None

    async def start(self) -> None:
        """Start the server."""
        await self.server.start()

    async def stop(self) -> None:
        """End it; its data stay in the seed's folder."""
        if self._client is not None:
            with suppress(*AWAY):
                await self._client.aclose()
            self._client = None
        self.server.stop_now(2.0)

    def upstream(self) -> Upstream:
        """Its socket; the same one after every restart."""
        return Upstream(socket_path=self.server.store.socket_path)

    def settings(self, instead: str = "") -> Mapping[str, str]:
        """Where it is, or where a proxy is."""
        return {"REDIS_URL": instead or self.server.url}

    def client(self) -> Redis:
        """A connection of our own, made when it is first needed."""
        if self._client is None:
            self._client = Redis(
                unix_socket_path=self.server.store.socket_path, socket_timeout=5.0, protocol=2,
                retry=Retry(NoBackoff(), 0),
            )  # fmt: skip
        return self._client

    async def run(self, *words: str | bytes | int, key: str | None = None) -> Any:
        """There is one node."""
        del key
        return await self.client().execute_command(*words)  # type: ignore[no-untyped-call]

    async def kill_primary(self) -> None:
        """Kill the server."""
        os.kill(self.server.store.server_pid, signal.SIGKILL)

    async def shut_primary_down(self) -> None:
        """End it as an administrator does."""
        with suppress(*AWAY):
            await self.run("SHUTDOWN")
        await self.server.wait()

    async def restart_primary(self) -> None:
        """Start it again on what it had confirmed."""
        await self.server.wait()
        await self.server.restart()

    async def writable(self, within: float) -> float:
        """Poll with a write."""
        began = time.monotonic()
        while True:
            try:
                await self.run("SET", PROBE, "1", "PX", 1000)
                return time.monotonic() - began
            except AWAY as problem:
                if time.monotonic() - began > within:
                    raise NotInTimeError("the store takes writes", within, problem) from problem
            await asyncio.sleep(0.01)

    async def dump(self) -> Dump:
        """Everything that it holds."""
        return await dump_of(self.run)

    def conditions(self) -> Mapping[str, str]:
        """Server and version."""
        store = self.server.store
        return {"server": f"{store.name} {store.version}", "topology": "one embedded server"}
