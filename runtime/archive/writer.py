"""Writes one partition's archive. Blocking: call it in a thread.

`write` returns when the entries are on the disk. They count once the store has settled them; who begins anew does so
at the settled place, and what was written behind it counts no more.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from runtime import failpoints
from runtime.archive.faults import ArchiveFull
from runtime.archive.frames import Framed, Link, Mark, framed
from runtime.archive.segments import (
    FORMAT,
    SegmentHead,
    file_name,
    generations,
    head_line,
    partition_directory,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from runtime.archive.options import ArchiveOptions

ONE_MIB = 1 << 20


class ArchiveWriter:
    """One generation of one partition's archive."""

    def __init__(
        self, directory: Path, log: str, partition: int, incarnation: str, at: Mark, link: Link, options: ArchiveOptions
    ) -> None:
        """Begin at the place `at`. No file is made before the first write."""
        self._directory = partition_directory(directory, log, partition)
        self._log = log
        self._partition = partition
        self._incarnation = incarnation
        self._link = link
        self._options = options
        self._generation = 0
        self._file: int | None = None
        self._size = 0
        self.mark = at

    def write(self, entries: Sequence[tuple[str, Sequence[bytes]]]) -> Mark:
        """Write entries and force them onto the disk; the place behind them. Raises `ArchiveFull`."""
        frames = list(framed(self.mark, entries, self._link, self._options.compression))
        try:
            self._put(frames)
        except OSError as problem:
            self._take_back()
            raise ArchiveFull(
                f"the archive {self._directory} cannot be written: {problem.strerror}; make room or give the right"
                " to it: it goes on by itself, and until then nothing is trimmed"
            ) from problem
        return self.mark

    def begin(self, note: str = "") -> None:
        """Make the first segment now: everything that was written behind its place counts no more. Raises OSError."""
        if self._file is None:
            self._open(note)

    def close(self) -> None:
        """Let go of the file. Legal twice."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _put(self, frames: Sequence[Framed]) -> None:
        if self._file is not None and self._size >= self._options.segment_mib * ONE_MIB:
            self.close()
        if self._file is None:
            self._open()
        assert self._file is not None
        data = b"".join(frame.data for frame in frames)
        _write_all(self._file, data)
        failpoints.hit("archive.written")
        os.fsync(self._file)
        failpoints.hit("archive.fsynced")
        self._size += len(data)
        self.mark = frames[-1].mark

    def _open(self, note: str = "") -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        if not self._generation:
            self._generation = generations(self._directory) + 1
        head = SegmentHead(
            FORMAT,
            self._log,
            self._partition,
            self._incarnation,
            self._generation,
            self.mark.count,
            self.mark.last,
            self.mark.head.hex(),
            note,
        )
        path = self._directory / file_name(self._generation, self.mark.count)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            line = head_line(head)
            _write_all(file, line)
            os.fsync(file)
            _sync_directory(self._directory)
        except BaseException:
            os.close(file)
            path.unlink(missing_ok=True)
            raise
        self._file, self._size = file, len(line)

    def _take_back(self) -> None:
        """Cut off half of a frame, so that the next one stands behind a whole one."""
        if self._file is None:
            return
        try:
            os.ftruncate(self._file, self._size)
            os.lseek(self._file, self._size, os.SEEK_SET)
        except OSError:
            self.close()
            self._generation = 0  # the next write begins a generation, which cuts it off


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
