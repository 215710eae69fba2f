"""Holds a stream that an actor wrote against what the facts say it should hold: each once, field by field.

Both sides are walked together, so that only what is out of step is in memory (entries that were parked and
taken again later stand further down).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.verifying.report import shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from runtime.entry import RawEntry
    from workers.verifying.report import Checked

AHEAD = 1000
"""Entries that are read ahead in search of an expected one, before it is put aside."""


class StreamMatch:
    """One stream; entries are known by the value of their field `identity`."""

    def __init__(self, name: str, identity: bytes, stored: AsyncIterator[list[RawEntry]], found: Checked) -> None:
        """`stored` gives the pages of the stream."""
        self._name = name
        self._identity = identity
        self._stored = stored
        self._found = found
        self._early: dict[bytes, list[RawEntry]] = {}
        self._missing: dict[bytes, list[bytes]] = {}
        self._over = False

    async def expect(self, fields: Sequence[str]) -> None:
        """The next entry that should be there."""
        wanted = [field.encode() for field in fields]
        identity = wanted[wanted.index(self._identity) + 1]
        while identity not in self._early and len(self._early) < AHEAD and not self._over:
            await self._read()
        if identity in self._early:
            self._compare(wanted, identity)
        else:
            self._missing[identity] = wanted

    async def finish(self) -> None:
        """What was expected and is nowhere; what is there and was not expected."""
        while not self._over:
            await self._read()
            for identity in self._missing.keys() & self._early.keys():
                self._compare(self._missing.pop(identity), identity)
        for identity, wanted in self._missing.items():
            self._found.wrong(f"{self._name}: {shown(identity)} is missing{_about(wanted)}")
        for identity, rows in self._early.items():
            for entry_id, fields in rows:
                which = f"{self._name}: {shown(entry_id)} ({shown(identity)})"
                self._found.wrong(f"{which} follows from no fact, or stands there twice{_about(fields)}")

    async def _read(self) -> None:
        try:
            rows = await anext(self._stored)
        except StopAsyncIteration:
            self._over = True
            return
        for row in rows:
            self._early.setdefault(self._identity_of(row[1]), []).append(row)

    def _identity_of(self, fields: Sequence[bytes]) -> bytes:
        for place in range(0, len(fields) - 1, 2):
            if fields[place] == self._identity:
                return fields[place + 1]
        return b""

    def _compare(self, wanted: list[bytes], identity: bytes) -> None:
        rows = self._early[identity]
        entry_id, fields = rows.pop(0)
        if not rows:
            del self._early[identity]
        if wanted == fields:
            self._found.right()
            return
        expected, stored = _pairs(wanted), _pairs(fields)
        for name in (*expected, *(stored.keys() - expected.keys())):
            if expected.get(name) != stored.get(name):
                where = f"{self._name}: {shown(entry_id)} {shown(name)}"
                self._found.same(where, expected.get(name), stored.get(name))
                return
        self._found.wrong(f"{self._name}: {shown(entry_id)} has its fields in another order")


def _pairs(fields: Sequence[bytes]) -> dict[bytes, bytes]:
    return dict(zip(fields[::2], fields[1::2], strict=False))


def _about(fields: Sequence[bytes]) -> str:
    """Which event it belongs to, if it says so."""
    cause = _pairs(fields).get(b"causationId")
    return f" (because of {shown(cause)})" if cause else ""
