"""One log entry and one batch, as an actor sees them.

An entry is a flat list of text fields. A *fact* carries a `sequence`; an entry without one is a *request* of somebody
else, and so is one whose `sequence` no append can have written (it is no positive integer): a bad one. What cannot be
read keeps its raw fields and says in `fault` what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

# The envelope that append writes, in this order; `entity` stands for the entity field of the log (LogSpec).
EVENT_ID = "eventId"
EVENT_TYPE = "eventType"
TIMESTAMP = "timestamp"
DATA = "data"
VERSION = "version"
SEQUENCE = "sequence"
CORRELATION_ID = "correlationId"
CAUSATION_ID = "causationId"
ACTOR = "actor"
TRACEPARENT = "traceparent"

SCHEMA_VERSION = "1.0"

RawEntry = tuple[bytes, Sequence[bytes]]


class BodyCodec(Protocol):
    """Turns the JSON body of an entry into a typed value; raises `Unreadable` with the reason."""

    def decode(self, event_type: str, data: bytes) -> Any:
        """Decode the body of one entry of a known type."""
        ...

    def knows(self, event_type: str) -> bool:
        """Is this a type that this program was built for?"""
        ...


class EntryLimits(msgspec.Struct, frozen=True):
    """What an entry may weigh. Reason: a batch of 500 has to fit in memory in every process that reads it."""

    max_bytes: int = 262_144
    max_fields: int = 64


class Entry:
    """One entry of the log. `body` is decoded when first asked for, by the codec of its log."""

    __slots__ = (
        "_body",
        "_codec",
        "actor",
        "causation_id",
        "correlation_id",
        "data",
        "entity",
        "event_id",
        "fault",
        "fields",
        "id",
        "sequence",
        "timestamp",
        "traceparent",
        "type",
        "version",
    )

    def __init__(self, entry_id: str, fields: Sequence[bytes], codec: BodyCodec | None) -> None:
        """Hold the raw fields; `EntryReader` fills in the rest."""
        self.id = entry_id
        self.fields = fields
        self.event_id = ""
        self.type = ""
        self.entity = ""
        self.timestamp = ""
        self.data: bytes = b""
        self.version = ""
        self.sequence = 0
        self.correlation_id = ""
        self.causation_id = ""
        self.actor = ""
        self.traceparent = ""
        self.fault: str | None = None
        self._codec = codec
        self._body: Any = None

    @property
    def is_request(self) -> bool:
        """True when nobody gave it a sequence: it asks, it does not state."""
        return self.sequence == 0

    @property
    def body(self) -> Any:
        """The typed body. Raises `Unreadable` when it does not fit its type."""
        if self._body is None:
            assert self._codec is not None
            self._body = self._codec.decode(self.type, self.data)
        return self._body

    @property
    def added_ms(self) -> int:
        """When the store took it: milliseconds since 1970 by the store's clock (may jump, see redis-facts S17)."""
        return int(self.id.partition("-")[0])

    def __repr__(self) -> str:
        """Names, never payloads."""
        return f"Entry({self.id} {self.type} {self.entity} #{self.sequence})"


class Batch(msgspec.Struct):
    """The consecutive entries of one read that an actor is asked to handle; `partition` of `log`."""

    log: str
    partition: int
    entries: list[Entry]


class EntryReader:
    """Reads raw entries of one log. `entity_field` is the name of the field that orders (architecture section 3)."""

    def __init__(
        self,
        entity_field: str,
        codec: BodyCodec,
        limits: EntryLimits | None = None,
        *,
        sequenced: bool = True,
    ) -> None:
        """`sequenced` is False for streams whose entries are all facts without a sequence (outboxes)."""
        self._codec = codec
        self._limits = limits or EntryLimits()
        self._sequenced = sequenced
        self._entity_field = entity_field
        first = [EVENT_ID, EVENT_TYPE, entity_field, TIMESTAMP, DATA, VERSION, SEQUENCE]
        self._names = [name.encode() for name in [*first, CORRELATION_ID, CAUSATION_ID, ACTOR, TRACEPARENT]]
        self._texts: dict[bytes, str] = {}

    def read(self, raw: RawEntry) -> Entry:
        """Turn one raw entry into an `Entry`. Never raises: what is wrong stands in its `fault`."""
        entry_id, fields = raw
        entry = Entry(entry_id.decode(), fields, self._codec)
        try:
            if list(fields[::2]) == self._names:
                self._read_own(entry, fields)
            else:
                self._read_foreign(entry, fields)
        except UnicodeDecodeError as problem:
            entry.fault = f"a field is not UTF-8 text: {problem.reason}"
        except ValueError as problem:
            entry.fault = str(problem)
        return entry

    def _text(self, value: bytes) -> str:
        """Decode a value that repeats (type, actor, version): one string for all of them."""
        text = self._texts.get(value)
        if text is None:
            text = value.decode()
            if len(self._texts) < 4096 and len(value) < 64:
                self._texts[value] = text
        return text

    def _read_own(self, entry: Entry, f: Sequence[bytes]) -> None:
        """Read the layout that append writes, without a dictionary: this is the hot path."""
        if not f[13].isdigit() or len(f[13]) > 15:
            self._read_foreign(entry, f)
            return
        entry.event_id = f[1].decode()
        entry.type = self._text(f[3])
        entry.entity = f[5].decode()
        entry.timestamp = f[7].decode()
        entry.data = f[9]
        entry.version = self._text(f[11])
        entry.sequence = int(f[13])
        entry.correlation_id = f[15].decode()
        entry.causation_id = f[17].decode()
        entry.actor = self._text(f[19])
        entry.traceparent = f[21].decode()
        if len(entry.data) > self._limits.max_bytes:
            entry.fault = f"its data is {len(entry.data):,} bytes, the limit is {self._limits.max_bytes:,}"
        elif entry.version != SCHEMA_VERSION:
            entry.fault = f"its version is {entry.version!r}, this program reads {SCHEMA_VERSION!r}"
        elif entry.sequence < 1 and self._sequenced:
            entry.fault = "its sequence is not a positive integer"

    def _read_foreign(self, entry: Entry, fields: Sequence[bytes]) -> None:
        """Read an entry of somebody else: any order, fields may miss."""
        size = sum(map(len, fields))
        if size > self._limits.max_bytes:
            raise ValueError(f"it is {size:,} bytes, the limit is {self._limits.max_bytes:,}")
        if len(fields) // 2 > self._limits.max_fields:
            raise ValueError(f"it has {len(fields) // 2:,} fields, the limit is {self._limits.max_fields}")
        named = dict(zip(fields[::2], fields[1::2], strict=True))
        names = iter(self._names)

        def text() -> str:
            return named.get(next(names), b"").decode()

        entry.event_id, entry.type, entry.entity, entry.timestamp = text(), text(), text(), text()
        entry.data, entry.version = named.get(next(names), b""), text()
        sequence = text()
        entry.correlation_id, entry.causation_id, entry.actor, entry.traceparent = (
            text(),
            text(),
            text(),
            text(),
        )
        if sequence:
            digits = sequence.isascii() and sequence.isdigit() and len(sequence) <= 16  # more would not be below 2**53
            if not digits or not 0 < int(sequence) < 2**53:
                # Append never wrote this, so it states nothing: a request, and a bad one. It holds back no entity.
                raise ValueError(f"its sequence is not a positive integer: {sequence[:40]!r}")
            entry.sequence = int(sequence)
        missing = [
            name
            for name, value in (
                (EVENT_TYPE, entry.type),
                (self._entity_field, entry.entity),
                (DATA, entry.data),
            )
            if not value
        ]
        if missing:
            raise ValueError(f"it lacks {', '.join(missing)}")
        if entry.version != SCHEMA_VERSION:
            raise ValueError(f"its version is {entry.version[:40]!r}, this program reads {SCHEMA_VERSION!r}")


def event_id_of(fields: Sequence[bytes]) -> bytes:
    """The eventId of a raw entry, byte by byte as the store's functions compare it: b'' when it has none."""
    if fields and fields[0] == b"eventId":
        return fields[1]
    for position in range(0, len(fields), 2):
        if fields[position] == b"eventId":
            return fields[position + 1]
    return b""


def in_order(entry_id: str) -> tuple[int, int]:
    """What entry ids are compared by: as text '9-0' would come after '10-0'."""
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number)
