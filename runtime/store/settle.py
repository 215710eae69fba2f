"""settle: position still as expected -> effects applied, position moved, entries acknowledged. One atomic step.

The position is the fence. Every answer is a value here; only errors of the store itself are raised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime.answers import Fenced, Gap, GuardFailed, Invalid, SettleAnswer, Settled, Settlement, Stopped
from runtime.entry import event_id_of
from runtime.errors import EffectRefused
from runtime.store import functions
from runtime.store.encoding import (
    DEFAULT_COMMAND_TTL_MS,
    KeyTable,
    Logs,
    LogTable,
    as_text,
    encode_append,
    encode_effects,
    pack,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.signals import Bus
    from runtime.store.received import Received


class Settler:
    """Settles for one (group, partition) of one log."""

    def __init__(
        self,
        client: functions.Client,
        logs: Logs,
        log: str,
        group: str,
        partition: int,
        *,
        bus: Bus | None = None,
        command_ttl_ms: int = DEFAULT_COMMAND_TTL_MS,
        received: Received | None = None,
    ) -> None:
        """`log` is the one that is read; appends may go to any of `logs`.

        `received`: the replicas that must have a settle before its OK is believed. Otherwise every failover could take
        back what the runner was told, and halt the partition as rolled back.
        """
        self._received = received
        self._client = client
        self._logs = logs
        self._log = log
        self._group = group
        self._partition = partition
        self._bus = bus
        self._ttl = command_ttl_ms
        keys = logs[log].keys
        self._fixed = [
            keys.log(partition),
            keys.state(partition),
            keys.position(group, partition),
            keys.parked(group, partition),
            keys.held(group, partition),
            keys.retries(group, partition),
        ]

    async def settle(self, position: str, token: str, what: Settlement, *, after: str = "") -> SettleAnswer:
        """Settle from `position`. The same `token` again after a lost reply is recognised by the caller.

        `after` is the token of the settle before, as far as we know: the fence of a settle without entries.
        """
        try:
            keys, packed = self._encode(what)
        except (EffectRefused, ValueError, TypeError, OverflowError) as problem:
            return Invalid(why=str(problem))
        args: list[functions.Argument] = [self._group, position, token, after, packed]
        reply = await functions.call(self._client, functions.SETTLE, keys, args, self._bus, received=self._received)
        return _answer(reply)

    def _encode(self, what: Settlement) -> tuple[list[str], bytes]:
        """The declared keys and the packed argument. Raises when what an actor wants cannot be encoded."""
        index = KeyTable(self._fixed)
        logs = LogTable(index, self._logs)
        logs(self._log, self._partition)
        ids = [entry.id for entry in what.entries]
        packed = pack(
            [
                ids,
                as_text(event_id_of(what.entries[0].fields)) if ids else "",
                encode_effects(what.effects, index),
                logs.rows,
                [encode_append(unit, index, logs, self._ttl) for unit in what.appends],
                what.held,
                what.released,
            ]
        )
        return index.keys, packed


def _answer(reply: Sequence[Any]) -> SettleAnswer:
    name = reply[0]
    if name == b"OK":
        return Settled(position=reply[1].decode(), settled=int(reply[2]), retries=int(reply[3]))
    texts = [part.decode(errors="replace") for part in reply[1:]]
    if name == b"FENCED":
        return Fenced(position=texts[0], token=texts[1])
    if name == b"GAP":
        return Gap(position=texts[0], why=texts[1])
    if name == b"CONFLICT":
        return GuardFailed(key=texts[0], version=int(texts[1]))
    if name == b"INVALID":
        return Invalid(why=texts[0])
    return Stopped(answer=name.decode(), why=texts[0])
