"""What a campaign is run against: one embedded store, a pair watched by sentinels, a cluster of six nodes.

A target owns its store processes and nothing else. The campaign starts workers and clients with the environment that
`settings` gives, hits the store through `kill_primary`, `restart_primary` and `run`, and judges what `dump` returned.

    async with opened(make("embedded", Wanted(seed=7, partitions=4, fsync="always", folder=folder))) as target:
        ...

A new target is a class with these methods and a line in `TARGETS` (`targets.py`).

* All methods are called from the main thread of the process of one seed, whose loop is `asyncio`.
* `start` returns when a write would be taken; `stop` leaves no process, no file outside `folder`; twice is legal.
* `kill_primary` is `kill -9` of the process that takes the writes of partition 0 (embedded: of the one store; Cluster:
  the master of that slot) and returns at once. `restart_primary` brings *that node* back, in whatever role the
  topology gives it. In between a topology fails over by itself, and `writable` says when writes are taken again.
* `run` sends one command to the primary that holds `key` (any primary when None), over a connection of its own that
  is not proxied, and raises what redis-py raises.
* `dump` is called at rest, after the workers have been stopped: every key of every primary (`dump.py`).
* `proxied`: may a proxy stand between a worker and this target? Only where a client connects to the one address that
  it was given. Then `upstream` is that address (a unix socket path, or host and port), and `settings` takes the
  address to be used instead of it.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from tests.chaos.campaign.dump import Dump

Fsync = Literal["always", "everysec", "no"]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a seed asks of its target. `folder` is a fresh directory of the seed's own, with a short path."""

    seed: int
    partitions: int
    fsync: Fsync
    folder: Path


class Upstream(msgspec.Struct, frozen=True):
    """Where a proxy connects to: a unix socket, or a host and a port."""

    socket_path: str = ""
    host: str = ""
    port: int = 0


class Target(Protocol):
    """See the module's docstring."""

    name: str
    """As in `--target NAME`."""
    proxied: bool
    """May a proxy stand between a client and this target?"""
    without: frozenset[str]
    """Faults (names of `faults.FAULTS`) that make no sense here, or that the topology brings itself."""
    confirmed_survive: bool
    """Must every append that was answered be there in the end? (Not for unconfirmed ones across a failover.)"""
    data_dir: Path | None
    """The locked data directory of an embedded store; None when there is none."""
    partitions: int | None
    """How many partitions there have to be; None: as the plan says."""
    store_pid: int | None
    """The process that takes the writes of partition 0 now; None while it is dead."""

    async def start(self) -> None:
        """Start everything; return when writes are taken."""
        ...

    async def stop(self) -> None:
        """End every process of the target. Legal twice, and after a start that failed."""
        ...

    def upstream(self) -> Upstream:
        """Where proxies connect to; asked only when `proxied`."""
        ...

    def settings(self, instead: str = "") -> Mapping[str, str]:
        """The environment (`CLAIMSTREAM_STORE__URL` ...) by which a worker or client finds the store.

        `instead`: the URL of a proxy to be used in place of the target's own.
        """
        ...

    async def run(self, *words: str | bytes | int, key: str | None = None) -> Any:
        """Send one command to the primary that holds `key`; reply as redis-py shapes it (RESP2, bytes)."""
        ...

    async def kill_primary(self) -> None:
        """Kill -9 the process that takes the writes of partition 0."""
        ...

    async def shut_primary_down(self) -> None:
        """Ask the same process to end in good order (SHUTDOWN), and wait until it is gone."""
        ...

    async def restart_primary(self) -> None:
        """Bring the node back that was killed or shut down last; with its data."""
        ...

    async def writable(self, within: float) -> float:
        """Seconds until a write was taken again, polling. Raises `NotInTimeError` after `within` seconds."""
        ...

    async def dump(self) -> Dump:
        """Everything in the store."""
        ...

    def conditions(self) -> Mapping[str, str]:
        """Server, version, fsync policy, topology: for the head of the report."""
        ...


@asynccontextmanager
async def opened(target: Target) -> AsyncIterator[Target]:
    """A target that runs; it is gone with all its processes at the end of the block."""
    try:
        await target.start()
        yield target
    finally:
        await target.stop()
