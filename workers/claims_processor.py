"""The process manager: acts on the state of every claim that something happened to, and keeps the work lists.

Reads the snapshots of a batch in one round trip, but for those of claims of which only its own assignment came back;
asks the pure rules what follows, and returns it as appends guarded by the version that it saw. The state may be ahead
of the event that woke it: then nothing follows, and that is right.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from msgspec.structs import replace

from domain.assignment import Deferred
from domain.bodies.base import SYSTEM
from domain.bodies.handling import AssignmentDeferred, ClaimAssigned
from domain.context import Context, History, Ties
from domain.identity import event_id
from domain.portrait import assignment
from domain.process import ACTS_IN, NEEDS_POLICY, advance, in_hand, waits_for_payee
from domain.roster import Roster
from runtime.actor import Actor
from workers.claim_log import Cause, cause_of, fact_of
from workers.keys import CLAIM_LOG
from workers.sightings import contacts_of, document_of
from workers.waiting_payees import payable_at
from workers.work_lists import ENDS, frees
from workers.zones import zone_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from domain.claim_record import Claim
    from domain.context import Payee
    from domain.events import Fact, NewFact
    from domain.policy import Policy
    from domain.rules import Rules
    from runtime.effects import Effects, Wanted
    from runtime.entry import Batch, Entry
    from workers.adoption import Adoption
    from workers.claim_log import ClaimLog
    from workers.loss_index import Losses, LossIndex
    from workers.ports import ClaimViews, OverflowQueue, PayeeBook, PolicyBook
    from workers.ports import Roster as RosterPort
    from workers.sightings import Seen, Sighting, Sightings
    from workers.timing import Timing
    from workers.waiting_payees import WaitingPayees
    from workers.work_lists import WorkLists

OVERFLOW_LOOK = timedelta(seconds=60)
"""Time between two looks at the overflow queue without a load that fell: absences end by the day."""

MOST_WAITING = 50
"""Claims of the overflow queue that are looked at in one go: who waits longest comes first."""

NO_HISTORY, NO_TIES, NOBODY = History(), Ties(), Roster(0, ())


class Desk:
    """What the decisions of one batch look up; roster and losses go on with every decision."""

    def __init__(
        self,
        policies: Mapping[str, Policy],
        payees: Mapping[str, Payee],
        losses: Losses,
        roster: Roster,
        seen: Seen,
        documents: Sequence[Sighting] = (),
    ) -> None:
        """As they are read for the batch; `documents` came in with it, in the order of the log."""
        self.seen = seen
        self.reused: set[str] = set()
        for document in documents:
            seen.note((document,))
            if seen.elsewhere(document):
                self.reused.add(document.claim_id)
        self.policies = policies
        self.payees = payees
        self.losses = losses
        self.roster = roster


class ClaimsProcessor(Actor):
    """Reads `claims:events` as `processors`; the one actor that adopts raw requests there."""

    name: ClassVar[str] = "claims-processor"
    group: ClassVar[str] = "processors"
    log: ClassVar[str] = CLAIM_LOG
    adopts: ClassVar[bool] = True

    def __init__(
        self,
        claims: ClaimViews[Claim],
        policies: PolicyBook[Policy],
        payees: PayeeBook,
        roster: RosterPort[Roster],
        log: ClaimLog,
        lists: WorkLists,
        adoption: Adoption,
        timing: Timing,
        rules: Rules,
        index: LossIndex,
        overflow: OverflowQueue,
        sightings: Sightings,
        payees_waiting: WaitingPayees,
    ) -> None:
        """Everything that it may read comes as a port."""
        self._claims = claims
        self._policies = policies
        self._payees = payees
        self._roster = roster
        self._log = log
        self._lists = lists
        self._adoption = adoption
        self._timing = timing
        self._rules = rules
        self._index = index
        self._overflow = overflow
        self._sightings = sightings
        self._payees_waiting = payees_waiting
        self._next_look = datetime.min.replace(tzinfo=UTC)

    async def handle(self, batch: Batch) -> Effects:
        """What follows from the claims of this batch, and the changes of the work lists and of the index of losses."""
        entries = [entry for entry in batch.entries if not entry.is_request]
        wanted: list[Wanted] = []
        if len(entries) < len(batch.entries):
            wanted += await self._adoption.adopt([entry for entry in batch.entries if entry.is_request])
        if not entries:
            return wanted
        facts = [fact_of(entry) for entry in entries]
        woken = {entry.entity: entry for entry in entries}  # once per claim: it acts on the state, not on the event
        claims = await self._claims_of(_to_look_at(facts))
        wanted += self._lists.follow(facts)
        wanted += self._index.follow([(fact, entry.id) for fact, entry in zip(facts, entries, strict=True)], claims)
        wanted += self._sightings.follow(facts, claims)
        wanted += self._payees_waiting.left(claims.values())
        wanted += await self._follow_ups(entries, facts, claims, woken)
        return wanted

    async def tick(self, partition: int) -> Effects:
        """Look again at what waits for something that no entry of this log tells: a payee, an adjuster."""
        del partition
        return [*await self._payees_looked_at(), *await self._overflow_looked_at()]

    async def _payees_looked_at(self) -> list[Wanted]:
        """Claims that wait for their payee: a check may have come, or the cool-off be over."""
        now = self._timing.now()
        due = await self._payees_waiting.due(now)
        if not due:
            return []
        claims = await self._claims_of(due)
        desk = await self._desk(claims.values(), await self._roster.snapshot())
        wanted: list[Wanted] = []
        gone = set(due)
        for claim in filter(waits_for_payee, claims.values()):
            payee = desk.payees.get(claim.notice.claimant_id)
            at = max(claim.updated_at, payable_at(payee, now))
            accepted = advance(claim, self._context(claim, desk, self._timing.after(at)))
            if accepted.facts:
                own = event_id(f"payee|{claim.claim_id}", claim.version)
                unit, _ = self._log.append(claim, accepted, Cause(own, own, command_id=own))
                wanted.append(unit)
            if stays := self._payees_waiting.stays(accepted.claim, payee, now):
                gone.discard(claim.claim_id)
                wanted += stays
        return [*wanted, *self._payees_waiting.gone(sorted(gone))]

    async def _overflow_looked_at(self) -> Effects:
        """Look at the overflow queue now and then: an absence may have ended, or the roster may be another one."""
        if self._timing.now() < self._next_look:
            return ()
        self._next_look = self._timing.now() + OVERFLOW_LOOK
        waiting = await self._overflow.first(MOST_WAITING)
        if not waiting:
            return ()
        claims = await self._claims_of(waiting)
        desk = await self._desk(claims.values(), await self._roster.snapshot())
        return self._taken_again(claims.values(), desk, None)

    async def _claims_of(self, ids: Sequence[str]) -> dict[str, Claim]:
        found = await self._claims.read(ids)
        return {claim.claim_id: claim for claim in found if claim is not None}

    async def _follow_ups(
        self, entries: Sequence[Entry], facts: Sequence[Fact], claims: Mapping[str, Claim], woken: Mapping[str, Entry]
    ) -> list[Wanted]:
        """The appends that follow from these claims' states, and from those that waited for a load to fall."""
        documents = [one for one in map(document_of, facts) if one is not None]
        flagged = {one.claim_id for one in documents}
        awake = [claim for claim in claims.values() if claim.state in ACTS_IN or claim.claim_id in flagged]
        freeing = [entry for entry, fact in zip(entries, facts, strict=True) if frees(fact)]
        waiting = await self._waiting(claims) if freeing else {}
        if not awake and not waiting:
            return []
        asking = [*(claim for claim in awake if not in_hand(claim)), *waiting.values()]
        roster = self._lists.freed(facts, await self._roster.snapshot()) if asking else NOBODY
        desk = await self._desk(asking, roster, documents)
        noticed = {entry.entity: entry.id for entry in entries if entry.type == "claim.submitted"}
        wanted: list[Wanted] = []
        for claim in claims.values():  # in the order of the log: a notice sees those before it, not those after it
            if claim.state in ACTS_IN or claim.claim_id in desk.reused:
                wanted += self._followed(claim, desk, cause_of(woken[claim.claim_id]), noticed.get(claim.claim_id, ""))
            if claim.claim_id in noticed:
                desk.losses.note(claim, noticed[claim.claim_id])
                desk.seen.note(contacts_of(claim))
        return wanted + self._taken_again(waiting.values(), desk, freeing[-1] if freeing else None)

    async def _waiting(self, claims: Mapping[str, Claim]) -> dict[str, Claim]:
        """Claims of the overflow queue that are not in this batch anyway."""
        first = await self._overflow.first(MOST_WAITING)
        return await self._claims_of([name for name in first if name not in claims])

    async def _desk(self, claims: Collection[Claim], roster: Roster, documents: Sequence[Sighting] = ()) -> Desk:
        """Everything that the decisions on these claims look up, many at once."""
        policies = await self._policies_of(claims)
        payees = await self._payees.find({claim.notice.claimant_id for claim in claims})
        new = [claim for claim in claims if claim.owner is None]
        self._log.prepare(new)
        losses = await self._index.about(new)
        seen = await self._sightings.of([*documents, *(one for claim in new for one in contacts_of(claim))])
        return Desk(policies, payees, losses, roster, seen, documents)

    def _followed(self, claim: Claim, desk: Desk, cause: Cause, entry_id: str = "") -> list[Wanted]:
        """What follows from one claim; the desk is changed by what is decided."""
        context = self._context(claim, desk, self._timing.after(claim.updated_at), entry_id)
        accepted = advance(claim, context)
        if not accepted.facts:
            return [*self._payees_waiting.stays(claim, context.payee, context.now)]
        if _told_before(claim, accepted.facts):
            return []
        unit, _ = self._log.append(claim, accepted, cause)
        effects, desk.roster = self._lists.taken(accepted.facts, desk.roster)
        return [unit, *effects, *self._index.taken(claim, accepted.facts, desk.losses)]

    def _taken_again(self, waiting: Iterable[Claim], desk: Desk, freed_by: Entry | None) -> list[Wanted]:
        """Claims of the overflow queue that somebody can take now, in the order in which they came there."""
        wanted: list[Wanted] = []
        for claim in waiting:
            at = self._timing.now() if freed_by is None else fact_of(freed_by).at
            context = self._context(claim, desk, self._timing.after(max(at, claim.updated_at)))
            if claim.state not in NEEDS_POLICY or isinstance(assignment(claim, context), Deferred):
                continue
            accepted = advance(claim, context)
            if not accepted.facts:
                continue
            own = event_id(f"overflow|{claim.claim_id}", claim.version)
            unit, _ = self._log.append(claim, accepted, cause_of(freed_by) if freed_by is not None else Cause(own, own))
            effects, desk.roster = self._lists.taken(accepted.facts, desk.roster)
            wanted += [unit, *effects, *self._index.taken(claim, accepted.facts, desk.losses)]
        return wanted

    def _context(self, claim: Claim, desk: Desk, now: datetime, entry_id: str = "") -> Context:
        new = claim.owner is None
        history = desk.losses.history(claim, entry_id) if new else NO_HISTORY
        shared, reused = new and desk.seen.shares_contact(claim), claim.claim_id in desk.reused
        if shared or reused:
            history = replace(history, shared_contact=shared, document_reused=reused)
        return Context(
            now=now,
            policy=desk.policies.get(claim.notice.policy_number),
            # The book is the record itself and was asked in this very batch: there is no view that could be stale.
            lookups=2,
            roster=desk.roster,
            payee=desk.payees.get(claim.notice.claimant_id),
            history=history,
            ties=desk.losses.ties(claim) if new else NO_TIES,
            rules=self._rules,
            zone=zone_of(claim.notice.jurisdiction),
        )

    async def _policies_of(self, claims: Collection[Claim]) -> Mapping[str, Policy]:
        numbers = {claim.notice.policy_number for claim in claims if claim.state in NEEDS_POLICY}
        return await self._policies.find(sorted(numbers)) if numbers else {}


def _to_look_at(facts: Sequence[Fact]) -> list[str]:
    """The claims of these facts, but for those of which only the processor's own facts came back, up to an assignment.

    What followed was in that same append (`advance` ends where nothing follows), and none of these facts is one that an
    index takes from the claim: half of the claims of a log need not be read for the second time.
    """
    last = {fact.claim_id: fact for fact in facts}
    told_by_others = {fact.claim_id for fact in facts if fact.actor != SYSTEM or fact.type in ENDS}
    return [
        claim_id
        for claim_id, fact in last.items()
        if claim_id in told_by_others or not isinstance(fact.body, ClaimAssigned)
    ]


def _told_before(claim: Claim, facts: Sequence[NewFact]) -> bool:
    """It waits in the overflow queue already, and all there is to say is that it still does."""
    return claim.deferred_roster is not None and all(isinstance(fact.body, AssignmentDeferred) for fact in facts)
