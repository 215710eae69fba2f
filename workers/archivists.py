"""Who archives which log: the engine's archiver, once for each log that holds facts, chained as the auditor chains."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from domain.audit_chain import link
from runtime.archive.archiver import Archiver
from runtime.archive.reader import ArchiveReader
from workers.keys import CLAIM_LOG, CUSTOMER_LOG, POLICY_LOG

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runtime.actor import Actor
    from runtime.archive.options import ArchiveOptions
    from runtime.clock import Clock
    from runtime.store.opening import OpenStore


class Archivist(Archiver):
    """Reads `claims:events` as `archivists`."""

    name: ClassVar[str] = "archivist"
    group: ClassVar[str] = "archivists"
    log: ClassVar[str] = CLAIM_LOG


class PolicyArchivist(Archiver):
    """Reads `policies:events` as `policy-archivists`."""

    name: ClassVar[str] = "policy-archivist"
    group: ClassVar[str] = "policy-archivists"
    log: ClassVar[str] = POLICY_LOG


class CustomerArchivist(Archiver):
    """Reads `customers:events` as `customer-archivists`."""

    name: ClassVar[str] = "customer-archivist"
    group: ClassVar[str] = "customer-archivists"
    log: ClassVar[str] = CUSTOMER_LOG


KINDS: tuple[type[Archiver], ...] = (Archivist, PolicyArchivist, CustomerArchivist)
"""All of them."""

ARCHIVISTS: dict[str, str] = {kind.log: kind.group for kind in KINDS}
"""Log -> the group that archives it: trimming never passes its position."""


def builders(
    store: OpenStore, directory: Path, options: ArchiveOptions, clock: Clock
) -> dict[str, Callable[[int], Actor]]:
    """How each is made for a partition, by name."""

    def builder(kind: type[Archiver]) -> Callable[[int], Actor]:
        return lambda partition: kind(store, partition, directory, link, options, clock)

    return {kind.name: builder(kind) for kind in KINDS}


class Archives:
    """The archive of every log, for those that read it. Without a directory there is none: nothing is found."""

    def __init__(self, directory: Path | None) -> None:
        """Looks at nothing yet."""
        self.directory = directory

    def of(self, log: str, partition: int) -> ArchiveReader | None:
        """The archive of a partition; None when there is no archive at all."""
        return ArchiveReader(self.directory, log, partition) if self.directory is not None else None


NO_ARCHIVES = Archives(None)
