"""An exported log as a file, and its verification without a running cluster.

A file is JSON lines. The first line names the log; then one line per entry with its link of the chain, per checkpoint
one, and at the end of each partition its count and head. Values are base64, so that every byte is kept as it was.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from typing import TYPE_CHECKING

import msgspec

from domain.audit_chain import GENESIS, link

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FORMAT = "claimstream-log-1"


class Header(msgspec.Struct, frozen=True, tag="log", tag_field="line"):
    """First line: which log this is."""

    format: str
    name: str
    partitions: int
    incarnations: list[str]


class EntryLine(msgspec.Struct, frozen=True, tag="entry", tag_field="line"):
    """One entry: its number in the chain (from 1), its id, its fields, its link in hexadecimal."""

    partition: int
    number: int
    id: str
    fields: list[str]
    link: str


class CheckpointLine(msgspec.Struct, frozen=True, tag="checkpoint", tag_field="line"):
    """A checkpoint as the auditor recorded it in the store."""

    partition: int
    count: int
    id: str
    head: str


class EndLine(msgspec.Struct, frozen=True, tag="end", tag_field="line"):
    """The end of a partition: how many entries, the head of the chain."""

    partition: int
    count: int
    head: str


Line = Header | EntryLine | CheckpointLine | EndLine

encode_line = msgspec.json.Encoder().encode
_decode_line = msgspec.json.Decoder(Line).decode


class FileReport(msgspec.Struct):
    """The verdict on a file. `first_bad` names the first thing that is wrong; '' when nothing is."""

    ok: bool
    entries: int
    checkpoints: int
    heads: dict[int, str]
    first_bad: str = ""


class _Wrong(Exception):
    """The first thing that is wrong with a file."""


def entry_line(partition: int, number: int, entry_id: str, fields: Sequence[bytes], head: bytes) -> EntryLine:
    """The line of one entry."""
    return EntryLine(partition, number, entry_id, [b64encode(field).decode() for field in fields], head.hex())


def verify_file(path: Path, *, checkpoints: Sequence[CheckpointLine] = ()) -> FileReport:
    """Chain the file again and compare each link, checkpoint and end. `checkpoints`: such that were kept elsewhere.

    A cut tail is found by an end or a checkpoint that lies behind it. Raises OSError when the file cannot be read.
    """
    walk = _Walk(checkpoints)
    try:
        for number, line in _lines(path):
            walk.take(number, line)
        walk.finish()
    except _Wrong as problem:
        return FileReport(False, walk.entries, walk.checkpoints, walk.heads(), str(problem))
    return FileReport(True, walk.entries, walk.checkpoints, walk.heads())


def _lines(path: Path) -> Iterator[tuple[int, Line]]:
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            try:
                yield number, _decode_line(raw)
            except (msgspec.DecodeError, UnicodeDecodeError) as problem:
                raise _Wrong(f"line {number} cannot be read: {problem}") from problem


class _Walk:
    """The chain of a file while it is read."""

    def __init__(self, kept: Sequence[CheckpointLine]) -> None:
        self.entries = 0
        self.checkpoints = 0
        self._header: Header | None = None
        self._heads: dict[int, bytes] = {}
        self._counts: dict[int, int] = {}
        self._ended: set[int] = set()
        self._kept = {(one.partition, one.count): one for one in kept}

    def heads(self) -> dict[int, str]:
        """The heads so far, by partition."""
        return {partition: head.hex() for partition, head in self._heads.items()}

    def take(self, number: int, line: Line) -> None:
        """One line."""
        if isinstance(line, Header):
            self._begin(number, line)
            return
        if self._header is None:
            raise _Wrong(f"line {number}: the file does not begin with the name of a log")
        if line.partition in self._ended:
            raise _Wrong(f"line {number}: partition {line.partition} goes on behind its end")
        if isinstance(line, EntryLine):
            self._chain(number, line)
        elif isinstance(line, CheckpointLine):
            self._compare(f"line {number}: checkpoint", line)
            self.checkpoints += 1
        else:
            self._compare(f"line {number}: end", line)
            self._ended.add(line.partition)

    def finish(self) -> None:
        """Everything that was announced has to have come."""
        if self._header is None:
            raise _Wrong("the file is empty")
        for partition in range(self._header.partitions):
            if partition not in self._ended:
                count = self._counts.get(partition, 0)
                raise _Wrong(f"partition {partition} has no end: its tail is cut behind entry {count}")
        for (partition, count), kept in self._kept.items():
            if count > self._counts.get(partition, 0):
                raise _Wrong(
                    f"partition {partition} ends at entry {self._counts.get(partition, 0)}, but a checkpoint that was"
                    f" kept elsewhere knows entry {count} ({kept.id}): its tail is cut"
                )

    def _begin(self, number: int, line: Header) -> None:
        if self._header is not None:
            raise _Wrong(f"line {number}: a second log begins")
        if line.format != FORMAT:
            raise _Wrong(f"line {number}: the format is {line.format[:40]!r}, this program reads {FORMAT!r}")
        self._header = line

    def _chain(self, number: int, line: EntryLine) -> None:
        count = self._counts.get(line.partition, 0) + 1
        where = f"partition {line.partition}, entry {line.number} ({line.id}), line {number}"
        if line.number != count:
            raise _Wrong(f"{where}: entry {count} was expected: entries were removed, inserted or moved")
        try:
            fields = [b64decode(field, validate=True) for field in line.fields]
        except (NotBase64, ValueError) as problem:
            raise _Wrong(f"{where}: a field is not base64: {problem}") from problem
        head = link(self._heads.get(line.partition, GENESIS), line.id.encode(), fields)
        if head.hex() != line.link:
            raise _Wrong(f"{where}: its link is not the one that was recorded: it or one before it was changed")
        self._heads[line.partition] = head
        self._counts[line.partition] = count
        self.entries += 1
        kept = self._kept.get((line.partition, count))
        if kept is not None:
            self._compare(f"{where}: a checkpoint that was kept elsewhere", kept)

    def _compare(self, where: str, line: CheckpointLine | EndLine) -> None:
        count = self._counts.get(line.partition, 0)
        head = self._heads.get(line.partition, GENESIS).hex()
        if (line.count, line.head) != (count, head):
            raise _Wrong(
                f"{where} of partition {line.partition} says {line.count} entries and head {line.head[:16]}...,"
                f" the chain has {count} and {head[:16]}..."
            )
