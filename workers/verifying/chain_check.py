"""The audit chain: its head, its count, its last entry, every checkpoint, and what the auditor named as forged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.auditor import Auditor, Chain
from workers.verifying.matching import StreamMatch
from workers.verifying.places import ordered, pages
from workers.verifying.report import shown

if TYPE_CHECKING:
    from runtime.store.reads import Reads
    from workers.keys import ClaimKeys
    from workers.verifying.links import Linked
    from workers.verifying.places import Place
    from workers.verifying.report import Findings


class ChainCheck:
    """The chain of one partition."""

    def __init__(self, reads: Reads, place: Place, keys: ClaimKeys, findings: Findings, checkpoint_every: int) -> None:
        """`checkpoint_every`: what the auditor was told."""
        self._reads = reads
        self._keys = keys
        self._found = findings["audit_chain"]
        self._history = findings["history"]
        self._every = checkpoint_every
        self._chain = Chain()
        standing = place.groups.get(Auditor.group)
        self._until = standing.position if standing is not None else (0, 0)
        stored = pages(reads, keys.checkpoints)
        self._checkpoints = StreamMatch(keys.checkpoints, b"count", stored, findings["checkpoints"])

    async def page(self, linked: Linked) -> None:
        """Follow the chain over one page, as far as the auditor has come."""
        count = linked.upto
        if ordered(linked.rows[-1][0]) > self._until:
            count = linked.before + sum(ordered(entry_id) <= self._until for entry_id, _ in linked.rows)
        if count == linked.before:
            return
        self._found.right(count - linked.before)
        for number in range(linked.before + self._every - linked.before % self._every, count + 1, self._every):
            await self._checkpoints.expect(linked.chain(number).checkpoint())
        self._chain = linked.chain(count)

    async def finish(self) -> None:
        """Compare the head; an entry that was forged stays wrong for ever, also when it was trimmed."""
        await self._checkpoints.finish()
        async for _, fields in self._reads.stream(self._keys.forged):
            named = dict(zip(fields[::2], fields[1::2], strict=False))
            entry, claim = named.get(b"id", b"?"), named.get(b"claimId", b"?")
            self._history.wrong(f"{self._keys.forged}: {shown(entry)} of {shown(claim)} was not written by append")
        row = await self._reads.one("HGETALL", self._keys.chain)
        stored = {name.decode(): value.decode() for name, value in row.items()}
        expected = self._chain.stored() if self._chain.count else {}
        for name in expected.keys() | stored.keys():
            self._found.same(f"{self._keys.chain} {name}", expected.get(name), stored.get(name))
