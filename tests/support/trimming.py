"""Trims and replays in tests, as the command line does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.store.retention import Retention, Trimmed
from workers.archivists import KINDS, Archives

if TYPE_CHECKING:
    from pathlib import Path

    from workers.application import Application

FAR = "99999999999999-0"
"""An id that lies behind everything."""


def archives(directory: Path) -> Archives:
    """The archive of a small cluster below `directory`."""
    return Archives(directory / "store.archive")


async def trim_all(app: Application, before: str = FAR) -> list[Trimmed]:
    """Trim every archived log as far as it goes."""
    found = []
    for kind in KINDS:
        keys = app.keyspace(kind.log)
        for partition in range(keys.spec.partitions):
            retention = Retention(app.store.commands, app.store.reads, keys, partition, kind.group)
            found.append(await retention.trim(before, who="tester", why="a test"))
    return found
