"""Floors of read views: those that have not expired stand exactly where the newest fact put them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.stale_views import scope_of
from workers.cache_invalidator import CacheInvalidator

if TYPE_CHECKING:
    from domain.stale_views import Scope
    from runtime.entry import Entry
    from runtime.store.reads import Reads
    from workers.keys import ClaimKeys
    from workers.verifying.places import Page, Place
    from workers.verifying.report import Findings


class FloorsCheck:
    """The floors of one partition; only those that are there at the start are followed."""

    def __init__(self, reads: Reads, place: Place, keys: ClaimKeys, findings: Findings) -> None:
        """`keys` of the partition."""
        self._reads = reads
        self._place = place
        self._keys = keys
        self._found = findings["floors"]
        self._floors: dict[str, int] = {}

    async def begin(self) -> None:
        """Find the floors that there are."""
        own = self._keys.name("")
        async for raw in self._reads.keys(self._keys.floor("*")):
            name = raw.decode()
            if own or ":{p" not in name:
                self._floors[name] = 0

    async def page(self, page: Page) -> None:
        """Raise them."""
        if not self._floors:
            return
        newest: dict[Scope, tuple[int, Entry]] = {}
        for entry, fact in self._place.settled(CacheInvalidator.group, page):
            scope = scope_of(fact)
            if scope is not None:
                sequence = newest[scope][0] if scope in newest else 0
                newest[scope] = (max(sequence, fact.sequence), entry)
        for scope, (sequence, last) in newest.items():
            for subject in scope.views():
                name = self._keys.floor(subject)
                if name in self._floors:
                    version = sequence if subject == scope.claim else last.added_ms + 1
                    self._floors[name] = max(self._floors[name], version)

    async def finish(self) -> None:
        """Compare those that are still there."""
        names = list(self._floors)
        for name, stored in zip(names, await self._reads.many([("GET", name) for name in names]), strict=True):
            if stored is not None:
                self._found.same(name, str(self._floors[name]).encode(), stored)
