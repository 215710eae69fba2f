"""Entries <-> frames: some consecutive entries as bytes, with where they stand in the chain. Pure."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from runtime.entry import in_order

GENESIS = bytes(32)
"""Head of the chain before the first entry."""

Link = Callable[[bytes, bytes, Sequence[bytes]], bytes]
"""(head before, entry id, fields) -> head after: the same that the auditor computes."""

HEAD = struct.Struct(">4sBQIIIQQQ32s")
"""magic, compressed, number of the first entry (from 1), entries, bytes plain, bytes stored, last id (ms, number),

number of the last entry, head of the chain after it. A checksum of head and payload follows, 4 bytes.
"""

MAGIC = b"CSF1"
CHECKSUM = struct.Struct(">I")
MOST_ENTRIES = 500
MOST_BYTES = 1 << 18

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[tuple[str, list[bytes]]]).decode


class Mark(msgspec.Struct, frozen=True):
    """A place in the archive: how many entries, the id of the last one, the chain's head after it."""

    count: int = 0
    last: str = ""
    head: bytes = GENESIS

    def stored(self) -> dict[str, str]:
        """The fields of the hash that keeps it in the store."""
        return {"count": str(self.count), "last": self.last, "head": self.head.hex()}


def stored_mark(fields: dict[bytes, bytes]) -> Mark:
    """The place that a hash of the store holds; the beginning when there is none."""
    if not fields:
        return Mark()
    return Mark(int(fields[b"count"]), fields[b"last"].decode(), bytes.fromhex(fields[b"head"].decode()))


class Archived(NamedTuple):
    """One archived entry: its number from 1, its id, its fields as they were."""

    number: int
    id: str
    fields: list[bytes]


class FrameHead(NamedTuple):
    """What the head of a frame says; `offset` in the file, `size` with head and checksum."""

    offset: int
    compressed: bool
    first: int
    number: int
    plain: int
    stored: int
    last: str
    head: bytes

    @property
    def size(self) -> int:
        """Bytes of the whole frame."""
        return HEAD.size + CHECKSUM.size + self.stored

    @property
    def upto(self) -> int:
        """Number of its last entry."""
        return self.first + self.number - 1

    @property
    def mark(self) -> Mark:
        """The place behind it."""
        return Mark(self.upto, self.last, self.head)


class Framed(NamedTuple):
    """A frame as bytes, and the place behind it."""

    data: bytes
    mark: Mark


def framed(before: Mark, entries: Sequence[tuple[str, Sequence[bytes]]], link: Link, level: int) -> Iterator[Framed]:
    """Cut entries into frames that continue the chain from `before`."""
    part: list[tuple[str, list[bytes]]] = []
    size = 0
    head = before.head
    count = before.count
    for entry_id, fields in entries:
        part.append((entry_id, list(fields)))
        size += sum(map(len, fields))
        head = link(head, entry_id.encode(), fields)
        count += 1
        if len(part) == MOST_ENTRIES or size >= MOST_BYTES:
            yield _frame(part, Mark(count, entry_id, head), level)
            part, size = [], 0
    if part:
        yield _frame(part, Mark(count, part[-1][0], head), level)


def _frame(part: list[tuple[str, list[bytes]]], mark: Mark, level: int) -> Framed:
    plain = _pack(part)
    stored = zlib.compress(plain, level) if level else plain
    ms, number = in_order(mark.last)
    first = mark.count - len(part) + 1
    sizes = (first, len(part), len(plain), len(stored))
    head = HEAD.pack(MAGIC, 1 if level else 0, *sizes, ms, number, mark.count, mark.head)
    checksum = CHECKSUM.pack(zlib.crc32(stored, zlib.crc32(head)))
    return Framed(head + checksum + stored, mark)


def read_head(data: bytes, offset: int) -> FrameHead | None:
    """The head of a frame; None when these bytes are none."""
    if len(data) < HEAD.size:
        return None
    magic, compressed, first, count, plain, stored, ms, number, upto, head = HEAD.unpack(data[: HEAD.size])
    if magic != MAGIC or not count or upto != first + count - 1:
        return None
    return FrameHead(offset, bool(compressed), first, count, plain, stored, f"{ms}-{number}", head)


def whole(data: bytes, head: FrameHead) -> bool:
    """Is a frame (head, checksum, payload) as it was written?"""
    if len(data) != head.size:
        return False
    (checksum,) = CHECKSUM.unpack_from(data, HEAD.size)
    payload = memoryview(data)[HEAD.size + CHECKSUM.size :]
    return bool(checksum == zlib.crc32(payload, zlib.crc32(data[: HEAD.size])))


def entries_of(data: bytes, head: FrameHead) -> Iterator[Archived]:
    """The entries of a whole frame."""
    payload = data[HEAD.size + CHECKSUM.size :]
    plain = zlib.decompress(payload, bufsize=head.plain) if head.compressed else payload
    for number, (entry_id, fields) in enumerate(_unpack(plain), head.first):
        yield Archived(number, entry_id, fields)
