"""Reads one partition's archive: from the start, from an entry on, or some entries by their ids.

Reads files only: works without a store, and beside the writer. What is not whole at the very end of the last segment
is a write on its way, or one that a crash cut off: it was never confirmed, and is not there.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import IO, TYPE_CHECKING

from runtime.archive.faults import ArchiveDamaged
from runtime.archive.frames import HEAD, Archived, FrameHead, Mark, entries_of, read_head, whole
from runtime.archive.segments import Segment, listed, partition_directory
from runtime.entry import in_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


class ArchiveReader:
    """The archive of one partition of one log. Looks at the directory anew at each call."""

    def __init__(self, directory: Path, log: str, partition: int) -> None:
        """`directory` is that of the whole archive; it need not be there."""
        self.directory = partition_directory(directory, log, partition)

    @property
    def exists(self) -> bool:
        """Has anything ever been archived here?"""
        return bool(listed(self.directory))

    @property
    def incarnation(self) -> str:
        """Of the log that was archived; '' when nothing was."""
        segments = listed(self.directory)
        return segments[-1].head.incarnation if segments else ""

    def tail(self) -> Mark:
        """The place behind the last whole entry. Raises `ArchiveDamaged`, OSError."""
        segments = listed(self.directory)
        if not segments:
            return Mark()
        mark = segments[-1].head.mark
        for frame, _ in _frames(segments[-1]):
            mark = frame.mark
        return mark

    def mark_at(self, number: int) -> Mark | None:
        """The place behind entry `number`, when a frame or a segment ends there; None: nothing ends there."""
        for segment in listed(self.directory):
            if segment.head.count == number:
                return segment.head.mark
            if segment.head.count < number and (segment.upto is None or number <= segment.upto):
                for frame, _ in _frames(segment, payload=False):
                    if frame.upto == number:
                        return frame.mark
        return None

    def first(self) -> str:
        """Id of the first entry; '' when there is none."""
        return next((one.id for one in self.entries()), "")

    def pages(self, after: str = "") -> Iterator[list[Archived]]:
        """All entries behind the id `after`, a frame at a time, in order. Raises `ArchiveDamaged`, OSError."""
        floor = in_order(after) if after else (-1, -1)
        segments = listed(self.directory)
        for place, segment in enumerate(segments):
            following = segments[place + 1] if place + 1 < len(segments) else None
            if following is not None and following.head.last and in_order(following.head.last) <= floor:
                continue
            for frame, data in _frames(segment, behind=floor):
                page = [
                    one
                    for one in entries_of(data, frame)
                    if (segment.upto is None or one.number <= segment.upto) and in_order(one.id) > floor
                ]
                if page:
                    yield page

    def entries(self, after: str = "") -> Iterator[Archived]:
        """All entries behind the id `after`, in order."""
        for page in self.pages(after):
            yield from page

    def find(self, ids: Iterable[str]) -> dict[str, Archived]:
        """The entries with these ids, as far as they are archived. Reads a frame for each, not the whole archive."""
        segments = listed(self.directory)
        starts = [in_order(segment.head.last) if segment.head.last else (-1, -1) for segment in segments]
        wanted: dict[int, list[tuple[int, int]]] = {}
        for entry_id in ids:
            place = bisect_right(starts, _before(in_order(entry_id))) - 1
            if place >= 0:
                wanted.setdefault(place, []).append(in_order(entry_id))
        found: dict[str, Archived] = {}
        for place, order in sorted(wanted.items()):
            _collect(segments[place], sorted(order), found)
        return found


def _before(order: tuple[int, int]) -> tuple[float, float]:
    """Just below an id: a segment that begins behind this very entry does not hold it."""
    return (order[0], order[1] - 0.5)


def _collect(segment: Segment, wanted: list[tuple[int, int]], found: dict[str, Archived]) -> None:
    """Find ids (in order) in one segment: heads are read, and the frames that one of them may be in."""
    left = list(reversed(wanted))
    with segment.path.open("rb") as file:
        for frame in _heads(file, segment):
            if not left or (segment.upto is not None and frame.first > segment.upto):
                return
            if in_order(frame.last) < left[-1]:
                continue
            for one in entries_of(_payload(file, segment, frame), frame):
                if segment.upto is not None and one.number > segment.upto:
                    break
                order = in_order(one.id)
                while left and left[-1] < order:
                    left.pop()
                if left and left[-1] == order:
                    found[one.id] = one
                    left.pop()


def _frames(
    segment: Segment, *, behind: tuple[int, int] = (-1, -1), payload: bool = True
) -> Iterator[tuple[FrameHead, bytes]]:
    """The frames of a segment that count, from the one that holds what is behind an id on."""
    number = segment.head.count
    with segment.path.open("rb") as file:
        for frame in _heads(file, segment):
            if segment.upto is not None and frame.first > segment.upto:
                return
            if frame.first != number + 1:
                break
            if in_order(frame.last) > behind:
                data = _payload(file, segment, frame) if payload else b""
                if payload and not data:
                    break
                yield frame, data
            number = frame.upto
    if segment.upto is not None and number < segment.upto:
        raise ArchiveDamaged(
            f"{segment.path} holds entries {segment.head.count + 1:,} to {segment.upto:,}, but cannot be read behind"
            f" entry {number:,}: restore the file from its copy"
        )


def _heads(file: IO[bytes], segment: Segment) -> Iterator[FrameHead]:
    offset = segment.offset
    while True:
        file.seek(offset)
        frame = read_head(file.read(HEAD.size), offset)
        if frame is None:
            return
        yield frame
        offset += frame.size


def _payload(file: IO[bytes], segment: Segment, frame: FrameHead) -> bytes:
    """The whole frame; b'' when it is the torn end of the last segment. Raises `ArchiveDamaged`."""
    file.seek(frame.offset)
    data = file.read(frame.size)
    if whole(data, frame):
        return data
    torn = segment.upto is None and len(data) < frame.size
    if torn:
        return b""
    raise ArchiveDamaged(
        f"{segment.path} is damaged at byte {frame.offset:,} (entries {frame.first:,} to {frame.upto:,}): restore the"
        f" file from its copy"
    )
