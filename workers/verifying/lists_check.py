"""Work lists and loads: who has which claims, what waits for payment, what is closed, how much everybody
carries.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from domain.bodies.base import SYSTEM
from domain.bodies.handling import AssignmentDeferred, ClaimAssigned, ClaimReassigned
from domain.delta import Delta
from domain.events import EVENTS
from domain.statistics import SPECIAL
from workers.claims_processor import ClaimsProcessor
from workers.work_lists import ENDS, OVERFLOW, overflows

if TYPE_CHECKING:
    from domain.delta import View
    from domain.events import Fact
    from runtime.store.reads import Reads
    from workers.keys import ClaimKeys
    from workers.verifying.names import Names
    from workers.verifying.places import Page, Place
    from workers.verifying.report import Findings

FAMILIES = ("adjuster", "queue")

DECISIONS = "#decisions"
"""The field of the loads that counts their changes: it is the version of the roster."""

MOVES = frozenset({*SPECIAL, AssignmentDeferred, *(EVENTS[name] for name in ENDS)})
"""Bodies that may put a claim on a list, take it off, or change a load; no other fact has to be looked at."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ListsCheck:
    """The work lists and loads of one partition."""

    def __init__(self, reads: Reads, place: Place, keys: ClaimKeys, findings: Findings, names: Names) -> None:
        """`keys` of the partition."""
        self._reads = reads
        self._place = place
        self._keys = keys
        self._names = names
        self._lists = findings["work_lists"]
        self._load = findings["loads"]
        self._members: dict[View, set[str]] = {}
        self._loads: Counter[str] = Counter()
        self._last: dict[str, int] = {}

    async def page(self, page: Page) -> None:
        """Fold one page."""
        change = Delta()
        for entry, fact in page.stated:
            if type(fact.body) in MOVES:
                applied = self._place.applied(ClaimsProcessor.group, entry)
                self._weigh(fact, applied=applied)
                if applied:
                    _move(change, fact)
        for (view, claim_id), is_in in change.members.items():
            members = self._members.setdefault(view, set())
            members.add(claim_id) if is_in else members.discard(claim_id)

    async def finish(self) -> None:
        """Compare every list, and the loads."""
        expected = {self._keys.figures(view): members for view, members in self._members.items()}
        for family in FAMILIES:
            for name in await self._names.of(family, self._keys):
                expected.setdefault(name, set())
        names = list(expected)
        rows = await self._reads.many([("LRANGE", name, 0, -1) for name in names])
        for name, row in zip(names, rows, strict=True):
            stored = Counter(value.decode(errors="replace") for value in row)
            self._compare_list(name, expected[name], stored)
        await self._compare_loads()

    async def _compare_loads(self) -> None:
        """What everybody carries, how many decisions made it so, and who was given something last."""
        loads, last = await self._reads.many(
            [("HGETALL", self._keys.adjuster_load), ("HGETALL", self._keys.adjuster_last)]
        )
        stored = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in loads.items()}
        for name in self._loads.keys() | stored.keys():
            self._load.same(f"load of {name}", str(self._loads.get(name, 0)), stored.get(name, "0"))
        when = {name.decode(errors="replace"): value for name, value in last.items()}
        for name in self._last.keys() | when.keys():
            known, found = self._last.get(name), when.get(name)
            if known is not None and found is not None and found.isdigit() and abs(known - int(found)) <= 1:
                self._load.right()  # the one who wrote it cut a finer time than the log keeps: 1 ms is rounding
            else:
                self._load.same(f"{name} was last assigned", known, found)

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
            self._change(body.adjuster_id, body.weight)
            if fact.actor == SYSTEM:
                self._last[body.adjuster_id] = _milliseconds(fact.at)
            if isinstance(body, ClaimReassigned) and body.previous_adjuster_id:
                self._change(body.previous_adjuster_id, -body.weight)
        elif fact.type in ENDS and applied and body.assigned_to:
            self._change(body.assigned_to, -getattr(body, "weight", 0))

    def _change(self, adjuster: str, weight: int) -> None:
        self._loads[adjuster] += weight
        self._loads[DECISIONS] += 1


def _move(change: Delta, fact: Fact) -> None:
    """Note which lists the claim is on after this fact; of what a fact counts, only these members are wanted here."""
    special = SPECIAL.get(type(fact.body))
    if special is not None:
        special(change, fact, fact.body, "")
    waits = overflows(fact)
    if waits is not None:
        change.members[("queue", OVERFLOW), fact.claim_id] = waits


def _milliseconds(at: datetime) -> int:
    """Milliseconds since 1970, exactly."""
    return (at - EPOCH) // timedelta(milliseconds=1)
