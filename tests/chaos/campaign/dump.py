"""Everything that a store holds, as plain data: taken once at rest, judged without any server.

Bytes are kept as text of latin-1, so that any byte survives the way through JSON and each text names one value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from pathlib import Path

Entry = tuple[str, list[str]]
"""Id of a stream entry, and its flat fields."""


class Group(msgspec.Struct, frozen=True):
    """A consumer group of a stream, as the server shows it."""

    name: str
    pending: int
    last_delivered: str
    consumers: list[str]


class Dump(msgspec.Struct):
    """Keys by type. `entries_added` counts what a stream ever held, trimmed entries included."""

    strings: dict[str, str] = {}
    hashes: dict[str, dict[str, str]] = {}
    lists: dict[str, list[str]] = {}
    sets: dict[str, list[str]] = {}
    scored: dict[str, dict[str, str]] = {}
    streams: dict[str, list[Entry]] = {}
    groups: dict[str, list[Group]] = {}
    entries_added: dict[str, int] = {}
    expiring: list[str] = []
    """Names of the keys that have a time to live."""

    def write(self, path: Path) -> None:
        """Keep it in a file."""
        path.write_bytes(msgspec.json.encode(self))

    def merge(self, other: Dump) -> None:
        """Add what another node of a cluster holds."""
        for name in ("strings", "hashes", "lists", "sets", "scored", "streams", "groups", "entries_added"):
            getattr(self, name).update(getattr(other, name))
        self.expiring += other.expiring


def read_dump(path: Path) -> Dump:
    """What `Dump.write` kept."""
    return msgspec.json.decode(path.read_bytes(), type=Dump)


def text(raw: bytes | str | int | float) -> str:
    """Bytes as text of latin-1; anything else as it is."""
    return raw.decode("latin-1") if isinstance(raw, bytes) else str(raw)


async def dump_of(run: Callable[..., Awaitable[Any]]) -> Dump:
    """Read one node. `run(*words)` sends a command to it and gives the reply in the shape of RESP2, as bytes."""
    found = Dump()
    for raw in await _names(run):
        name, kind = text(raw), text(await run("TYPE", raw))
        await _READERS[kind](run, raw, name, found) if kind in _READERS else None
        if int(await run("PTTL", raw)) >= 0:
            found.expiring.append(name)
    return found


async def _names(run: Callable[..., Awaitable[Any]]) -> list[bytes]:
    cursor: Any = 0
    names: dict[bytes, None] = {}
    while True:
        cursor, page = await run("SCAN", cursor, "COUNT", 1000)
        names |= dict.fromkeys(page)
        if int(cursor) == 0:
            return sorted(names)


async def _string(run: Any, raw: bytes, name: str, found: Dump) -> None:
    value = await run("GET", raw)
    if value is not None:  # it may have expired since
        found.strings[name] = text(value)


async def _hash(run: Any, raw: bytes, name: str, found: Dump) -> None:
    found.hashes[name] = {text(k): text(v) for k, v in _pairs(await run("HGETALL", raw))}


async def _list(run: Any, raw: bytes, name: str, found: Dump) -> None:
    found.lists[name] = [text(one) for one in await run("LRANGE", raw, 0, -1)]


async def _set(run: Any, raw: bytes, name: str, found: Dump) -> None:
    found.sets[name] = sorted(text(one) for one in await run("SMEMBERS", raw))


async def _scored(run: Any, raw: bytes, name: str, found: Dump) -> None:
    found.scored[name] = {text(k): text(v) for k, v in _pairs(await run("ZRANGE", raw, 0, -1, "WITHSCORES"))}


async def _stream(run: Any, raw: bytes, name: str, found: Dump) -> None:
    found.streams[name] = [(text(one), _fields(fields)) for one, fields in await run("XRANGE", raw, "-", "+")]
    about = _named(await run("XINFO", "STREAM", raw))
    found.entries_added[name] = int(about["entries-added"])
    rows = [_named(row) for row in await run("XINFO", "GROUPS", raw)]
    found.groups[name] = [
        Group(
            text(row["name"]),
            int(row["pending"]),
            text(row["last-delivered-id"]),
            [text(_named(one)["name"]) for one in await run("XINFO", "CONSUMERS", raw, row["name"])],
        )
        for row in rows
    ]


_READERS = {"string": _string, "hash": _hash, "list": _list, "set": _set, "zset": _scored, "stream": _stream}


def _fields(fields: Any) -> list[str]:
    if isinstance(fields, dict):
        return [text(part) for pair in fields.items() for part in pair]
    return [text(part) for part in fields or []]


def _pairs(reply: Any) -> Iterable[tuple[Any, Any]]:
    """Pairs of a reply, whichever shape the client gave it."""
    if isinstance(reply, dict):
        return reply.items()
    if reply and isinstance(reply[0], (list, tuple)):
        return [(one[0], one[1]) for one in reply]
    return zip(reply[::2], reply[1::2], strict=True)


def _named(reply: Any) -> dict[str, Any]:
    return {text(name): value for name, value in _pairs(reply)}
