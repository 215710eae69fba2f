"""The work lists and indexes of the claims processor, from the facts: they cannot be built by letting it read again.

It writes down what it decides in the step that decides it, and what others decide when it comes to their facts. So its
own decisions count wherever they stand in the log, and all other facts up to its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.bodies.base import SYSTEM
from domain.bodies.handling import ClaimAssigned, ClaimReassigned
from domain.events import NewFact
from domain.roster import Roster
from runtime.entry import in_order
from workers.keys import ClaimKeys
from workers.loss_index import Losses, LossIndex
from workers.sightings import Sightings
from workers.waiting_payees import WaitingPayees
from workers.work_lists import WorkLists

if TYPE_CHECKING:
    from domain.claim_record import Claim
    from domain.events import Fact
    from runtime.effects import Effect
    from runtime.store.keys import Keyspace
    from runtime.store.reads import Reads


class Lists:
    """What the processor had written about one partition, fact by fact."""

    def __init__(self, reads: Reads, keys: Keyspace, partition: int, position: str) -> None:
        """`position`: of the processor at the moment of the backup. Nothing is read."""
        self._lists = WorkLists(ClaimKeys(keys, partition))
        self._index = LossIndex(reads, keys, partition)
        self._sightings = Sightings(reads, keys, partition)
        self._payees = WaitingPayees(reads, ClaimKeys(keys, partition))
        self._upto = in_order(position)
        self._losses = Losses({}, {})

    def follow(self, fact: Fact, entry_id: str, claim: Claim) -> list[Effect]:
        """What one fact had changed; `claim` is as the fact left it."""
        found: list[Effect] = []
        if fact.actor == SYSTEM and isinstance(fact.body, ClaimAssigned | ClaimReassigned):
            decided = NewFact(fact.type, fact.at, fact.body, fact.actor)
            effects, _ = self._lists.taken([decided], Roster(0, ()))
            found += [*effects, *self._index.taken(claim, [decided], self._losses)]
        if in_order(entry_id) <= self._upto:
            claims = {claim.claim_id: claim}
            found += self._lists.follow([fact])
            found += self._index.follow([(fact, entry_id)], claims)
            found += self._sightings.follow([fact], claims)
            # Who the payee is stands in another log: the first tick looks, and says when to look again.
            found += self._payees.left([claim]) + self._payees.stays(claim, None, claim.updated_at)
        return found
