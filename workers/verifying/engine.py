"""The engine of `claimstream verify`: rebuilds every projection from the logs and compares field by field.

One pass over each log, page by page. What has to be remembered grows with the claims that are open, with days
and with adjusters, not with the entries. Nothing is written.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Protocol

from domain.events import EVENTS, decode_body
from runtime.codec import OpenCodec
from runtime.entry import EntryReader
from workers.archivists import NO_ARCHIVES
from workers.claim_log import EventCodec
from workers.keys import CLAIM_LOG, NOTIFICATION_LOG, ClaimKeys
from workers.reading_ahead import one_ahead
from workers.verifying import figures_check, index_check, lists_check, sightings_check
from workers.verifying.archive_check import ArchiveCheck
from workers.verifying.chain_check import ChainCheck
from workers.verifying.claims_check import ClaimsCheck
from workers.verifying.figures_check import FiguresCheck
from workers.verifying.floors_check import FloorsCheck
from workers.verifying.index_check import IndexCheck
from workers.verifying.links import Links
from workers.verifying.lists_check import ListsCheck
from workers.verifying.names import Names
from workers.verifying.notices_check import NoticesCheck, check_dispatch
from workers.verifying.payees_check import PayeesCheck
from workers.verifying.payouts_check import PayoutsCheck
from workers.verifying.places import read_page, stand
from workers.verifying.records_check import KINDS, check_records
from workers.verifying.report import Findings, Progress, Report
from workers.verifying.rest_check import check_dead_letters, check_positions
from workers.verifying.sightings_check import SightingsCheck
from workers.whole_log import WholeLog

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from runtime.store.opening import OpenStore
    from workers.archivists import Archives
    from workers.verifying.places import Page, Place

FAMILIES = (*figures_check.FAMILIES, *lists_check.FAMILIES, *index_check.FAMILIES, *sightings_check.FAMILIES)


class HasStore(Protocol):
    """What a verification needs of the application: the opened store."""

    @property
    def store(self) -> OpenStore:
        """Connections and logs."""
        ...


async def verify(
    app: HasStore,
    *,
    progress: Callable[[Progress], None] | None = None,
    checkpoint_every: int = 1000,
    archives: Archives = NO_ARCHIVES,
) -> Report:
    """Check every invariant. `checkpoint_every` is what the auditor was told; what was trimmed comes from `archives`.

    Raises store faults, `Halted`, `Trimmed`, `ArchiveDamaged`.
    """
    began = time.monotonic()
    verification = Verification(app.store, progress, checkpoint_every, archives)
    return await verification.run(began)


class Verification:
    """One verification of one store."""

    def __init__(
        self,
        store: OpenStore,
        progress: Callable[[Progress], None] | None,
        checkpoint_every: int,
        archives: Archives = NO_ARCHIVES,
    ) -> None:
        """`progress` is called once per page."""
        self._store = store
        self._reads = store.reads
        self._progress = progress
        self._every = checkpoint_every
        self._archives = archives
        self._findings = Findings()
        self._names = Names(store.reads, FAMILIES)
        self._done = 0
        self._total = 0
        self._claims: set[str] = set()

    async def run(self, began: float) -> Report:
        """Everything, and the verdict."""
        places = await self._places()
        self._total = sum(place.entries for name in (CLAIM_LOG, *KINDS) for place in places.get(name, ()))
        for place in places.get(CLAIM_LOG, ()):
            await self._check_claims(place)
        await self._find_orphans(places)
        for name in KINDS:
            for place in places.get(name, ()):
                reader = EntryReader(place.keyspace.spec.entity_field, OpenCodec())
                log, archive = self._whole(place), await self._archive(place)
                self._tell(name, await check_records(self._reads, place, reader, self._findings, log, archive))
        for place in places.get(NOTIFICATION_LOG, ()):
            await check_dispatch(self._reads, place, self._keys(place), self._findings)
        for place in (place for found in places.values() for place in found):
            check_positions(place, self._findings)
            await check_dead_letters(self._reads, place, self._findings, self._whole(place))
        moving = _marks(places) != _marks(await self._places())
        return Report(
            ok=self._findings.ok,
            moving=moving,
            entries=self._done,
            claims=len(self._claims),
            seconds=round(time.monotonic() - began, 3),
            invariants=self._findings.by_name,
        )

    async def _places(self) -> dict[str, list[Place]]:
        """Every partition of every log, as it stands."""
        return {
            name: [
                await stand(self._store.commands, self._reads, log.keys, partition)
                for partition in range(log.keys.spec.partitions)
            ]
            for name, log in self._store.logs.items()
        }

    def _keys(self, place: Place) -> ClaimKeys:
        """The application's keys beside a partition of the claim log, or of the outbox, which is cut
        alike.
        """
        return ClaimKeys(self._store.logs[CLAIM_LOG].keys, place.partition)

    def _whole(self, place: Place) -> WholeLog:
        return WholeLog(self._reads, place.keyspace, place.partition, self._archives)

    async def _archive(self, place: Place) -> ArchiveCheck:
        archive = self._archives.of(place.keyspace.spec.name, place.partition)
        check = ArchiveCheck(self._reads, place, archive, self._findings)
        await check.begin()
        return check

    async def _check_claims(self, place: Place) -> None:
        """One pass over one partition of the claim log."""
        reads, findings, keys = self._reads, self._findings, self._keys(place)
        reader = EntryReader(place.keyspace.spec.entity_field, EventCodec(tuple(EVENTS), decode_body))
        claims = ClaimsCheck(reads, place, keys, findings)
        floors = FloorsCheck(reads, place, keys, findings)
        families = (
            claims,
            FiguresCheck(reads, place, keys, findings, self._names),
            ListsCheck(reads, place, keys, findings, self._names),
            PayeesCheck(reads, place, keys, findings, claims.paying),
            IndexCheck(reads, place, keys, findings, self._names),
            SightingsCheck(reads, place, keys, findings, self._names),
            PayoutsCheck(reads, place, keys, findings),
            NoticesCheck(reads, place, keys, findings),
            floors,
        )
        chain = ChainCheck(reads, place, keys, findings, self._every)
        await floors.begin()
        archive, links = await self._archive(place), Links()
        async with one_ahead(self._whole(place).pages()) as pages:
            async for rows in pages:
                linked = links.after(rows)
                archive.page(linked)
                page, wrong = read_page(reader, rows)
                self._note(page, wrong)
                await together(chain.page(linked), *(family.page(page) for family in families))
                self._tell(place.name, len(rows))
        for family in (*families, chain):
            await family.finish()
        archive.finish()
        self._claims |= claims.finished.keys()

    def _note(self, page: Page, wrong: list[str]) -> None:
        for what in wrong:
            self._findings["entries"].wrong(what)
        self._findings["entries"].right(len(page.entries) - len(wrong))

    async def _find_orphans(self, places: Mapping[str, list[Place]]) -> None:
        """Snapshots, versions and histories of claims that the log knows nothing of."""
        if not places.get(CLAIM_LOG):
            return
        prefix = self._store.logs[CLAIM_LOG].keys.spec.entity
        async for raw in self._reads.keys(f"{prefix}:*"):
            name = raw.decode(errors="replace")
            if name.split(":")[1] not in self._claims:
                self._findings["snapshot"].wrong(f"{name}: the log holds no fact of this claim")

    def _tell(self, stage: str, entries: int) -> None:
        self._done += entries
        if self._progress is not None:
            self._progress(Progress(stage, self._done, max(self._total, self._done)))


async def together(*work: Coroutine[Any, Any, None]) -> None:
    """Run checks side by side: while one waits for the store, another computes. The first failure ends them all."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _marks(places: Mapping[str, list[Place]]) -> list[object]:
    return [place.mark() for _, found in sorted(places.items()) for place in found]
