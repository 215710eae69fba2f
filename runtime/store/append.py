"""append: unseen command id, expected version -> events + snapshot + history + result, in one atomic step.

Safe to repeat with the same command id: the first result is the answer. An error of the connection leaves the outcome
unknown (`OutcomeUnknown`); the caller repeats the call until it knows or its deadline is over.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any

import msgspec

from runtime import failpoints
from runtime.backoff import BackoffOptions, delay
from runtime.errors import EffectRefused, Halted, StoreUnavailable
from runtime.store import functions
from runtime.store.encoding import DEFAULT_COMMAND_TTL_MS, KeyTable, Logs, LogTable, encode_append, pack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.effects import Append
    from runtime.signals import Bus
    from runtime.store.room import Room


_RETRY = BackoffOptions(cap_seconds=1.0)


class Appended(msgspec.Struct, frozen=True):
    """The events are in the log: the entity's version now, and the entry ids. `repeated` when it was there before."""

    version: int
    ids: tuple[str, ...]
    repeated: bool = False


class Rejected(msgspec.Struct, frozen=True):
    """Nothing was written: the entity stands at `version`, not at the expected one."""

    version: int


AppendAnswer = Appended | Rejected


class Appender:
    """Appends from outside of any batch: commands of people, imports, the timekeeper."""

    def __init__(
        self,
        client: functions.Client,
        logs: Logs,
        *,
        bus: Bus | None = None,
        command_ttl_ms: int = DEFAULT_COMMAND_TTL_MS,
        room: Room | None = None,
    ) -> None:
        """`logs` names every log that may be appended to; `room` refuses before the store is full."""
        self._room = room
        self._client = client
        self._logs = logs
        self._bus = bus
        self._ttl = command_ttl_ms

    async def append(self, unit: Append) -> AppendAnswer:
        """Append one unit. Raises `Halted` and `EffectRefused`; store errors pass through."""
        return (await self.append_many([unit]))[0]

    async def append_many(self, units: Sequence[Append]) -> list[AppendAnswer]:
        """Append independent units in one round trip; each is atomic on its own. Raises `StoreFull` early."""
        if self._room is not None:
            await self._room.require()
        index = KeyTable()
        logs = LogTable(index, self._logs)
        encoded = [encode_append(unit, index, logs, self._ttl) for unit in units]
        await failpoints.reach("append.before")
        call = functions.call(self._client, functions.APPEND, index.keys, [pack([logs.rows, encoded])], self._bus)
        replies = await failpoints.sent("append.sent", call)
        await failpoints.reach("append.replied")
        return [_answer(reply) for reply in replies]

    async def append_surely(self, units: Sequence[Append], *, seconds: float) -> list[AppendAnswer]:
        """Append, and ask again for up to `seconds` while the store is away or its answer was lost.

        Every unit needs a command id, or an expected version that tells its repetition: asking twice adds once.
        """
        attempt = 0
        deadline = time.monotonic() + seconds
        while True:
            try:
                return await self.append_many(units) if units else []
            except StoreUnavailable:
                attempt += 1
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(delay(_RETRY, attempt, random.random()))


def _answer(reply: Sequence[Any]) -> AppendAnswer:
    name = reply[0]
    if name in (b"OK", b"REPEATED"):
        ids = tuple(entry_id.decode() for entry_id in reply[2:])
        return Appended(version=int(reply[1]), ids=ids, repeated=name == b"REPEATED")
    if name == b"CONFLICT":
        return Rejected(version=int(reply[2]))
    why = reply[1].decode()
    if name == b"INVALID":
        raise EffectRefused(why)
    raise Halted(f"{name.decode()}: {why}")
