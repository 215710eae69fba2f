"""Floors of read views: those that have not expired stand exactly where the newest fact put them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.stale_views import stale_views
from workers.cache_invalidator import CacheInvalidator

if TYPE_CHECKING:
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
        for entry, fact in zip(page.entries, page.facts, strict=True):
            if fact is None or not self._floors or not self._place.applied(CacheInvalidator.group, entry):
                continue
            for view in stale_views(fact):
                name = self._keys.floor(view.subject)
                if name in self._floors and view.version != 1:
                    version = entry.added_ms + 1 if view.version is None else view.version
                    self._floors[name] = max(self._floors[name], version)

    async def finish(self) -> None:
        """Compare those that are still there."""
        names = list(self._floors)
        for name, stored in zip(names, await self._reads.many([("GET", name) for name in names]), strict=True):
            if stored is not None:
                self._found.same(name, str(self._floors[name]).encode(), stored)
