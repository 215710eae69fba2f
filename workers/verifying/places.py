"""Where a verification looks: one partition of a log, its groups as they stood, and its entries page by
page.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from domain.bodies.intake import ClaimSubmitted
from domain.claim import ImpossibleFact, evolve
from runtime.errors import Unreadable
from runtime.store.position import look
from workers.claim_log import fact_of
from workers.whole_log import flat

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from redis.asyncio import Redis

    from domain.claim_record import Claim
    from domain.events import Fact
    from runtime.answers import Look
    from runtime.entry import Entry, EntryReader, RawEntry
    from runtime.store.keys import Keyspace
    from runtime.store.reads import Reads

PAGE = 500
"""Entries that are looked at together: one round trip for each kind of question about them."""

EntryId = tuple[int, int]


def ordered(entry_id: str | bytes) -> EntryId:
    """An entry id as two numbers that compare as the log does."""
    text = entry_id.decode() if isinstance(entry_id, bytes) else entry_id
    ms, _, number = text.partition("-")
    return int(ms), int(number or 0)


class Standing(NamedTuple):
    """A group: how far its effects reach, and which entries it parked, so that their effects are missing."""

    look: Look
    position: EntryId
    parked: frozenset[str]

    def applied(self, entry: Entry) -> bool:
        """Are the effects of this entry in the store?"""
        return ordered(entry.id) <= self.position and entry.id not in self.parked

    def behind(self, last: str | bytes) -> bool:
        """Has the group come past this entry, so that of what is before it only parked entries have no effect?"""
        return ordered(last) <= self.position


class Place(NamedTuple):
    """One partition of a log."""

    keyspace: Keyspace
    partition: int
    groups: Mapping[str, Standing]

    @property
    def name(self) -> str:
        """The stream, as people know it."""
        return self.keyspace.log(self.partition)

    @property
    def entries(self) -> int:
        """How many entries the log holds, as far as its groups saw it."""
        return max((standing.look.length for standing in self.groups.values()), default=0)

    def applied(self, group: str, entry: Entry) -> bool:
        """Are the effects of this entry by that group in the store? Not when there is no such group."""
        standing = self.groups.get(group)
        return standing is not None and standing.applied(entry)

    def settled(self, group: str, page: Page) -> list[Stated]:
        """The facts of a page whose effects by that group are in the store; mostly the page's own list: leave it
        as it is.
        """
        standing = self.groups.get(group)
        if standing is None:
            return []
        if not standing.behind(page.entries[-1].id):
            return [one for one in page.stated if standing.applied(one[0])]
        if standing.parked:
            return [one for one in page.stated if one[0].id not in standing.parked]
        return page.stated

    def mark(self) -> tuple[object, ...]:
        """Something that changes when the cluster works on this place."""
        return tuple((name, one.look.position, one.look.added) for name, one in sorted(self.groups.items()))


async def stand(client: Redis, reads: Reads, keyspace: Keyspace, partition: int) -> Place:
    """Look at one partition of a log and at every group that it ever had."""
    state = await reads.one("HGETALL", keyspace.state(partition))
    groups: dict[str, Standing] = {}
    for field in state:
        kind, _, group = field.decode().partition(":")
        if kind != "group":
            continue
        seen = await look(client, keyspace, group, partition)
        parked = [
            _named(fields)[b"originId"].decode() async for _, fields in reads.stream(keyspace.parked(group, partition))
        ]
        groups[group] = Standing(seen, ordered(seen.position), frozenset(parked))
    return Place(keyspace, partition, groups)


def _named(fields: Sequence[bytes]) -> dict[bytes, bytes]:
    return dict(zip(fields[::2], fields[1::2], strict=True))


async def pages(reads: Reads, key: str, size: int = PAGE, *, since: str = "-") -> AsyncGenerator[list[RawEntry], None]:
    """Every entry of a stream in order, a page at a time; `since`: from this id on."""
    start = since
    while True:
        (rows,) = await reads.many([("XRANGE", key, start, "+", "COUNT", size)], raw=True)
        if rows:
            yield [(entry_id, flat(fields)) for entry_id, fields in rows]
        if len(rows) < size:
            return
        start = f"({rows[-1][0].decode()}"


Stated = tuple["Entry", "Fact"]
"""An entry with the fact that it states."""


class Page:
    """Consecutive entries of the claim log with the facts that they state; None: a request, or unreadable.

    Decoded once, for everybody who checks something on it.
    """

    def __init__(self, entries: list[Entry], facts: list[Fact | None]) -> None:
        """`entries` are one or more."""
        self.entries = entries
        self.facts = facts

    @cached_property
    def stated(self) -> list[Stated]:
        """The facts with their entries."""
        return [(entry, fact) for entry, fact in zip(self.entries, self.facts, strict=True) if fact is not None]

    @cached_property
    def begun(self) -> dict[str, Claim]:
        """Entry id -> the claim as this first notice makes it. A notice that makes none is left out."""
        found: dict[str, Claim] = {}
        for entry, fact in self.stated:
            if isinstance(fact.body, ClaimSubmitted):
                try:
                    found[entry.id] = evolve(None, fact)
                except (ImpossibleFact, ValueError):
                    continue  # a finding of the claims already
        return found


def read_page(reader: EntryReader, rows: Sequence[RawEntry]) -> tuple[Page, list[str]]:
    """Decode a page. Returns it with what is wrong with entries that claim to be facts."""
    entries = [reader.read(row) for row in rows]
    facts: list[Fact | None] = []
    wrong: list[str] = []
    for entry in entries:
        fact: Fact | None = None
        if entry.sequence != 0:
            try:
                if entry.fault:
                    raise Unreadable(entry.fault)
                fact = fact_of(entry)
            except Unreadable as problem:
                wrong.append(f"{entry.id}: {problem}")
        facts.append(fact)
    return Page(entries, facts), wrong
