"""What the two atomic steps answer, and what one settle is asked to do: values, not exceptions.

The serving side speaks these words; `runtime.store` turns them into calls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from runtime.effects import Append, Effect
from runtime.entry import Entry


class Settled(msgspec.Struct, frozen=True):
    """OK: the position now, how many entries the group has settled in all, operators' requests that wait."""

    position: str
    settled: int
    retries: int


class Fenced(msgspec.Struct, frozen=True):
    """FENCED: the stored position is another; `token` tells whether it was our own lost reply."""

    position: str
    token: str


class Gap(msgspec.Struct, frozen=True):
    """GAP: the batch is not what comes next in the log; read again from the position."""

    position: str
    why: str


class GuardFailed(msgspec.Struct, frozen=True):
    """CONFLICT: an expected version was no longer right (`key` names the head)."""

    key: str
    version: int


class Invalid(msgspec.Struct, frozen=True):
    """INVALID: an effect is wrong (verb, arity, number, type of key). Nothing was written."""

    why: str


class Stopped(msgspec.Struct, frozen=True):
    """LOST, TORN or HALTED: nothing more may be settled here until an operator has looked."""

    answer: str
    why: str


SettleAnswer = Settled | Fenced | Gap | GuardFailed | Invalid | Stopped


class Settlement(msgspec.Struct):
    """What one settle is to do: the entries, in order, and everything that they want."""

    entries: Sequence[Entry] = ()
    effects: Sequence[Effect] = ()
    appends: Sequence[Append] = ()
    held: Sequence[str] = ()
    """Entities that must be held when it settles (their entries are parked behind an earlier one)."""
    released: Sequence[tuple[str, str]] = ()
    """Parked entries (id, entity) that were taken again and leave the dead letters."""


class Standing(msgspec.Struct, frozen=True):
    """What resync found: the position, entries settled in all, marks of earlier deaths, what is parked."""

    position: str
    settled: int
    healed: bool
    deaths: int
    alone: str
    """The last of the entries that had the process to themselves when it died; '' for none."""
    kills: int
    retries: int
    held: Mapping[str, int]
    token: str = ""
    """Of the last settle: the fence of a settle without entries."""
    together: str = ""
    """The last entry of the batch that was marked after a death and handled in company; '' for none."""
    marked: int = 0
    """How many entries the mark speaks of, that of `together` or of `alone`."""


class Look(msgspec.Struct, frozen=True):
    """One atomic look at a group: counts of entries, ids as text, '' for nothing."""

    position: str
    settled: int
    delivered: str
    pending: int
    added: int
    length: int
    oldest: str
    parked: int
    retries: int
    halted: str
    torn: str
    started: str
    deleted: str
    consumers: int

    @property
    def backlog(self) -> int:
        """Entries whose effects are not applied yet: undelivered + pending."""
        return self.added - self.settled

    @property
    def at_rest(self) -> bool:
        """Nothing left: cursor on the position, nothing pending, nothing new."""
        return self.backlog == 0 and self.pending == 0 and self.delivered == self.position


class ParkedEntry(msgspec.Struct, frozen=True):
    """One dead letter: its id in the dead-letter stream, the entity that it holds back, the entry as it was."""

    parked_id: str
    entity: str
    entry: Entry
    reason: str
    attempts: int
    held: bool
