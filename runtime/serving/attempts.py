"""How often each entry failed, and since when; how careful to be after deaths of the process.

A death says nothing about the entries at hand: a process dies for many reasons. Suspicion narrows from death to death:

    1st   nothing was marked. From here on each batch is marked before it is handled, until one is settled
    2nd   the marked batch is suspect, and nothing else: it runs in slices that have the process to themselves
    3rd   the slice is suspect: its entries run one at a time
    more  a single entry that had the process to itself each time is parked unhandled

Whoever is innocent pays little: a seat that had no batch at hand is not suspected, and 500 suspects run in 22 slices.
"""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING

import msgspec

from runtime.entry import in_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.answers import Standing
    from runtime.entry import Entry


class WorkOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How failures of a handler are met."""

    attempts: int = 3
    """Tries of one entry before it is parked. Reason: enough for a passing fault, short enough to go on."""
    kills: int = 3
    """Deaths of the process with one entry alone in it before that entry is parked unhandled."""
    careful_after: int = 2
    """Deaths without progress after which the batch that was marked at the last one is suspect."""
    careful_singly: int = 32
    """So few suspects run one at a time (about 0.3 s); more of them in slices first, at the price of one more death."""


class Attempts:
    """The tries of the entries at hand. Forgotten with the process: deaths are counted in the store instead."""

    def __init__(self, options: WorkOptions) -> None:
        """Nothing failed yet."""
        self.options = options
        self.marks = False
        """Is a batch to be marked before it is handled? Somebody died here, and nothing was settled since."""
        self._tries: dict[str, tuple[int, str]] = {}
        self._suspect_upto = ""
        self._slice = 1
        self._killer = ""

    def reset(self, standing: Standing) -> None:
        """Learn from the marks in the position record what earlier processes died of."""
        self.marks = standing.deaths > 0
        last = standing.alone
        if not last and standing.deaths >= self.options.careful_after:
            last = standing.together
        if last:
            self._slice = slice_of(standing.marked, self.options.careful_singly)
            if not self._suspect_upto or in_order(last) > in_order(self._suspect_upto):
                self._suspect_upto = last
        self._killer = standing.alone if standing.kills >= self.options.kills else ""

    def suspects(self, part: Sequence[Entry]) -> int:
        """How many entries at the head of a batch have to run by themselves now; 0 when they are above suspicion."""
        if not self._suspect_upto:
            return 0
        upto = in_order(self._suspect_upto)
        found = sum(in_order(entry.id) <= upto for entry in part)
        if not found:
            self._suspect_upto = ""
        return min(found, self._slice)

    def kills_the_process(self, entry_id: str) -> bool:
        """Did the process die too often while this entry ran alone?"""
        return entry_id == self._killer

    def failed(self, entry_id: str, now: str) -> int:
        """Count one more try; how many there were."""
        tries, since = self._tries.get(entry_id, (0, now))
        self._tries[entry_id] = (tries + 1, since)
        return tries + 1

    def of(self, entry_id: str, now: str) -> tuple[int, str]:
        """Tries so far, and the time of the first failure."""
        return self._tries.get(entry_id, (0, now))

    def settled(self, entry_ids: list[str]) -> None:
        """These are done with; the deaths before them are forgotten in the store as well."""
        self.marks = False
        if self._tries:
            for entry_id in entry_ids:
                self._tries.pop(entry_id, None)


def slice_of(suspects: int, singly: int) -> int:
    """How many suspects run together: one when there are few of them, else about their root.

    >>> slice_of(500, 32), slice_of(32, 32)
    (23, 1)
    """
    return 1 if suspects <= singly else isqrt(suspects - 1) + 1
