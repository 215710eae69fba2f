"""Work lists and loads: who has which claims, what waits for payment, what is closed, how much everybody
carries.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from domain.bodies.base import SYSTEM
from domain.bodies.handling import ClaimAssigned, ClaimReassigned
from domain.statistics import SPECIAL, Delta, delta
from workers.claims_processor import ClaimsProcessor
from workers.work_lists import ENDS, OVERFLOW, overflows

if TYPE_CHECKING:
    from domain.events import Fact
    from domain.statistics import View
    from runtime.store.reads import Reads
    from workers.keys import ClaimKeys
    from workers.verifying.places import Page, Place
    from workers.verifying.report import Findings

FAMILIES = ("adjuster:*", "queue:*")


class ListsCheck:
    """The work lists and loads of one partition."""

    def __init__(self, reads: Reads, place: Place, keys: ClaimKeys, findings: Findings) -> None:
        """`keys` of the partition."""
        self._reads = reads
        self._place = place
        self._keys = keys
        self._lists = findings["work_lists"]
        self._load = findings["loads"]
        self._members: dict[View, set[str]] = {}
        self._loads: Counter[str] = Counter()

    async def page(self, page: Page) -> None:
        """Fold one page."""
        for entry, fact in zip(page.entries, page.facts, strict=True):
            if fact is None:
                continue
            applied = self._place.applied(ClaimsProcessor.group, entry)
            self._weigh(fact, applied=applied)
            if applied:
                change = delta(fact) if type(fact.body) in SPECIAL else Delta()
                waits = overflows(fact)
                if waits is not None:
                    change.members[("queue", OVERFLOW), fact.claim_id] = waits
                for (view, claim_id), is_in in change.members.items():
                    members = self._members.setdefault(view, set())
                    members.add(claim_id) if is_in else members.discard(claim_id)

    async def finish(self) -> None:
        """Compare every list, and the loads."""
        expected = {self._keys.figures(view): members for view, members in self._members.items()}
        own = self._keys.name("")
        for family in FAMILIES:
            async for raw in self._reads.keys(f"{family}{own}"):
                name = raw.decode()
                if own or ":{p" not in name:
                    expected.setdefault(name, set())
        names = list(expected)
        rows = await self._reads.many([("LRANGE", name, 0, -1) for name in names])
        for name, row in zip(names, rows, strict=True):
            stored = Counter(value.decode(errors="replace") for value in row)
            self._compare_list(name, expected[name], stored)
        row = await self._reads.one("HGETALL", self._keys.adjuster_load)
        stored_loads = {name.decode(): int(value) for name, value in row.items()}
        stored_loads.pop("#decisions", None)
        for name in self._loads.keys() | stored_loads.keys():
            self._load.same(f"load of {name}", self._loads.get(name, 0), stored_loads.get(name, 0))

    def _compare_list(self, name: str, expected: set[str], stored: Counter[str]) -> None:
        for claim_id in expected | stored.keys():
            times = 1 if claim_id in expected else 0
            self._lists.same(f"{name}: {claim_id}", times, stored[claim_id])

    def _weigh(self, fact: Fact, *, applied: bool) -> None:
        """A decision of the processor counts with its append; everything else when the group has come to
        it.
        """
        body = fact.body
        if isinstance(body, ClaimAssigned | ClaimReassigned) and (applied or fact.actor == SYSTEM):
            self._loads[body.adjuster_id] += body.weight
            if isinstance(body, ClaimReassigned) and body.previous_adjuster_id:
                self._loads[body.previous_adjuster_id] -= body.weight
        elif fact.type in ENDS and applied and body.assigned_to:
            self._loads[body.assigned_to] -= getattr(body, "weight", 0)
