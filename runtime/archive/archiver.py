"""The actor that archives: it takes every entry as it is, and a batch is settled only when it is on the disk."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar, TypeVar

import anyio.to_thread

from runtime.actor import Actor
from runtime.archive.faults import ArchiveBehind, ArchiveDamaged, ArchiveStuck, RolledBack
from runtime.archive.reader import ArchiveReader
from runtime.archive.witness import Verdict, testify
from runtime.archive.writer import ArchiveWriter
from runtime.effects import HashSet
from runtime.store import functions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runtime.archive.frames import Link
    from runtime.archive.options import ArchiveOptions
    from runtime.archive.witness import Testimony
    from runtime.clock import Clock
    from runtime.effects import Effects
    from runtime.entry import Batch
    from runtime.store.encoding import Log
    from runtime.store.opening import OpenStore

T = TypeVar("T")

WITNESS = "archive"
"""Who halted, in the operations stream."""


class Archiver(Actor):
    """Base: a subclass says its name, its group and its log."""

    parks: ClassVar[bool] = False

    def __init__(
        self, store: OpenStore, partition: int, directory: Path, link: Link, options: ArchiveOptions, clock: Clock
    ) -> None:
        """Opens nothing. `link` makes the chain."""
        self._store = store
        self._partition = partition
        self._directory = directory
        self._link = link
        self._options = options
        self._clock = clock
        self._reader = ArchiveReader(directory, self.log, partition)
        self._writer: ArchiveWriter | None = None
        self._next_look = 0.0

    async def handle(self, batch: Batch) -> Effects:
        """Write, fsync, and then let the settle confirm it."""
        writer = self._writer or await self._begin()
        entries = [(entry.id, entry.fields) for entry in batch.entries]
        mark = await _in_thread(lambda: writer.write(entries))
        return [HashSet(self._log.keys.archive(self._partition), mark.stored())]

    async def tick(self, partition: int) -> Effects:
        """Compare with the log now and then, also when nothing comes."""
        del partition
        if self._clock.monotonic() >= self._next_look:
            await self._compare()
        return ()

    def forget(self) -> None:
        """What was written may never have been settled: begin again at the settled place."""
        self._next_look = 0.0
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    @property
    def _log(self) -> Log:
        return self._store.logs[self.log]

    async def _begin(self) -> ArchiveWriter:
        """Write on from what the store has settled, if archive and log fit together."""
        settled = (await self._compare()).settled
        incarnation = self._log.incarnation(self._partition)
        self._writer = ArchiveWriter(
            self._directory, self.log, self._partition, incarnation, settled, self._link, self._options
        )
        return self._writer

    async def _compare(self) -> Testimony:
        """Ask the witness. Raises `ArchiveStuck`; a rolled back store is halted for everybody first."""
        incarnation = self._log.incarnation(self._partition)
        try:
            said = await testify(
                self._store.reads,
                self._log.keys,
                self._partition,
                self._reader,
                incarnation=incarnation,
                tail=self._writer.mark if self._writer is not None else None,
            )
        except (OSError, ArchiveDamaged) as problem:
            raise ArchiveStuck(f"the archive {self._reader.directory} cannot be read: {problem}") from problem
        self._next_look = self._clock.monotonic() + self._options.compare_seconds
        if said.verdict is Verdict.AGREES:
            return said
        if said.verdict is Verdict.BEHIND:
            raise ArchiveBehind(said.why)
        await self._halt(f"ROLLED BACK: {said.why}")
        raise RolledBack(said.why)

    async def _halt(self, why: str) -> None:
        keys = self._log.keys
        if await self._store.reads.one("HGET", keys.state(self._partition), "halted"):
            return
        names = [keys.state(self._partition), keys.operations(self._partition)]
        await functions.call(self._store.commands, functions.HALT, names, [WITNESS, why, self.name])


async def _in_thread(work: Callable[[], T]) -> T:
    """Run blocking work. When we are cancelled it is waited for: a thread cannot be stopped in the middle of a file."""
    task = asyncio.ensure_future(anyio.to_thread.run_sync(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()
        raise
