"""Dead letters: how an entry is written to them, listed, read back, tried again and given up.

An entry is parked inside a settle and carries where it came from: group, original id, entity, attempts, first and last
failure, the reason for people, and its raw fields as they were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from runtime.answers import ParkedEntry
from runtime.effects import Effect, HashIncrement, StreamAdd
from runtime.store import functions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.entry import Entry, EntryReader
    from runtime.store.keys import Keyspace
    from runtime.store.reads import Reads

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[bytes]).decode


class DeadLetter(msgspec.Struct, frozen=True):
    """One dead letter for people: provenance and reason. Times are ISO 8601, UTC."""

    parked_id: str
    group: str
    partition: int
    origin_id: str
    entity: str
    event_type: str
    reason: str
    attempts: int
    first_failed: str
    last_failed: str
    held: bool
    fields: dict[str, str]


def park_effects(
    keys: Keyspace,
    group: str,
    partition: int,
    entry: Entry,
    entity: str,
    reason: str,
    attempts: int,
    since: str,
    *,
    held: bool,
    now: str,
) -> Sequence[Effect]:
    """Move one entry to the dead letters of its group and hold its entity back."""
    fields = (
        "group", group, "originId", entry.id, "entity", entity, "eventType", entry.type, "reason", reason,
        "attempts", str(attempts), "firstFailed", since, "lastFailed", now, "held", "1" if held else "0",
        "raw", _pack(list(entry.fields)),
    )  # fmt: skip
    return (
        StreamAdd(keys.parked(group, partition), fields),
        HashIncrement(keys.held(group, partition), {entity: 1}),
    )


def _named(fields: Any) -> dict[str, bytes]:
    flat = fields if isinstance(fields, list) else [part for pair in fields.items() for part in pair]
    return {flat[n].decode(): flat[n + 1] for n in range(0, len(flat), 2)}


def parked_entry(parked_id: bytes, fields: Any, reader: EntryReader) -> ParkedEntry:
    """Read one dead letter back as the entry that it was."""
    named = _named(fields)
    return ParkedEntry(
        parked_id=parked_id.decode(),
        entity=named["entity"].decode(),
        entry=reader.read((named["originId"], _unpack(named["raw"]))),
        reason=named["reason"].decode(),
        attempts=int(named["attempts"]),
        held=named["held"] == b"1",
    )


class DeadLetters:
    """The dead letters of one log, for operators."""

    def __init__(self, client: functions.Client, reads: Reads, keys: Keyspace) -> None:
        """Nothing is read yet."""
        self._client = client
        self._reads = reads
        self._keys = keys

    async def listed(self, group: str) -> list[DeadLetter]:
        """Every dead letter of a group, oldest first within each partition."""
        found: list[DeadLetter] = []
        for partition in range(self._keys.spec.partitions):
            async for parked_id, fields in self._reads.stream(self._keys.parked(group, partition)):
                found.append(_letter(partition, parked_id, fields))
        return found

    async def retry(self, group: str, partition: int, entities: Sequence[str], *, who: str, why: str) -> int:
        """Ask the group's runner to take entities again ('*': all that are held); how many that are."""
        keys = self._keys
        names = [keys.held(group, partition), keys.retries(group, partition), keys.operations(partition)]
        reply = await functions.call(self._client, functions.RETRY, names, [who, why, *entities])
        return int(reply[1])

    async def drop(self, letter: DeadLetter, *, who: str, why: str) -> bool:
        """Give one dead letter up, with a reason that stays in the operations stream. False: it is not there."""
        keys = self._keys
        names = [
            keys.parked(letter.group, letter.partition),
            keys.held(letter.group, letter.partition),
            keys.operations(letter.partition),
        ]
        args = [who, why, letter.parked_id, letter.entity]
        reply = await functions.call(self._client, functions.DROP, names, args)
        return bool(reply[0] == b"OK")


def _letter(partition: int, parked_id: bytes, fields: Any) -> DeadLetter:
    named = _named(fields)
    raw = _unpack(named["raw"])
    shown = {
        raw[n].decode(errors="backslashreplace"): raw[n + 1].decode(errors="backslashreplace")
        for n in range(0, len(raw) - 1, 2)
    }
    return DeadLetter(
        parked_id=parked_id.decode(),
        group=named["group"].decode(),
        partition=partition,
        origin_id=named["originId"].decode(),
        entity=named["entity"].decode(),
        event_type=named["eventType"].decode(),
        reason=named["reason"].decode(),
        attempts=int(named["attempts"]),
        first_failed=named["firstFailed"].decode(),
        last_failed=named["lastFailed"].decode(),
        held=named["held"] == b"1",
        fields=shown,
    )
