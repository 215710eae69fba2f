"""A claim log on a real store, and small facts for it, for tests that care for the log and not for bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from runtime.effects import Append
from runtime.store.append import Appender
from runtime.store.functions import load_library
from runtime.store.position import open_log
from workers.keys import CLAIM_LOG, claim_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from runtime.store.encoding import Log


def fact(claim_id: str, sequence: int, event_type: str = "claim.submitted") -> tuple[str, ...]:
    """The flat fields of one fact, in the order of the envelope; its body is empty."""
    fields = {
        "eventId": str(uuid4()),
        "eventType": event_type,
        "claimId": claim_id,
        "timestamp": "2025-01-20T09:30:00.000Z",
        "data": "{}",
        "version": "1.0",
        "sequence": str(sequence),
        "correlationId": "",
        "causationId": "",
        "actor": "test",
        "traceparent": "",
    }
    return tuple(part for pair in fields.items() for part in pair)


def unit(claim_id: str, expected_version: int, *, events: int = 1, command_id: str = "") -> Append:
    """An append of a few facts to one claim; its snapshot says which version it is of."""
    sequences = range(expected_version + 1, expected_version + 1 + events)
    return Append(
        log=CLAIM_LOG,
        entity=claim_id,
        expected_version=expected_version,
        events=tuple(fact(claim_id, sequence) for sequence in sequences),
        snapshot={"id": claim_id, "sequence": str(expected_version + events)},
        command_id=command_id,
    )


async def opened(commands: Redis, groups: Sequence[str] = ("processors",)) -> tuple[Log, Appender]:
    """The claim log of one partition with its groups, and what appends to it."""
    await load_library(commands)
    log = await open_log(commands, claim_log(1), groups)
    return log, Appender(commands, {CLAIM_LOG: log})


async def ask(commands: Redis, *command: str | int) -> Any:
    """Send one command as `redis-cli` would; the client's reply, whose types the library leaves open."""
    return await commands.execute_command(*command)  # type: ignore[no-untyped-call]


async def entries(commands: Redis) -> list[tuple[str, dict[str, str]]]:
    """Every entry of the log: id and fields as text."""
    raw = await ask(commands, "XRANGE", CLAIM_LOG, "-", "+")
    return [(entry_id.decode(), pairs(fields)) for entry_id, fields in raw]


def pairs(flat: Sequence[bytes] | dict[bytes, bytes]) -> dict[str, str]:
    """Fields of a reply as text, whichever shape the protocol gave them."""
    items = flat.items() if isinstance(flat, dict) else zip(flat[::2], flat[1::2], strict=True)
    return {name.decode(): value.decode() for name, value in items}
