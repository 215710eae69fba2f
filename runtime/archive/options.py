"""Options of the archive."""

from __future__ import annotations

from typing import Annotated

import msgspec


class ArchiveOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the archive lies, and how it is cut."""

    #: Directory of the archive, outside the store. None: beside the data directory of the embedded store; for a store
    #: that others run there is then no archive, and nothing is trimmed without saying so. Every process that runs an
    #: archivist has to see the same one: one that does not waits and says so.
    directory: str | None = None
    #: Whether there is an archive where a directory is known. Off: an actor less, and no third witness.
    enabled: bool = True
    #: MiB after which a new segment begins. 16: some 100,000 events; a look-up reads the heads of one segment.
    segment_mib: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 16
    #: Level of zlib, 0 (none) to 9. 1: events shrink to a quarter at some 50 MB/s; 6 gains a tenth and costs thrice.
    compression: Annotated[int, msgspec.Meta(ge=0, le=9)] = 1
    #: Seconds between two comparisons with the log while nothing else asks for one. 60: as the audit checkpoints.
    compare_seconds: Annotated[float, msgspec.Meta(gt=0)] = 60.0
