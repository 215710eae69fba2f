"""Where documents and contacts were seen: each that the facts show is noted with its claim, and nothing else is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.claims_processor import ClaimsProcessor
from workers.sightings import sightings_of
from workers.verifying.report import shown

if TYPE_CHECKING:
    from runtime.store.reads import Reads
    from workers.keys import ClaimKeys
    from workers.sightings import Sighting
    from workers.verifying.names import Names
    from workers.verifying.places import Page, Place
    from workers.verifying.report import Findings

FAMILIES = ("seen",)


class SightingsCheck:
    """`seen:*` of one partition."""

    def __init__(self, reads: Reads, place: Place, keys: ClaimKeys, findings: Findings, names: Names) -> None:
        """`keys` of the partition."""
        self._reads = reads
        self._place = place
        self._keys = keys
        self._names = names
        self._found = findings["sightings"]
        self._expected: set[tuple[str, str]] = set()

    async def page(self, page: Page) -> None:
        """What the facts of one page show has to be noted."""
        shown_here: list[Sighting] = []
        for entry, fact in self._place.settled(ClaimsProcessor.group, page):
            shown_here += sightings_of(fact, page.begun.get(entry.id))
        questions = [("HGET", self._keys.seen(one.thing), one.claim_id) for one in shown_here]
        for one, stored in zip(shown_here, await self._reads.many(questions), strict=True):
            key = self._keys.seen(one.thing)
            self._expected.add((key, one.claim_id))
            self._found.same(f"{key}: {one.claim_id}", one.kept.encode(), stored)

    async def finish(self) -> None:
        """Whatever stands there besides."""
        names = await self._names.of("seen", self._keys)
        rows = await self._reads.many([("HKEYS", name) for name in names])
        for name, row in zip(names, rows, strict=True):
            for claim_id in (raw.decode(errors="replace") for raw in row):
                if (name, claim_id) not in self._expected:
                    self._found.wrong(f"{name}: {shown(claim_id)} is there, and no fact puts it there")
