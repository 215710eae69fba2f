"""append: unseen command id, expected version -> events + snapshot + history + result, in one atomic step.

Safe to repeat with the same command id: the first result is the answer. An error of the connection leaves the outcome
unknown (`OutcomeUnknown`); the caller repeats the call until it knows or its deadline is over.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import msgspec

from runtime import failpoints
from runtime.backoff import BackoffOptions, delay
from runtime.errors import EffectRefused, Halted, StoreUnavailable
from runtime.store import functions
from runtime.store.cluster_client import ClusterClient
from runtime.store.encoding import DEFAULT_COMMAND_TTL_MS, KeyTable, Logs, LogTable, encode_append, pack
from runtime.store.together import Together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.effects import Append
    from runtime.signals import Bus
    from runtime.store.received import Received
    from runtime.store.room import Room


_RETRY = BackoffOptions(cap_seconds=1.0)


class Appended(msgspec.Struct, frozen=True):
    """The events are in the log: the entity's version now, and the entry ids. `repeated` when it was there before.

    `confirmed` says how far: `logged` (a power cut may take it), `fsynced`, and `replicated` once as many replicas as
    were asked for have it. Behind Sentinels or in a cluster only `replicated` survives the loss of a server.
    """

    version: int
    ids: tuple[str, ...]
    repeated: bool = False
    confirmed: str = "logged"


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
        received: Received | None = None,
        fsynced: bool = False,
    ) -> None:
        """`logs` names every log that may be appended to; `room` refuses before the store is full.

        `received`: the replicas that must have an append before it is confirmed. `fsynced`: the store answers after
        its disk.
        """
        self._room = room
        self._received = received if received is not None and received.replicas else None
        levels = ["fsynced"] * fsynced + ["replicated"] * (self._received is not None)
        self._confirmed = " and ".join(levels) or "logged"
        self._client = client
        self._logs = logs
        self._bus = bus
        self._ttl = command_ttl_ms
        self._together: Together[Append, AppendAnswer] = Together(self._each)

    async def append(self, unit: Append) -> AppendAnswer:
        """Append one unit, together with those of other callers. Raises `Halted`, `EffectRefused`, store errors."""
        if isinstance(self._client, ClusterClient):  # a call of many ends with the first node that is away
            return (await self.append_many([unit]))[0]
        return await self._together.append(unit)

    async def append_many(self, units: Sequence[Append]) -> list[AppendAnswer]:
        """Append independent units in one round trip; each is atomic on its own. Raises `StoreFull` early."""
        if self._room is not None:
            await self._room.require()
        if isinstance(self._client, ClusterClient):
            return await self._by_partition(units)
        return await self._one_call(units)

    async def _by_partition(self, units: Sequence[Append]) -> list[AppendAnswer]:
        """In a cluster the keys of a call share a slot, so each partition gets a call of its own, all at once."""
        shares: dict[int, list[int]] = defaultdict(list)
        for number, unit in enumerate(units):
            log = self._logs.get(unit.log)
            shares[log.keys.partition_of(unit.entity) if log is not None else -1].append(number)
        calls = [self._one_call([units[number] for number in numbers]) for numbers in shares.values()]
        answers: list[AppendAnswer | None] = [None] * len(units)
        replies = await asyncio.gather(*calls, return_exceptions=True)
        for numbers, share in zip(shares.values(), replies, strict=True):
            if isinstance(share, BaseException):
                raise share  # what others have appended is theirs: a repetition finds it
            for number, answer in zip(numbers, share, strict=True):
                answers[number] = answer
        return [answer for answer in answers if answer is not None]

    async def _one_call(self, units: Sequence[Append]) -> list[AppendAnswer]:
        index = KeyTable()
        logs = LogTable(index, self._logs)
        encoded = [encode_append(unit, index, logs, self._ttl) for unit in units]
        return [_answer(reply, self._confirmed) for reply in await self._called(index, logs, encoded)]

    async def _each(self, units: Sequence[Append]) -> list[AppendAnswer | Exception]:
        """What became of units that have nothing to do with each other: one that is refused does not touch the rest."""
        if self._room is not None:
            await self._room.require()
        outcomes: dict[int, AppendAnswer | Exception] = {}
        index, logs, encoded = self._encodable(units, outcomes)
        replies = await self._called(index, logs, encoded) if encoded else []
        sent = [place for place in range(len(units)) if place not in outcomes]
        for place, reply in zip(sent, replies, strict=True):
            try:
                outcomes[place] = _answer(reply, self._confirmed)
            except (EffectRefused, Halted) as refusal:
                outcomes[place] = refusal
        return [outcomes[place] for place in range(len(units))]

    def _encodable(
        self, units: Sequence[Append], refused: dict[int, AppendAnswer | Exception]
    ) -> tuple[KeyTable, LogTable, list[Any]]:
        """Encode those that can be; `refused` gets what is wrong with the others.

        Each of those costs a new start, as the keys that it declared must not be sent. They are bugs, and rare.
        """
        index = KeyTable()
        logs = LogTable(index, self._logs)
        encoded: list[Any] = []
        for place, unit in enumerate(units):
            if place in refused:
                continue
            known = len(index.keys)
            try:
                encoded.append(msgspec.Raw(pack(encode_append(unit, index, logs, self._ttl))))
                "".join(index.keys[known:]).encode()  # half a character in a name cannot be sent
            except (EffectRefused, ValueError, TypeError) as problem:
                refused[place] = problem
                return self._encodable(units, refused)
        return index, logs, encoded

    async def _called(self, index: KeyTable, logs: LogTable, encoded: Sequence[Any]) -> list[Any]:
        await failpoints.reach("append.before")
        packed = pack([logs.rows, encoded])
        call = functions.call(self._client, functions.APPEND, index.keys, [packed], self._bus, received=self._received)
        replies = await failpoints.sent("append.sent", call)
        await failpoints.reach("append.replied")
        return replies

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


def _answer(reply: Sequence[Any], confirmed: str) -> AppendAnswer:
    name = reply[0]
    if name in (b"OK", b"REPEATED"):
        ids = tuple(entry_id.decode() for entry_id in reply[2:])
        return Appended(version=int(reply[1]), ids=ids, repeated=name == b"REPEATED", confirmed=confirmed)
    if name == b"CONFLICT":
        return Rejected(version=int(reply[2]))
    why = reply[1].decode()
    if name == b"INVALID":
        raise EffectRefused(why)
    raise Halted(f"{name.decode()}: {why}")
