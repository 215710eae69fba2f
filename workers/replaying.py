"""Replays a group: its projection is built anew beside the live one, compared with it, and swapped for it.

What has effects outside of its own keys is never replayed into them: intents are only compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from domain.events import EVENTS, decode_body
from runtime.entry import EntryReader, in_order
from runtime.errors import RuntimeFault
from runtime.store.rebuilding import Rebuild
from workers.analytics import Analytics
from workers.claim_log import EventCodec
from workers.keys import CLAIM_LOG, ClaimKeys
from workers.replay_compare import compare
from workers.replay_staging import Staging
from workers.whole_log import WholeLog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from runtime.actor import Actor
    from runtime.entry import Entry
    from runtime.store.encoding import Log
    from runtime.store.opening import OpenStore
    from runtime.store.reads import Reads
    from runtime.store.rebuilding import Live
    from workers.archivists import Archives

TRIES = 500
"""Swaps that may find the live group elsewhere: at a try in some 5 ms, a few seconds under full load."""

COMPARISONS = 5
"""Comparisons that may find the live group elsewhere before it is told that there is none."""


class Projection(NamedTuple):
    """What a group can be rebuilt to: the actor over other key names, and the names of its live keys."""

    build: Callable[[ClaimKeys, Reads], Actor]
    families: tuple[str, ...]


PROJECTIONS: dict[str, Projection] = {
    "analytics": Projection(Analytics, ("analytics:*", "leaderboard:*", "metrics:*", "kpi:*")),
}
"""Groups whose whole effect is their own keys, folded from facts alone."""

COMPARED: dict[str, str] = {
    "notifications": "its intents were sent: they are compared with what the facts ask for, and nothing is sent",
}
"""Groups that are replayed into nothing."""

NOT_REPLAYED: dict[str, str] = {
    "processors": "it decides: a replay would decide again. Its work lists and its index of losses are compared by"
    " `claimstream rebuild --check`",
    "auditors": "its chain is evidence and is never written anew: `claimstream audit verify` checks it",
    "archivists": "the archive is evidence and is never written anew: `claimstream audit verify` checks it",
    "cache-invalidators": "it only drops views, which are filled again when they are asked for: there is nothing to"
    " rebuild",
    "dispatchers": "it sends: a replay would send again. What became of each intent is checked by `claimstream verify`",
    "payments": "it pays: a replay would pay again. `claimstream verify` checks its records",
    "intake": "it adopts requests, which is done once: `claimstream parked retry` takes up those that failed",
    "simulator": "it plays people, and decides as they do: a replay would decide again",
}
"""Groups that are not replayed, and why."""


class StagedKeys(ClaimKeys):
    """The application's key names, each beside the live one."""

    def __init__(self, log: Log, partition: int, rebuild: Rebuild) -> None:
        """Names as the rebuild makes them."""
        super().__init__(log.keys, partition)
        self._rebuild = rebuild

    def name(self, base: str) -> str:
        """The staged name."""
        return self._rebuild.staged(base)


class Replayed(msgspec.Struct, kw_only=True):
    """What a replay of one partition came to. `differences` None: the live one never stood still for it."""

    partition: int
    entries: int
    position: str
    differences: int | None
    first: list[str]
    swapped: bool


class Replay:
    """The replay of one partition of a projection."""

    def __init__(
        self,
        store: OpenStore,
        group: str,
        partition: int,
        archives: Archives,
        progress: Callable[[int], None] = lambda done: None,
    ) -> None:
        """`progress` gets the entries done."""
        self._reads = store.reads
        self._log = store.logs[CLAIM_LOG]
        self._group = group
        self._partition = partition
        self._projection = PROJECTIONS[group]
        self._rebuild = Rebuild(store.commands, store.reads, self._log, group, partition)
        self._keys = StagedKeys(self._log, partition, self._rebuild)
        self._staging = Staging(
            self._rebuild,
            WholeLog(store.reads, self._log.keys, partition, archives),
            EntryReader(self._log.keys.spec.entity_field, EventCodec(tuple(EVENTS), decode_body)),
            partition,
            lambda: self._projection.build(self._keys, self._reads),
            progress,
        )

    async def run(self, *, dry_run: bool, who: str = "", why: str = "") -> Replayed:
        """Build, compare and (unless `dry_run`) swap. Raises `Unsettled` when the live group never stands still."""
        await self._rebuild.begin()
        try:
            return await self._run(dry_run=dry_run, who=who, why=why)
        finally:
            await self._rebuild.begin()

    async def _run(self, *, dry_run: bool, who: str, why: str) -> Replayed:
        compared, strangers = await self._compared()
        swapped = dry_run
        for _ in range(TRIES):
            if swapped:
                break
            live = await self._caught_up()
            every = self._pairs()
            pairs = [(pair.staged, pair.live) for pair in every if pair.staged not in self._staging.stays]
            known = {pair.live for pair in every}
            gone = [name for name in strangers if name not in known]
            swapped = await self._rebuild.swap(live, pairs, gone, who=who, why=why)
        if not swapped:
            raise Unsettled(f"the live group {self._group} never stood still for a swap: try again when less comes in")
        count, first = compared if compared is not None else (None, [])
        return Replayed(
            partition=self._partition,
            entries=self._rebuild.count,
            position=self._rebuild.position,
            differences=count,
            first=first,
            swapped=not dry_run,
        )

    async def _compared(self) -> tuple[tuple[int, list[str]] | None, list[str]]:
        """Differences, when both stand at one place for so long; and live keys that no fact explains."""
        strangers: list[str] = []
        for _ in range(COMPARISONS):
            live = await self._caught_up()
            pairs = await self._there(self._pairs())
            strangers = await self._strangers({pair.live for pair in pairs})
            if not live.there:
                break
            seen = await compare(self._reads, pairs, strangers)
            if await self._rebuild.live() == live:
                return seen, strangers
        return None, strangers

    async def _caught_up(self) -> Live:
        """Stage what the live group has settled, and find it where the rebuild stands."""
        while True:
            live, parked = await self._rebuild.look()
            await self._staging.without(parked)
            upto = live.position if live.there else await self._end()
            if upto in ("0-0", self._rebuild.position) or not upto:
                if not self._rebuild.position:
                    await self._rebuild.apply([], upto or "0-0", 0)
                return live
            await self._staging.up_to(upto)

    async def _end(self) -> str:
        rows = await self._reads.one("XREVRANGE", self._log.keys.log(self._partition), "+", "-", "COUNT", 1)
        return rows[0][0].decode() if rows else ""

    def _pairs(self) -> list[Pair]:
        """Staged and live names that belong together."""
        return [Pair(name, self._rebuild.live_name(name)) for name in self._rebuild.names]

    async def _there(self, pairs: list[Pair]) -> list[Pair]:
        """Those to compare: a key that ends by itself may have ended."""
        ttls = await self._reads.many([("TTL", pair.staged) for pair in pairs])
        exists = await self._reads.many([("EXISTS", pair.live) for pair in pairs])
        return [pair for pair, ttl, there in zip(pairs, ttls, exists, strict=True) if there or ttl == -1]

    async def _strangers(self, known: set[str]) -> list[str]:
        """Live keys of the family that the rebuild does not have."""
        own = ClaimKeys(self._log.keys, self._partition).name("")
        found: set[str] = set()
        for family in self._projection.families:
            async for raw in self._reads.keys(f"{family}{own}"):
                name = raw.decode()
                if name not in known and (own or ":{p" not in name):
                    found.add(name)
        return sorted(found)


class Pair(NamedTuple):
    """A staged key and the live one that it stands for."""

    staged: str
    live: str


class Unsettled(RuntimeFault):
    """The live group moved on each time that the rebuild had caught up with it."""


async def entries_between(
    reads: Reads, log: Log, partition: int, archives: Archives, first: str, last: str
) -> AsyncIterator[list[Entry]]:
    """The entries from the id `first` ('' the beginning) to `last` ('' the end), inclusive, a page at a time."""
    reader = EntryReader(log.keys.spec.entity_field, EventCodec(tuple(EVENTS), decode_body))
    floor = in_order(first) if first else (-1, -1)
    end = in_order(last) if last else None
    async for rows in WholeLog(reads, log.keys, partition, archives).pages(_just_before(first)):
        entries = [reader.read(row) for row in rows]
        part = [one for one in entries if in_order(one.id) >= floor and (end is None or in_order(one.id) <= end)]
        if part:
            yield part
        if end is not None and in_order(entries[-1].id) > end:
            return


def _just_before(first: str) -> str:
    if not first or in_order(first) <= (0, 0):
        return ""
    ms, number = in_order(first)
    return f"{ms}-{number - 1}" if number else f"{ms - 1}-{2**64 - 1}"
