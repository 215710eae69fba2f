"""Chains every entry of the log, raw ones and broken ones included, and leaves checkpoints.

The chain is over the raw bytes in log order, so it verifies without a decoder, and after personal keys are
destroyed. A chain alone does not show a cut tail: a checkpoint that was carried out of reach does.

An entry with a sequence that is not in its claim's history looks like a fact, and append did not write it (a raw writer
can forge a sequence, and no ACL tells it from append's users). It is chained like any other, and named: once in the
stream of forged entries, in the settle that chains it, and by a signal for the alarm.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

import msgspec

from domain.audit_chain import GENESIS, link
from runtime.actor import Actor
from runtime.effects import HashSet, StreamAdd
from runtime.signals import EntryForged
from workers.keys import CLAIM_LOG

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.effects import Effect, Effects
    from runtime.entry import Batch, Entry
    from runtime.signals import Signal
    from runtime.store.reads import Reads
    from workers.keys import ClaimKeys
    from workers.ports import Membership


class AuditorOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the log is audited."""

    checkpoint_every: int = 1000
    """Entries between two checkpoints. Reason: one is some 200 bytes, and verifying from one costs
    milliseconds.
    """

    def __post_init__(self) -> None:
        """Refuse what is no distance (ValueError)."""
        if self.checkpoint_every < 1:
            raise ValueError(f"auditor: checkpoint_every must be at least 1, not {self.checkpoint_every}")


class Chain(msgspec.Struct, frozen=True):
    """Where the chain of a partition stands: its head, how many entries it has, the id of the last one."""

    head: bytes = GENESIS
    count: int = 0
    last: str = ""

    def after(self, entry_id: str, fields: list[bytes]) -> Chain:
        """The chain one entry on."""
        return Chain(link(self.head, entry_id.encode(), fields), self.count + 1, entry_id)

    def stored(self) -> dict[str, str]:
        """The hash that holds it."""
        return {"head": self.head.hex(), "count": str(self.count), "last": self.last}

    def checkpoint(self) -> tuple[str, ...]:
        """The entry of a checkpoint; `time` is when the store took the last entry."""
        taken = datetime.fromtimestamp(int(self.last.partition("-")[0]) / 1000, UTC)
        time = taken.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return ("count", str(self.count), "id", self.last, "head", self.head.hex(), "time", time)


def stored_chain(fields: dict[bytes, bytes]) -> Chain:
    """The chain that a hash holds; the empty one when there is none yet."""
    if not fields:
        return Chain()
    return Chain(bytes.fromhex(fields[b"head"].decode()), int(fields[b"count"]), fields[b"last"].decode())


class Auditor(Actor):
    """Reads `claims:events` as `auditors` and takes every entry as it is."""

    name: ClassVar[str] = "auditor"
    group: ClassVar[str] = "auditors"
    log: ClassVar[str] = CLAIM_LOG
    parks: ClassVar[bool] = False

    def __init__(
        self,
        keys: ClaimKeys,
        reads: Reads,
        histories: Membership,
        options: AuditorOptions | None = None,
        *,
        tell: Callable[[Signal], None] = lambda signal: None,
    ) -> None:
        """`reads` is asked for the chain's own hash alone, when the memory of it was dropped."""
        self._histories = histories
        self._tell = tell
        self._told: set[str] = set()
        self._keys = keys
        self._reads = reads
        self._options = options or AuditorOptions()
        self._chain: Chain | None = None

    async def handle(self, batch: Batch) -> Effects:
        """One link per entry, the checkpoints that fall into the batch, the new head, and what was forged."""
        chain = self._chain or stored_chain(await self._reads.one("HGETALL", self._keys.chain))
        effects: list[Effect] = [self._named(entry, batch) for entry in await self._histories.forged(batch.entries)]
        head = chain.head
        for count, entry in enumerate(batch.entries, chain.count + 1):
            head = link(head, entry.id.encode(), entry.fields)
            if count % self._options.checkpoint_every == 0:
                effects.append(StreamAdd(self._keys.checkpoints, Chain(head, count, entry.id).checkpoint()))
        self._chain = Chain(head, chain.count + len(batch.entries), batch.entries[-1].id)
        return [*effects, HashSet(self._keys.chain, self._chain.stored())]

    def _named(self, entry: Entry, batch: Batch) -> StreamAdd:
        """The line about a forged entry; whoever listens is told once, also when the batch is handled again."""
        if entry.id not in self._told:
            self._told.add(entry.id)
            self._tell(EntryForged(self.name, self.group, batch.partition, entry.id, entry.entity, entry.sequence))
        names = ("id", entry.id, "claimId", entry.entity, "sequence", str(entry.sequence), "type", entry.type)
        return StreamAdd(self._keys.forged, names)

    def forget(self) -> None:
        """Read the chain again next time: what was computed may never have been settled."""
        self._chain = None
