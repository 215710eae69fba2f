"""The files of one partition's archive: which there are, and which entries of each count."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from runtime.archive.frames import Mark

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = "claimstream-archive-1"
SUFFIX = ".seg"


class SegmentHead(msgspec.Struct, frozen=True):
    """First line of a segment: which log, which incarnation, and what came before its first entry."""

    format: str
    log: str
    partition: int
    incarnation: str
    generation: int
    count: int
    last: str
    head: str
    note: str = ""

    @property
    def mark(self) -> Mark:
        """The place at which it begins."""
        return Mark(self.count, self.last, bytes.fromhex(self.head))


class Segment(NamedTuple):
    """One file. Its entries count up to the number `upto`; None: as far as it goes."""

    path: Path
    head: SegmentHead
    offset: int
    upto: int | None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(SegmentHead).decode


def partition_directory(directory: Path, log: str, partition: int) -> Path:
    """Where the segments of a partition lie."""
    return directory / log.replace(":", ".") / str(partition)


def file_name(generation: int, count: int) -> str:
    """The name of a segment: a later generation sorts behind an earlier one."""
    return f"{generation:08d}-{count:014d}{SUFFIX}"


def head_line(head: SegmentHead) -> bytes:
    """The first line of a segment."""
    return _encode(head) + b"\n"


def listed(directory: Path) -> list[Segment]:
    """The segments of a partition in the order of their entries, each cut where a later generation begins.

    A file whose first line was never completed holds nothing. Raises OSError.
    """
    found: list[Segment] = []
    if not directory.is_dir():
        return found
    for path in sorted(directory.glob(f"*{SUFFIX}")):
        read = _read(path)
        if read is None:
            continue
        head, offset = read
        while found and found[-1].head.count >= head.count:
            found.pop()
        if found:
            found[-1] = found[-1]._replace(upto=head.count)
        found.append(Segment(path, head, offset, None))
    return found


def generations(directory: Path) -> int:
    """The highest generation that any file has, torn ones included; 0 when there is none."""
    numbers = [path.name.partition("-")[0] for path in directory.glob(f"*{SUFFIX}")]
    return max((int(number) for number in numbers if number.isdigit()), default=0)


def _read(path: Path) -> tuple[SegmentHead, int] | None:
    with path.open("rb") as file:
        line = file.readline(65_536)
    if not line.endswith(b"\n"):
        return None
    try:
        head = _decode(line)
    except msgspec.DecodeError:
        return None
    return (head, len(line)) if head.format == FORMAT else None
