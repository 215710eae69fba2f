"""The newest entries of the claim log, without their bodies: those may be personal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from runtime.store.keys import Keyspace
from runtime.store.reads import Reads
from workers.cli.survey import stored_specs
from workers.keys import CLAIM_LOG

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis.asyncio import Redis

    from runtime.store.keys import LogSpec


class Recent(msgspec.Struct, frozen=True):
    """One entry: its id in the log, when it happened, what, to which claim, by whom."""

    id: str
    at: str
    type: str
    entity: str
    sequence: str
    actor: str


async def recent_events(client: Redis, specs: Iterable[LogSpec], count: int) -> list[Recent]:
    """The newest `count` entries over all partitions, newest first. Raises store faults."""
    reads = Reads(client)
    found: list[Recent] = []
    for spec in await stored_specs(reads, [spec for spec in specs if spec.name == CLAIM_LOG]):
        keys = Keyspace(spec)
        for partition in range(spec.partitions):
            entries = await reads.one("XREVRANGE", keys.log(partition), "+", "-", "COUNT", count) if count else []
            found += [_recent(entry_id, fields, spec.entity_field) for entry_id, fields in entries]
    return sorted(found, key=lambda one: _order(one.id), reverse=True)[:count]


def _recent(entry_id: bytes, fields: object, entity_field: str) -> Recent:
    flat = fields if isinstance(fields, list) else [part for pair in dict(fields).items() for part in pair]  # type: ignore[call-overload]  # a dict in RESP3
    named = {_text(flat[n]): _text(flat[n + 1]) for n in range(0, len(flat) - 1, 2)}
    return Recent(
        id=entry_id.decode(),
        at=named.get("timestamp", ""),
        type=named.get("eventType", "(unreadable)"),
        entity=named.get(entity_field, ""),
        sequence=named.get("sequence", ""),
        actor=named.get("actor", ""),
    )


def _text(value: bytes) -> str:
    """Printable, on one line and short, whatever a stranger wrote."""
    text = value.decode(errors="backslashreplace")
    return "".join(char if char.isprintable() else "?" for char in text)[:60]


def _order(entry_id: str) -> tuple[int, int]:
    at, _, number = entry_id.partition("-")
    return int(at), int(number)
