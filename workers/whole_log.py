"""A whole log, whatever was trimmed: what the store has no more comes from the archive. Reads only.

Trimming never passes the archive, so between the two nothing is missing; a trim in the middle of a reading is met by
asking the archive again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio.to_thread

from runtime.entry import in_order
from runtime.errors import RuntimeFault
from workers.archivists import NO_ARCHIVES

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable

    from runtime.archive import Archived, ArchiveReader
    from runtime.entry import RawEntry
    from runtime.store.keys import Keyspace
    from runtime.store.reads import Reads
    from workers.archivists import Archives

PAGE = 500


class Trimmed(RuntimeFault):
    """Entries were trimmed from the log, and there is no archive here that has them."""


class WholeLog:
    """One partition of a log from its first entry on."""

    def __init__(self, reads: Reads, keys: Keyspace, partition: int, archives: Archives = NO_ARCHIVES) -> None:
        """Without an archive a trimmed log is refused."""
        self._reads = reads
        self._log = keys.log(partition)
        self._archive = archives.of(keys.spec.name, partition)

    async def pages(self, after: str = "", *, size: int = PAGE) -> AsyncGenerator[list[RawEntry], None]:
        """Every entry behind the id `after`, in order. Raises `Trimmed`, `ArchiveDamaged`, store faults."""
        last = after
        while True:
            start = f"({last}" if last else "-"
            rows, oldest = await self._reads.many(
                [("XRANGE", self._log, start, "+", "COUNT", size), ("XRANGE", self._log, "-", "+", "COUNT", 1)],
                raw=True,
            )
            if await self._reaches_behind(oldest, last):
                async for page in self._archived(last, oldest):
                    yield page
                    last = page[-1][0].decode()
                continue
            if rows:
                yield [(entry_id, flat(fields)) for entry_id, fields in rows]
                last = rows[-1][0].decode()
            if len(rows) < size:
                return

    async def find(self, ids: Iterable[str]) -> dict[str, RawEntry]:
        """The entries with these ids: one read each from the log, or one frame of the archive. Raises `Trimmed`."""
        wanted = list(ids)
        pages = await self._reads.many([("XRANGE", self._log, one, one) for one in wanted], raw=True)
        found: dict[str, RawEntry] = {
            name: (page[0][0], flat(page[0][1])) for name, page in zip(wanted, pages, strict=True) if page
        }
        missing = [name for name in wanted if name not in found]
        if not missing:
            return found
        archived: dict[str, Archived] = {}
        if self._archive is not None:
            archived = await anyio.to_thread.run_sync(self._archive.find, missing)
        if gone := [name for name in missing if name not in archived]:
            raise Trimmed(f"{len(gone)} of {len(wanted)} entries are no longer in {self._log}{self._nor_there()}")
        return found | {name: _raw(one) for name, one in archived.items()}

    async def _reaches_behind(self, oldest: Any, last: str) -> bool:
        """May entries between `last` and the oldest of the log have been trimmed?"""
        if not oldest:
            return False
        first = oldest[0][0].decode()
        if last and in_order(first) <= in_order(last):
            return False
        info = await self._reads.one("XINFO STREAM", self._log)
        facts = _named(info)
        if facts[b"entries-added"] == facts[b"length"]:
            return False
        if self._archive is None and facts.get(b"max-deleted-entry-id", b"0-0") != b"0-0":
            return False  # somebody took entries out by hand: what is left is read, and checks will say so
        if self._archive is None:
            raise Trimmed(f"entries before {first} are no longer in {self._log}{self._nor_there()}")
        archived = next(iter(await anyio.to_thread.run_sync(_first_page, self._archive, last)), None)
        if archived is None:
            raise Trimmed(f"entries before {first} are no longer in {self._log}{self._nor_there()}")
        return in_order(archived.id) < in_order(first)

    async def _archived(self, last: str, oldest: Any) -> AsyncIterator[list[RawEntry]]:
        """The archived entries behind `last` and before the oldest one of the log."""
        assert self._archive is not None
        end = in_order(oldest[0][0].decode())
        for page in self._archive.pages(last):
            part = [_raw(one) for one in page if in_order(one.id) < end]
            if part:
                yield part
            if len(part) < len(page):
                return

    def _nor_there(self) -> str:
        if self._archive is None:
            return ", and there is no archive here: set archive.directory to where it lies"
        return f", nor in the archive {self._archive.directory}: set archive.directory to where it lies"


def flat(fields: Any) -> list[bytes]:
    """The fields of an entry: a list, or a mapping, as the client shapes the reply."""
    return fields if isinstance(fields, list) else [part for pair in fields.items() for part in pair]


def _raw(one: Archived) -> RawEntry:
    return (one.id.encode(), one.fields)


def _first_page(archive: ArchiveReader, after: str) -> list[Archived]:
    return next(archive.pages(after), [])


def _named(info: Any) -> dict[bytes, Any]:
    if isinstance(info, dict):
        return {(name.encode() if isinstance(name, str) else name): value for name, value in info.items()}
    return dict(zip(info[::2], info[1::2], strict=True))
