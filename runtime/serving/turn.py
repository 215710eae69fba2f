"""One batch on its way: the record that the pipeline fills, step by step. Pure.

entries -> plan -> wanted -> settlement
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from runtime.answers import Settlement
from runtime.effects import Append, Effect, Park, Wanted
from runtime.entry import Entry, in_order
from runtime.merging import merge
from runtime.serving.triage import Plan


class ParkNow(msgspec.Struct, frozen=True):
    """An entry that goes to the dead letters with this settle; `held` when it only waits behind another."""

    entry: Entry
    reason: str
    held: bool

    @property
    def entity(self) -> str:
        """What it holds back; a request, or an entry that names no entity, holds nothing but itself.

        Otherwise anybody who may write a request could hold an entity back by a bad one that names it.
        """
        if self.entry.is_request or not self.entry.entity:
            return f"entry:{self.entry.id}"
        return self.entry.entity


class Turn(msgspec.Struct):
    """The entries of one settle, what is to become of them, and what they want."""

    entries: Sequence[Entry]
    plan: Plan
    wanted: Sequence[Wanted] = ()

    @property
    def parks(self) -> list[ParkNow]:
        """Everything that this settle parks: refused by the actor, broken, or behind a parked one."""
        reasons = {park.entry_id: park.reason for park in self.wanted if isinstance(park, Park)}
        refused = [ParkNow(entry, reasons[entry.id], held=False) for entry in self.plan.deliver if entry.id in reasons]
        broken = [ParkNow(entry, reason, held=False) for entry, reason in self.plan.broken]
        behind = [ParkNow(entry, "an earlier entry of it is parked", held=True) for entry in self.plan.behind]
        return sorted([*refused, *broken, *behind], key=_in_log_order)

    @property
    def cut(self) -> int:
        """How many entries may be settled now: up to the first refused one that others of its entity follow.

        Those were handled as if it had not been refused; they have to be parked behind it instead.
        """
        refused = {one.entry_id for one in self.wanted if isinstance(one, Park)}
        if refused:
            for place, entry in enumerate(self.entries, 1):
                if entry.id in refused and not entry.is_request and entry.entity:
                    delivered = {one.id for one in self.plan.deliver if one.entity == entry.entity}
                    if any(later.id in delivered for later in self.entries[place:]):
                        return place
        return len(self.entries)

    @property
    def counts(self) -> dict[str, int]:
        """Delivered entries by event type."""
        return dict(Counter(entry.type for entry in self.plan.deliver))

    def settlement(self, held: Mapping[str, int], park_effects: Sequence[Effect]) -> Settlement:
        """What settle is asked to do: merged effects, appends in order, the parking."""
        return Settlement(
            entries=self.entries,
            effects=[*merge(one for one in self.wanted if isinstance(one, Effect)), *park_effects],
            appends=[one for one in self.wanted if isinstance(one, Append)],
            held=tuple({entry.entity for entry in self.plan.behind if entry.entity in held}),
        )


def only_parking(entry: Entry, reason: str) -> Turn:
    """A turn that parks one entry unhandled."""
    return Turn([entry], Plan(deliver=[], behind=[], broken=[(entry, reason)]))


def _in_log_order(park: ParkNow) -> tuple[int, int]:
    return in_order(park.entry.id)
