"""After a rollback: the archived entries that the log has no more are put aside, and the archive goes on with the log.

Nothing is removed: what is put aside is an archive of its own, from which it can be put back, and the cut generation
keeps its bytes.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  # a value, not only a type
from typing import TYPE_CHECKING, NamedTuple

from runtime.archive.faults import ArchiveStuck
from runtime.archive.frames import Link, Mark
from runtime.archive.witness import Testimony, Verdict
from runtime.archive.writer import ArchiveWriter

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.archive.options import ArchiveOptions
    from runtime.archive.reader import ArchiveReader

ASIDE = "put-aside"


class PutAside(NamedTuple):
    """Where the entries lie, and how many; `directory` None: there were none to put aside."""

    directory: Path | None
    entries: int


def accept(
    archive: Path,
    reader: ArchiveReader,
    said: Testimony,
    *,
    log: str,
    partition: int,
    incarnation: str,
    link: Link,
    options: ArchiveOptions,
    now: datetime,
    note: str,
) -> PutAside:
    """Put the surplus aside and begin a generation at the place that log and archive share. Blocking.

    Raises `ArchiveStuck` when they share none but the store says they do, OSError.
    """
    if said.verdict is Verdict.BEHIND:
        raise ArchiveStuck(f"{said.why}; set archive.directory to where the archive lies, or put its files back")
    shared = Mark() if said.verdict is Verdict.OTHER_LOG else said.settled
    if shared.count and not (shared == said.tail or reader.mark_at(shared.count) == shared):
        raise ArchiveStuck(
            f"the archive {reader.directory} and the archive's place in the store ({shared.count:,} entries) are of"
            " different histories: keep both, and compare them with `claimstream audit verify`"
        )
    aside = archive / ASIDE / now.strftime("%Y%m%dT%H%M%S")
    surplus = [(one.id, one.fields) for one in reader.entries(shared.last)]
    if surplus:
        kept = ArchiveWriter(aside, log, partition, reader.incarnation, shared, link, options)
        kept.write(surplus)
        kept.close()
    begun = ArchiveWriter(archive, log, partition, incarnation, shared, link, options)
    begun.begin(note)
    begun.close()
    return PutAside(aside if surplus else None, len(surplus))
