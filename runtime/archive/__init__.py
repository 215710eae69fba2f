"""The archive: every entry of a log, in order, in files outside the store; and the third witness of a rollback.

Owned by the one runner that serves the archiving group of a partition. Nothing here ever writes to the store: an
entry's place in the files is confirmed by the settle that moves the group's position, after the files were fsynced.

    <directory>/<log>/<partition>/<generation>-<entries before it>.seg

A segment is one line of JSON (which log, incarnation, what came before it) and frames: some consecutive entries with
their raw fields, compressed, with the number of the first, the chain's head after the last, and a checksum. Who
begins to write begins a new generation at the settled position: it cuts off what an earlier one has written behind
it (a crash between fsync and settle, a zombie) without touching a byte of it.

What is in the files is what was in the log: personal data stay the ciphertext that they were.
"""

from __future__ import annotations

from runtime.archive.faults import ArchiveBehind, ArchiveDamaged, ArchiveFull, ArchiveStuck, RolledBack
from runtime.archive.frames import Archived, Mark
from runtime.archive.options import ArchiveOptions
from runtime.archive.reader import ArchiveReader

__all__ = [
    "ArchiveBehind",
    "ArchiveDamaged",
    "ArchiveFull",
    "ArchiveOptions",
    "ArchiveReader",
    "ArchiveStuck",
    "Archived",
    "Mark",
    "RolledBack",
]
