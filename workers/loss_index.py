"""The index of losses per policy and of who handles the open claims of a household or an event.

Owned by the settle of the processors: a loss is noted when its first notice is handled, forgotten when it turns out to
be a duplicate or is withdrawn. Each partition writes its own part; a decision reads the parts of all, and what other
partitions have not settled yet it does not see: that is why duplicates are looked for again at approval.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from domain.bodies.base import SYSTEM
from domain.bodies.intake import ClaimSubmitted
from domain.context import History, Ties
from domain.duplicates import LossTrace
from domain.loss_history import history_of
from domain.portrait import trace
from runtime.effects import HashDelete, HashSet, SetAdd
from workers.keys import ClaimKeys
from workers.work_lists import ENDS, GIVES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from domain.claim_record import Claim
    from domain.events import Fact, NewFact
    from runtime.effects import Effect
    from runtime.store.keys import Keyspace
    from runtime.store.reads import Reads

NO_LOSS = frozenset({"claim.duplicate.confirmed", "claim.withdrawn"})
"""Facts after which the notice was no loss of its own."""


class Loss(msgspec.Struct, frozen=True, rename="camel"):
    """One noted loss and the log entry of its first notice, which says what was reported earlier."""

    trace: LossTrace
    entry: str


NOTHING_EARLIER = History()

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Loss).decode


class Losses:
    """What is known of some policies, households and events; grows while a batch is decided."""

    def __init__(self, losses: dict[str, dict[str, Loss]], handlers: dict[str, dict[str, str]]) -> None:
        """`losses`: policy -> claim -> loss; `handlers`: tie -> open claim -> adjuster."""
        self._losses = losses
        self._handlers = handlers

    def history(self, claim: Claim, entry_id: str = "") -> History:
        """What earlier losses of its policy say. `entry_id`: of its first notice, when it is not noted yet."""
        known = self._losses.get(claim.notice.policy_number)
        if not known:
            return NOTHING_EARLIER
        own = known.get(claim.claim_id)
        mine = _order(own.entry if own is not None else entry_id, claim.claim_id)
        earlier = [
            loss.trace for name, loss in known.items() if name != claim.claim_id and _order(loss.entry, name) < mine
        ]
        return history_of(trace(claim), earlier) if earlier else NOTHING_EARLIER

    def ties(self, claim: Claim) -> Ties:
        """Who handles another open claim of the same event or household; of several the smallest claim id decides."""
        event, household = (self._handler(tie, claim.claim_id) for tie in (event_tie(claim), household_tie(claim)))
        return Ties(same_event=event, household=household)

    def _handler(self, tie: str, but: str) -> str:
        others = {name: adjuster for name, adjuster in self._handlers.get(tie, {}).items() if name != but}
        return others[min(others)] if others else ""

    def note(self, claim: Claim, entry_id: str) -> None:
        """A notice of the batch at hand: what is decided after it sees it."""
        known = self._losses.setdefault(claim.notice.policy_number, {})
        known.setdefault(claim.claim_id, Loss(trace(claim), entry_id))

    def handled_by(self, claim: Claim, adjuster: str) -> None:
        """An assignment of the batch at hand."""
        for tie in ties_of(claim):
            self._handlers.setdefault(tie, {})[claim.claim_id] = adjuster


class LossIndex:
    """The index as one partition writes it and reads it."""

    def __init__(self, reads: Reads, keyspace: Keyspace, partition: int) -> None:
        """`keyspace` of the claim log: its other partitions are read, never written."""
        self._reads = reads
        self._parts = [ClaimKeys(keyspace, number) for number in range(keyspace.spec.partitions)]
        self._own = self._parts[partition]

    async def about(self, claims: Iterable[Claim]) -> Losses:
        """What concerns these claims, in one round trip."""
        policies = sorted({claim.notice.policy_number for claim in claims if claim.notice.policy_number})
        ties = sorted({tie for claim in claims for tie in ties_of(claim)})
        commands = [("HGETALL", keys.losses(number)) for number in policies for keys in self._parts]
        commands += [("HGETALL", keys.handlers(tie)) for tie in ties for keys in self._parts]
        rows = iter(await self._reads.many(commands))
        merged = {name: _joined([next(rows) for _ in self._parts]) for name in (*policies, *ties)}
        return Losses(
            {name: {claim: _decode(value) for claim, value in merged[name].items()} for name in policies},
            {name: {claim: value.decode() for claim, value in merged[name].items()} for name in ties},
        )

    def follow(self, facts: Sequence[tuple[Fact, str]], claims: Mapping[str, Claim]) -> list[Effect]:
        """What facts (with their entry ids) change; of their claims only what never changes is looked at."""
        effects: list[Effect] = []
        for fact, entry_id in facts:
            claim = claims.get(fact.claim_id)
            if claim is None:
                continue
            if isinstance(fact.body, ClaimSubmitted):
                loss = Loss(trace(claim), entry_id)
                effects.append(HashSet(self._own.losses(claim.notice.policy_number), {claim.claim_id: _encode(loss)}))
                customer = claim.notice.insured_id or claim.notice.claimant_id
                effects.append(SetAdd(self._own.insured(customer), (claim.claim_id,)))
            elif isinstance(fact.body, GIVES):
                if fact.actor != SYSTEM:  # what the processor decides was noted in the step that decided it
                    effects += self._handled(claim, fact.body.adjuster_id)
            elif fact.type in ENDS:
                effects += [HashDelete(self._own.handlers(tie), (claim.claim_id,)) for tie in ties_of(claim)]
                if fact.type in NO_LOSS:
                    effects.append(HashDelete(self._own.losses(claim.notice.policy_number), (claim.claim_id,)))
        return effects

    def taken(self, claim: Claim, facts: Sequence[NewFact], losses: Losses) -> list[Effect]:
        """Note at once who was just given the claim, so that the next decision sees the tie."""
        effects: list[Effect] = []
        for fact in facts:
            if isinstance(fact.body, GIVES):
                losses.handled_by(claim, fact.body.adjuster_id)
                effects += self._handled(claim, fact.body.adjuster_id)
        return effects

    def _handled(self, claim: Claim, adjuster: str) -> list[Effect]:
        return [HashSet(self._own.handlers(tie), {claim.claim_id: adjuster}) for tie in ties_of(claim)]


def _joined(rows: Iterable[Mapping[bytes, bytes]]) -> dict[str, bytes]:
    """One hash out of the parts of all partitions."""
    return {field.decode(): value for row in rows for field, value in row.items()}


def household_tie(claim: Claim) -> str:
    """The household: who is insured; a notice that does not say is tied by its policy."""
    return f"household:{claim.notice.insured_id or claim.notice.policy_number}"


def event_tie(claim: Claim) -> str:
    """The event that caused the loss; '' when the notice names none."""
    return f"event:{claim.notice.loss_event}" if claim.notice.loss_event else ""


def ties_of(claim: Claim) -> tuple[str, ...]:
    """Everything that ties the claim to others."""
    return tuple(tie for tie in (household_tie(claim), event_tie(claim)) if tie)


def _order(entry_id: str, claim_id: str) -> tuple[int, int, str]:
    """Entries of one log are ordered; those of two partitions by the store's clock, then by claim id."""
    milliseconds, _, number = entry_id.partition("-")
    return (int(milliseconds or 0), int(number or 0), claim_id)
