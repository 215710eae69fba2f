"""Puts one partition of a log back into a store that has none of that name; nobody can open it until the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runtime.errors import Halted
from runtime.store import functions
from runtime.store.encoding import KeyTable, encode_effects, pack, texts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runtime.effects import Effect
    from runtime.entry import RawEntry
    from runtime.store.keys import Keyspace

AT_ONCE = 500
"""Entries or effects of one call: a few milliseconds of a server that nobody else uses yet."""


class NotEmpty(Halted):
    """The store has such a log already, or a part of one."""


class Stand(NamedTuple):
    """Where a group begins: its position, and how many entries of the log lie up to it."""

    position: str
    settled: int


class Restorer:
    """Writes one partition. Made for one restore; never repeated by itself."""

    def __init__(self, client: functions.Client, keys: Keyspace, partition: int, token: str) -> None:
        """`token` names this restore, so that two at a time cannot mix."""
        self._client = client
        self._keys = keys
        self._partition = partition
        self._token = token
        self._fixed = (keys.log(partition), keys.state(partition))

    async def entries(self, stream: str, rows: Sequence[RawEntry]) -> None:
        """Entries of a stream with the ids that they had. Raises `NotEmpty`, `Halted`, store faults."""
        index = KeyTable(self._fixed)
        place = index(stream)
        packed = [[place, entry_id.decode(), *texts(list(fields), "an entry")] for entry_id, fields in rows]
        await self._send(functions.RESTORE, index.keys, [self._token, pack([packed, []])])

    async def effects(self, wanted: Sequence[Effect]) -> None:
        """Whatever else belongs to the partition, in order. Nothing at all is how a restore begins."""
        for start in range(0, max(len(wanted), 1), AT_ONCE):
            index = KeyTable(self._fixed)
            packed = pack([[], encode_effects(wanted[start : start + AT_ONCE], index)])
            await self._send(functions.RESTORE, index.keys, [self._token, packed])

    async def finish(self, incarnation: str, groups: Mapping[str, Stand], *, who: str, note: str) -> None:
        """Make the groups and let the log be opened."""
        keys, partition = self._keys, self._partition
        names = [*self._fixed, keys.operations(partition), *(keys.position(group, partition) for group in groups)]
        flat = [word for group, at in groups.items() for word in (group, at.position, str(at.settled))]
        args = [self._token, incarnation, str(keys.spec.partitions), who, note, *flat]
        await self._send(functions.RESTORED, names, args)

    async def _send(self, function: str, names: Sequence[str], args: Sequence[functions.Argument]) -> None:
        reply = await functions.call(self._client, function, names, args)
        if reply[0] == b"REFUSED":
            raise NotEmpty(f"{reply[1].decode()}; restore into an empty store")
        if reply[0] != b"OK":
            raise Halted(f"{reply[0].decode()}: {reply[1].decode()}; empty the store and begin the restore again")
