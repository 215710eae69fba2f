"""Rebuilds a projection beside the live one: staged keys with a position of their own, swapped in one atomic step.

A live position is never set back: the swap is refused unless the live group stands exactly where the rebuild does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from runtime.errors import EffectRefused, Halted
from runtime.merging import merge
from runtime.store import functions
from runtime.store.encoding import KeyTable, encode_effects, pack

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runtime.effects import Effect
    from runtime.store.encoding import Log
    from runtime.store.reads import Reads

STAGED = "rebuild:"
"""What the names of staged keys begin with; the store's functions take no others."""

LIVES_MS = 3_600_000
"""Milliseconds that the record of a rebuild lives without another step. What a dead one leaves, the next takes away."""

AT_ONCE = 500


class Live(msgspec.Struct, frozen=True):
    """Where a live group stands, and the token of its last settle; `there` is False for one that does not exist."""

    position: str
    token: str
    there: bool


class Rebuild:
    """One rebuild of what one group made of one partition."""

    def __init__(self, client: functions.Client, reads: Reads, log: Log, group: str, partition: int) -> None:
        """Nothing is staged yet."""
        self._client = client
        self._reads = reads
        self._log = log
        self._group = group
        self._partition = partition
        self._record = self.staged(f"{log.keys.spec.name}:record")
        self.position = ""
        self.count = 0
        self.names: dict[str, None] = {}
        """Staged keys that were ever written, in that order."""

    def staged(self, base: str) -> str:
        """The staged name of a live key `base` (without the partition's tag)."""
        return self._log.keys.name(f"{STAGED}{self._group}:{base}", self._partition)

    def live_name(self, staged: str) -> str:
        """The live name of a staged key."""
        return staged.removeprefix(f"{STAGED}{self._group}:")

    async def begin(self) -> None:
        """Take away what an earlier rebuild left."""
        names = [self._record, *await self.keys()]
        for start in range(0, len(names), AT_ONCE):
            part = names[start : start + AT_ONCE]
            await functions.call(self._client, functions.DROP_STAGE, part, [])
        self.position, self.count = "", 0
        self.names = {}

    async def keys(self) -> list[str]:
        """The staged keys that there are."""
        tail = self._log.keys.name("", self._partition)
        found = [raw.decode() async for raw in self._reads.keys(f"{STAGED}{self._group}:*{tail}")]
        return sorted(name for name in set(found) if name != self._record and (tail or ":{p" not in name))

    async def apply(self, effects: Iterable[Effect], upto: str, count: int) -> None:
        """Stage the effects of the next entries; `count` of all so far. Raises `EffectRefused`, `Halted`."""
        index = KeyTable([self._record])
        ops = pack(encode_effects(merge(effects), index))
        args: list[functions.Argument] = [self.position, upto, str(count), str(LIVES_MS), ops]
        reply = await functions.call(self._client, functions.STAGE, index.keys, args)
        if reply[0] == b"INVALID":
            raise EffectRefused(reply[1].decode())
        if reply[0] != b"OK":
            raise Halted(f"the rebuild of {self._group} is disturbed by another one: {reply[0].decode()}; try again")
        self.position, self.count = upto, count
        self.names |= dict.fromkeys(index.keys[1:])

    async def live(self) -> Live:
        """Where the live group stands."""
        record = self._log.keys.position(self._group, self._partition)
        return _live(await self._reads.one("HMGET", record, "id", "token"))

    async def look(self) -> tuple[Live, frozenset[str]]:
        """Where the live group stands, and the entries that it has parked by then or since, in one round trip."""
        keys, partition = self._log.keys, self._partition
        record, parked = await self._reads.many(
            [
                ("HMGET", keys.position(self._group, partition), "id", "token"),
                ("XRANGE", keys.parked(self._group, partition), "-", "+"),
            ]
        )
        return _live(record), frozenset(_origin(fields) for _, fields in parked)

    async def swap(
        self, live: Live, pairs: Sequence[tuple[str, str]], gone: Sequence[str], *, who: str, why: str
    ) -> bool:
        """Put the staged keys (staged, live) in place and take `gone` away. False: the live group has moved on.

        Raises `Halted`.
        """
        keys, partition = self._log.keys, self._partition
        names = [
            keys.log(partition),
            keys.state(partition),
            keys.position(self._group, partition),
            self._record,
            keys.operations(partition),
            keys.lease(self._group, partition),
            *(name for pair in pairs for name in pair),
            *gone,
        ]
        args = [
            self._group,
            self._log.incarnation(partition),
            who,
            why,
            self.position,
            live.token,
            str(len(pairs)),
            str(self.count),
        ]
        reply = await functions.call(self._client, functions.SWAP, names, args)
        if reply[0] == b"FENCED":
            return False
        if reply[0] != b"OK":
            raise Halted(f"{keys.log(partition)}: {reply[0].decode()}: {reply[1].decode()}")
        return True


def _live(record: Sequence[bytes | None]) -> Live:
    position, token = record
    if position is None:
        return Live("", "", there=False)
    return Live(position.decode(), (token or b"").decode(), there=True)


def _origin(fields: Any) -> str:
    flat = fields if isinstance(fields, list) else [part for pair in fields.items() for part in pair]
    origin: bytes = dict(zip(flat[::2], flat[1::2], strict=True))[b"originId"]
    return origin.decode()
