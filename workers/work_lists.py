"""Work lists and loads of adjusters: who has which claims, what waits for payment, what is closed.

Views of the processor's group, folded from facts. An assignment that the processor itself decides counts in the load at
once, in the same settle, so that the next decision sees it; assignments by people count when their fact arrives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.bodies.base import SYSTEM
from domain.bodies.handling import AssignmentDeferred, ClaimAssigned, ClaimReassigned
from domain.delta import Delta
from domain.roster import with_load
from domain.statistics import SPECIAL, listed_anew
from runtime.effects import HashIncrement, HashSet, ListPush, ListRemove

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.events import Fact, NewFact
    from domain.roster import Roster
    from runtime.effects import Effect
    from workers.keys import ClaimKeys

OVERFLOW = "overflow"
"""Claims whose assignment was deferred: nobody could take them; first in, first tried again."""

ENDS = frozenset({"claim.closed", "claim.withdrawn", "claim.duplicate.confirmed"})
"""Facts after which nobody works on the claim any more."""


GIVES = (ClaimAssigned, ClaimReassigned)
"""Bodies that give a claim to somebody; a tuple made once, for every fact of the log is asked."""

LISTED = frozenset({*SPECIAL, AssignmentDeferred, *GIVES})
"""Bodies that can change a list or a load at all: every other fact is passed over."""


def overflows(fact: Fact) -> bool | None:
    """True: the claim waits in the overflow queue from now on; False: no longer; None: that stays as it is."""
    if isinstance(fact.body, AssignmentDeferred):
        return True
    if isinstance(fact.body, ClaimAssigned) or (fact.type in ENDS and not fact.body.assigned_to):
        return False
    return None


def frees(fact: Fact) -> bool:
    """Does somebody carry less because of this fact?"""
    return (fact.type in ENDS and bool(fact.body.assigned_to)) or (
        isinstance(fact.body, ClaimReassigned) and fact.actor != SYSTEM
    )


class WorkLists:
    """Effects on the work lists of one partition."""

    def __init__(self, keys: ClaimKeys) -> None:
        """`keys` name the lists."""
        self._keys = keys

    def follow(self, facts: Sequence[Fact]) -> list[Effect]:
        """What these facts change."""
        effects: list[Effect] = []
        for fact in facts:
            body = fact.body
            if type(body) not in LISTED:
                continue
            waits = overflows(fact)
            if waits is not None:
                # Taken off first: a claim that is deferred once more stands there once.
                effects.append(ListRemove(self._keys.queue(OVERFLOW), (fact.claim_id,)))
            if waits:
                effects.append(ListPush(self._keys.queue(OVERFLOW), (fact.claim_id,)))
            effects += self._listed(fact)
            if isinstance(body, GIVES):
                effects += self._given(fact, body)
            elif fact.type in ENDS and body.assigned_to:
                effects.append(self._load(body.assigned_to, -getattr(body, "weight", 0)))
        return effects

    def taken(self, facts: Sequence[NewFact], roster: Roster) -> tuple[list[Effect], Roster]:
        """Count what the processor just decided, and the roster with it."""
        effects: list[Effect] = []
        for fact in facts:
            body = fact.body
            if not isinstance(body, GIVES) or fact.actor != SYSTEM:
                continue
            at = str(int(fact.at.timestamp() * 1000))
            effects.append(self._load(body.adjuster_id, body.weight))
            effects.append(HashSet(self._keys.adjuster_last, {body.adjuster_id: at}))
            roster = with_load(roster, body.adjuster_id, body.weight, fact.at)
            if isinstance(body, ClaimReassigned) and body.previous_adjuster_id:
                effects.append(self._load(body.previous_adjuster_id, -body.weight))
                roster = with_load(roster, body.previous_adjuster_id, -body.weight)
        return effects, roster

    def freed(self, facts: Sequence[Fact], roster: Roster) -> Roster:
        """The roster once the loads that these facts take off somebody are off."""
        for fact in facts:
            if fact.type in ENDS and fact.body.assigned_to:
                roster = with_load(roster, fact.body.assigned_to, -getattr(fact.body, "weight", 0))
            elif isinstance(fact.body, ClaimReassigned) and fact.actor != SYSTEM and fact.body.previous_adjuster_id:
                roster = with_load(roster, fact.body.previous_adjuster_id, -fact.body.weight)
        return roster

    def _load(self, adjuster: str, weight: int) -> Effect:
        return HashIncrement(self._keys.adjuster_load, {adjuster: weight, "#decisions": 1})

    def _listed(self, fact: Fact) -> list[Effect]:
        """Onto lists and off them, as `domain.statistics` has it; taken off first where it may stand already."""
        special = SPECIAL.get(type(fact.body))
        if special is None:
            return []
        found = Delta()
        special(found, fact, fact.body, "")  # the day is that of figures, and no list goes by it
        effects: list[Effect] = []
        anew = listed_anew(fact.body)
        for (view, claim_id), is_in in found.members.items():
            if not (is_in and anew):
                effects.append(ListRemove(self._keys.figures(view), (claim_id,)))
            if is_in:
                effects.append(ListPush(self._keys.figures(view), (claim_id,)))
        return effects

    def _given(self, fact: Fact, body: ClaimAssigned | ClaimReassigned) -> list[Effect]:
        """What somebody else than the processor gave to an adjuster; its own decisions were counted by `taken`."""
        if fact.actor == SYSTEM:
            return []
        effects = [self._load(body.adjuster_id, body.weight)]
        if isinstance(body, ClaimReassigned) and body.previous_adjuster_id:
            effects.append(self._load(body.previous_adjuster_id, -body.weight))
        return effects
