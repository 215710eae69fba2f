"""What facts ask to be told to whom, against the outbox: a replay of the notifier that sends nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.effects import StreamAdd
from runtime.entry import Batch, in_order
from workers.keys import CLAIM_LOG, ClaimKeys
from workers.notifier import Notifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.entry import Entry
    from runtime.store.encoding import Log
    from runtime.store.reads import Reads


class IntentCheck:
    """The intents of one partition."""

    def __init__(self, reads: Reads, log: Log, partition: int) -> None:
        """Nothing is read yet."""
        self._reads = reads
        self._keyspace = log.keys
        self._partition = partition
        self._keys = ClaimKeys(log.keys, partition)
        self._notifier = Notifier(self._keys)
        self._outbox: dict[str, dict[str, str]] = {}
        self._wanted: dict[str, dict[str, str]] = {}
        self._position = (0, 0)
        self.differences: list[str] = []

    async def begin(self) -> None:
        """Read the outbox and where the group stands: facts behind that were not told yet."""
        position = await self._reads.one("HGET", self._keyspace.position(Notifier.group, self._partition), "id")
        self._position = in_order(position.decode()) if position else (0, 0)
        async for _, fields in self._reads.stream(self._keys.notifications):
            named = _named([field.decode(errors="backslashreplace") for field in fields])
            self._outbox.setdefault(named.get("causationId", ""), {})[named.get("eventId", "")] = named.get("data", "")

    async def page(self, facts: Sequence[Entry]) -> None:
        """Note what these facts ask for."""
        for fact in facts:
            if in_order(fact.id) > self._position:
                continue
            wanted = self._wanted.setdefault(fact.event_id, {})
            for effect in await self._notifier.handle(Batch(CLAIM_LOG, self._partition, [fact])):
                assert isinstance(effect, StreamAdd)
                named = _named([str(field) for field in effect.fields])
                wanted[named["eventId"]] = named["data"]

    def finish(self) -> None:
        """Compare with what was told because of them."""
        for event, wanted in self._wanted.items():
            told = self._outbox.get(event, {})
            for name in wanted.keys() | told.keys():
                if name not in told:
                    self.differences.append(f"event {event}: the outbox lacks the intent {name}")
                elif name not in wanted:
                    self.differences.append(f"event {event}: it does not ask for the intent {name}")
                elif wanted[name] != told[name]:
                    self.differences.append(f"event {event}: the intent {name} says something else")


def _named(fields: Sequence[str]) -> dict[str, str]:
    return dict(zip(fields[::2], fields[1::2], strict=True))
