"""The audit chain over a log while its pages pass by: each link is computed once, for everybody who compares one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from domain.audit_chain import GENESIS, link
from workers.auditor import Chain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.entry import RawEntry


class Linked(NamedTuple):
    """A page of a log with its links; `before`: how many entries the chain has before it."""

    before: int
    rows: Sequence[RawEntry]
    heads: Sequence[bytes]

    @property
    def upto(self) -> int:
        """How many entries the chain has with it."""
        return self.before + len(self.rows)

    def chain(self, count: int) -> Chain:
        """The chain as it stood after so many entries; the last of them is on this page."""
        at = count - self.before - 1
        return Chain(self.heads[at], count, self.rows[at][0].decode())


class Links:
    """One partition of one log, from its first entry on."""

    def __init__(self) -> None:
        """Nothing was chained yet."""
        self._head = GENESIS
        self._count = 0

    def after(self, rows: Sequence[RawEntry]) -> Linked:
        """Chain the next page."""
        heads: list[bytes] = []
        head = self._head
        for entry_id, fields in rows:
            head = link(head, entry_id, fields)
            heads.append(head)
        linked = Linked(self._count, rows, heads)
        self._head, self._count = head, linked.upto
        return linked
