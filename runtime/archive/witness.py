"""The third witness: what the archive holds, against what the log and the archive's own place in the store say."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import anyio.to_thread

from runtime.archive.frames import Mark, stored_mark
from runtime.entry import in_order

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.archive.reader import ArchiveReader
    from runtime.store.keys import Keyspace
    from runtime.store.reads import Reads


class Verdict(StrEnum):
    """How archive and log fit together."""

    AGREES = "agrees"
    """The log goes on where the archive ends; `surplus` entries were written, but not settled yet."""
    ROLLED_BACK = "rolled_back"
    """The archive has entries that the log does not have, or has other ones for."""
    OTHER_LOG = "other_log"
    """The archive is of another incarnation of the log."""
    BEHIND = "behind"
    """The archive has less than the store says that was archived."""


class Testimony(NamedTuple):
    """What the witness says: the verdict, why, the place settled in the store, the place that the files end at."""

    verdict: Verdict
    why: str
    settled: Mark
    tail: Mark


async def testify(
    reads: Reads,
    keys: Keyspace,
    partition: int,
    reader: ArchiveReader,
    *,
    incarnation: str = "",
    tail: Mark | None = None,
) -> Testimony:
    """Compare. `incarnation` is the one that the process saw, '' asks the store; `tail` where the files end, if known.

    Raises store faults, OSError, `ArchiveDamaged`.

    The last archived entry must be in the log, byte for byte: trimming never passes the archive, and keeps the entry
    at its position.
    """
    settled = stored_mark(await reads.one("HGETALL", keys.archive(partition)))
    if tail is None:
        tail = await anyio.to_thread.run_sync(reader.tail)
    known = reader.incarnation
    if not incarnation:
        raw = await reads.one("HGET", keys.state(partition), "incarnation")
        incarnation = raw.decode() if raw else ""
    where = _where(reader.directory)
    if known and known != incarnation:
        why = f"{where} holds {tail.count:,} entries of another log (incarnation {known}, this one is {incarnation})"
        return Testimony(Verdict.OTHER_LOG, why, settled, tail)
    if tail.count < settled.count:
        why = f"{where} holds {tail.count:,} entries, the store says that {settled.count:,} were archived"
        return Testimony(Verdict.BEHIND, f"{why}: it is another directory, or files are gone", settled, tail)
    if not tail.count:
        return Testimony(Verdict.AGREES, "", settled, tail)
    missing = await _missing(reads, keys.log(partition), tail, reader)
    if not missing and settled.count and not await anyio.to_thread.run_sync(_holds, reader, settled, tail):
        missing = f"and other ones before {settled.last}, where the store's archive position stands"
    if missing:
        why = f"{where} holds {tail.count:,} entries up to {tail.last}, {missing}"
        return Testimony(Verdict.ROLLED_BACK, why, settled, tail)
    return Testimony(Verdict.AGREES, "", settled, tail)


async def _missing(reads: Reads, log: str, tail: Mark, reader: ArchiveReader) -> str:
    """What is wrong with the log at the archive's last entry; '' when it is there as it was archived."""
    rows = await reads.one("XRANGE", log, tail.last, tail.last)
    if not rows:
        last = await reads.one("XREVRANGE", log, "+", "-", "COUNT", 1)
        end = last[0][0].decode() if last else "nothing"
        ahead = bool(last) and in_order(end) > in_order(tail.last)
        return f"the log ends at {end}" + (" and has no such entry" if ahead else "")
    _, raw = rows[0]
    fields = raw if isinstance(raw, list) else [part for pair in raw.items() for part in pair]
    kept = reader.find([tail.last]).get(tail.last)
    if kept is not None and kept.fields != fields:
        return "the log has another entry under this id"
    return ""


def _holds(reader: ArchiveReader, settled: Mark, tail: Mark) -> bool:
    """Is the settled place one of the archive, with the same chain before it?"""
    return settled == tail or (settled.count < tail.count and reader.mark_at(settled.count) == settled)


def _where(directory: Path) -> str:
    return f"the archive {directory}"
