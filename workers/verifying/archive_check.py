"""The archive: its place in the store, and the end of its files where they can be seen, are links of the chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio.to_thread

from runtime.archive import ArchiveDamaged, Mark
from runtime.archive.frames import stored_mark

if TYPE_CHECKING:
    from runtime.archive import ArchiveReader
    from runtime.store.reads import Reads
    from workers.verifying.links import Linked
    from workers.verifying.places import Place
    from workers.verifying.report import Findings


class ArchiveCheck:
    """The archive of one partition of one log."""

    def __init__(self, reads: Reads, place: Place, archive: ArchiveReader | None, findings: Findings) -> None:
        """Without files the place in the store alone is checked."""
        self._reads = reads
        self._key = place.keyspace.archive(place.partition)
        self._archive = archive
        self._found = findings["archive"]
        self._count = 0
        self._wanted: dict[int, list[tuple[str, Mark]]] = {}

    async def begin(self) -> None:
        """Remember what is claimed before the log is read: it moves on meanwhile."""
        row = await self._reads.one("HGETALL", self._key)
        if row:
            self._claims(self._key, stored_mark(row))
        if self._archive is None:
            return
        try:
            tail = await anyio.to_thread.run_sync(self._archive.tail)
        except (OSError, ArchiveDamaged) as problem:
            self._found.wrong(f"the archive {self._archive.directory} cannot be read: {problem}")
            return
        if tail.count:
            self._claims(f"the archive {self._archive.directory}", tail)

    @property
    def waits(self) -> bool:
        """Is there an entry further on whose link has to be compared?"""
        return bool(self._wanted)

    def page(self, linked: Linked) -> None:
        """The next entries."""
        self._count = linked.upto
        for count in [count for count in self._wanted if linked.before < count <= linked.upto]:
            chain = linked.chain(count)
            stands = Mark(count, chain.last, chain.head).stored()
            for where, mark in self._wanted.pop(count):
                self._found.same(f"{where}, entry {count:,}", stands, mark.stored())

    def finish(self) -> None:
        """Nothing may be archived that the log never had."""
        for found in self._wanted.values():
            for where, mark in found:
                self._found.wrong(f"{where} has {mark.count:,} entries up to {mark.last}, the log {self._count:,}")

    def _claims(self, where: str, mark: Mark) -> None:
        if mark.count:
            self._wanted.setdefault(mark.count, []).append((where, mark))
