"""What can be wrong with an archive. All of them stop its runner with a declared wait; none of them parks an entry."""

from __future__ import annotations

from runtime.errors import Halted, RuntimeFault


class ArchiveStuck(Halted):
    """The archive cannot go on: its position stands, so trimming stops too."""


class ArchiveFull(ArchiveStuck):
    """The archive cannot be written: no space, no right, or no such directory."""


class ArchiveBehind(ArchiveStuck):
    """The archive has less than the store says that was archived: another directory, or files that are gone."""


class RolledBack(ArchiveStuck):
    """The archive has entries that the log has no more: the store was rolled back or replaced."""


class ArchiveDamaged(RuntimeFault):
    """A file of the archive cannot be read any more."""
