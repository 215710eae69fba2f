"""The generic actors of the crash points: each leaves a trace that shows what was lost, done twice or out of order."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, ClassVar

from runtime.actor import Actor, handles
from runtime.archive import ArchiveOptions
from runtime.archive.archiver import Archiver
from runtime.clock import SystemClock
from runtime.codec import OpenCodec
from runtime.effects import Append, Effects, SortedSetRemove
from runtime.plan import ActorPlan, ClusterPlan, LogPlan
from runtime.serving.ticker import TimedActor
from runtime.store.keys import Keyspace, LogSpec
from tests.chaos.crash_points.orders import archive, cured, sent
from tests.support.hosts import LOG, Lister, spec
from tests.support.things import fact
from workers.dispatcher import Dispatcher
from workers.keys import NOTIFICATION_LOG, ClaimKeys, claim_log, notification_log
from workers.ports import Delivered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.entry import Entry
    from runtime.store.opening import OpenStore
    from workers.ports import OutboundMessage, Outcome

COPIES = LogSpec("copies", "copy", "thingId")
TIMERS = "timers"
BAD = "BAD"
"""Entities whose name begins so are poison until they are cured."""

GROUPS = {"listers": LOG, "copiers": LOG, "archivists": LOG, "dispatchers": NOTIFICATION_LOG}
"""Every group, and the log that it reads."""


class Picky(Lister):
    """Lists what it sees; bad entities fail until somebody has cured them."""

    def __init__(self, folder: str) -> None:
        """`folder` holds the sign that they are cured."""
        self._cured = cured(folder)

    async def before(self, entry: Entry) -> None:
        """Fail on a bad one."""
        if entry.entity.startswith(BAD) and not self._cured.exists():
            raise ValueError(f"{entry.event_id} is bad")


class Copier(Actor):
    """Appends a copy of each fact to another log: each input has exactly one output."""

    name: ClassVar[str] = "copier"
    group: ClassVar[str] = "copiers"

    @handles("thing.happened")
    def copy(self, entry: Entry) -> Effects:
        """One fact about an entity of its own."""
        of = entry.event_id
        return [Append(COPIES.name, of, 0, (fact(of, 1),), {"last": of}, (), f"copy-{of}")]


class Clerk(TimedActor):
    """Appends a fact for each timer that is due."""

    name: ClassVar[str] = "clerk"
    log: ClassVar[str] = LOG

    def __init__(self, store: OpenStore) -> None:
        """`store` is asked for the timers."""
        self._store = store

    async def due(self, partition: int) -> Sequence[Append]:
        """A timer is an entity; its fact takes the timer off the list."""
        del partition
        names = [name.decode() for name in await self._store.reads.one("ZRANGE", TIMERS, 0, 9)]
        return [
            Append(LOG, name, 0, (fact(name, 1),), {"last": name}, (SortedSetRemove(TIMERS, (name,)),), f"timer-{name}")
            for name in names
        ]


class Archivist(Archiver):
    """Archives the things."""

    name: ClassVar[str] = "archivist"
    group: ClassVar[str] = "archivists"
    log: ClassVar[str] = LOG


class FileChannel:
    """Writes the key of each message to a file, and says that it was delivered."""

    name = "file"

    def __init__(self, folder: str) -> None:
        """The file may be shared by processes."""
        self._path = sent(folder)

    async def deliver(self, messages: Sequence[OutboundMessage]) -> Sequence[Outcome]:
        """All of them, in one write."""
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(file, b"".join(f"{message.key}\n".encode() for message in messages))
        os.close(file)
        return [Delivered(message.key, "ref") for message in messages]

    async def aclose(self) -> None:
        """Nothing is held."""


def chain(head: bytes, entry_id: bytes, fields: Sequence[bytes]) -> bytes:
    """The next head of the archive's chain."""
    return hashlib.sha256(head + entry_id + b"".join(fields)).digest()


def logs() -> list[LogPlan]:
    """Every log."""
    return [LogPlan(one, OpenCodec()) for one in (spec(), COPIES, notification_log(1))]


def cluster(store: OpenStore, folder: str) -> ClusterPlan:
    """Every actor; `store` is the one that they run on."""
    clock, keys = SystemClock(), ClaimKeys(Keyspace(claim_log(1)), 0)
    options = ArchiveOptions(compare_seconds=0.2)
    actors = [
        ActorPlan("lister", "listers", LOG, lambda _: Picky(folder)),
        ActorPlan("copier", "copiers", LOG, lambda _: Copier()),
        ActorPlan("clerk", "clerk", LOG, lambda _: Clerk(store), timed=True),
        ActorPlan(
            "archivist", "archivists", LOG, lambda n: Archivist(store, n, archive(folder), chain, options, clock)
        ),
        ActorPlan(
            "dispatcher", "dispatchers", NOTIFICATION_LOG,
            lambda _: Dispatcher(keys, FileChannel(folder), store.reads, clock),
        ),
    ]  # fmt: skip
    return ClusterPlan(logs(), actors)


def groups() -> dict[str, list[str]]:
    """The groups of each log."""
    return {log: [group for group, of in GROUPS.items() if of == log] for log in (LOG, COPIES.name, NOTIFICATION_LOG)}
