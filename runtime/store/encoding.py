"""Effects and appends -> the keys and the one packed argument that the store's functions take.

Every key that a call may touch is declared; equal keys are declared once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from runtime.errors import EffectRefused
from runtime.store.keys import Keyspace

if TYPE_CHECKING:
    from runtime.effects import Append, Effect

pack = msgspec.msgpack.Encoder().encode

MAX_OPERATIONS = 5000
"""Effects of one settle: about 1.4 ms of a blocked server per 1,000 (redis-facts L10). More is a bug of an actor."""

MAX_ARGUMENTS = 7000
"""Arguments of one effect: Lua's unpack ends at 7,999 values (redis-facts L5)."""

DEFAULT_COMMAND_TTL_MS = 3_600_000
"""How long a command id is remembered: one hour by default (197 B each, redis-facts B4)."""


_PLAIN = {str}


def as_text(raw: bytes) -> msgspec.Raw:
    """Bytes as a text of MessagePack: the store's Lua reads any bytes in those, but refuses its binary type."""
    size = len(raw)
    if size < 32:
        head = bytes([0xA0 | size])
    elif size < 256:
        head = b"\xd9" + size.to_bytes(1, "big")
    elif size < 65_536:
        head = b"\xda" + size.to_bytes(2, "big")
    else:
        head = b"\xdb" + size.to_bytes(4, "big")
    return msgspec.Raw(head + raw)


def texts(parts: Sequence[Any], whose: str) -> Sequence[Any]:
    """Arguments as the store's functions take them. Raises `EffectRefused` for anything but text and bytes."""
    if set(map(type, parts)) <= _PLAIN:
        return parts
    encoded: list[Any] = []
    for part in parts:
        if not isinstance(part, (str, bytes)):
            raise EffectRefused(f"{whose}: an argument is {type(part).__name__}, not text")
        encoded.append(as_text(part) if isinstance(part, bytes) else part)
    return encoded


class Log(msgspec.Struct, frozen=True):
    """One partition of one log, as a call names it."""

    keys: Keyspace
    incarnations: tuple[str, ...]

    def incarnation(self, partition: int) -> str:
        """The incarnation that this process saw when it opened the log."""
        return self.incarnations[partition]


Logs = Mapping[str, Log]


class KeyTable:
    """The declared keys of one call, each once, numbered from 1 as Lua does."""

    def __init__(self, first: Sequence[str] = ()) -> None:
        """Start with the keys that have fixed places."""
        self.keys: list[str] = list(first)
        self._places: dict[str, int] = {key: place for place, key in enumerate(self.keys, 1)}

    def __call__(self, key: str) -> int:
        """Declare `key`; its number."""
        place = self._places.get(key)
        if place is None:
            self.keys.append(key)
            place = self._places[key] = len(self.keys)
        return place


class LogTable:
    """The logs of one call: number, stream, state and incarnation of each."""

    def __init__(self, index: KeyTable, logs: Logs) -> None:
        """Declare logs as they are named."""
        self.rows: list[list[Any]] = []
        self._index = index
        self._logs = logs
        self._places: dict[tuple[str, int], int] = {}

    def keyspace(self, name: str) -> Keyspace:
        """The key names of a log."""
        return self._named(name).keys

    def _named(self, name: str) -> Log:
        log = self._logs.get(name)
        if log is None:
            raise EffectRefused(f"no log of the name {name!r}: there are {', '.join(sorted(self._logs))}")
        return log

    def __call__(self, name: str, partition: int) -> int:
        """Declare one partition of a log; its number."""
        place = self._places.get((name, partition))
        if place is None:
            log = self._named(name)
            keys = log.keys
            self.rows.append(
                [
                    self._index(keys.log(partition)),
                    self._index(keys.state(partition)),
                    log.incarnation(partition),
                ]
            )
            place = self._places[name, partition] = len(self.rows)
        return place


def encode_append(unit: Append, index: KeyTable, logs: LogTable, ttl_ms: int) -> list[Any]:
    """One unit of append in the order that the Lua side reads (constants U_* in `16_units.lua`)."""
    keys = logs.keyspace(unit.log)
    entity = unit.entity
    return [
        logs(unit.log, keys.partition_of(entity)),
        index(keys.head(entity)),
        index(keys.snapshot(entity)),
        index(keys.history(entity)),
        index(keys.command(unit.command_id, entity)) if unit.command_id else 0,
        unit.expected_version,
        str(ttl_ms),
        [texts(event, "an event") for event in unit.events],
        texts([part for pair in unit.snapshot.items() for part in pair], "the snapshot"),
        encode_effects(unit.effects, _beside(keys, keys.partition_of(entity), index)),
    ]


def _beside(keys: Keyspace, partition: int, index: KeyTable) -> Callable[[str], int]:
    """Numbers for the keys of a unit's own effects: one without a tag gets that of the unit's partition.

    What an append writes beside its entity belongs to it, and in a cluster it has to lie on the same node.
    """
    return lambda key: index(key if "{" in key else keys.name(key, partition))


def encode_effects(effects: Iterable[Effect], index: Callable[[str], int]) -> list[list[Any]]:
    """Effects as lists of texts. Raises `EffectRefused` when there are too many of them for one settle."""
    encoded = [effect.wire(index) for effect in effects]
    if len(encoded) > MAX_OPERATIONS:
        raise EffectRefused(f"{len(encoded):,} effects in one settle, the limit is {MAX_OPERATIONS:,}")
    for op in encoded:
        if len(op) > MAX_ARGUMENTS:
            raise EffectRefused(f"{op[0]} with {len(op) - 2:,} arguments, the limit is {MAX_ARGUMENTS:,}")
        op[2:] = texts(op[2:], op[0])
    return encoded
