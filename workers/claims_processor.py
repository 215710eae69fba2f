"""The process manager: acts on the state of every claim that something happened to, and keeps the work lists.

Reads the snapshots of a batch in one round trip, asks the pure rules what follows, and returns it as appends guarded by
the version that it saw. The state may be ahead of the event that woke it: then nothing follows, and that is right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from domain.context import Context
from domain.process import ACTS_IN, NEEDS_POLICY, advance
from runtime.actor import Actor
from workers.claim_log import cause_of, fact_of
from workers.keys import CLAIM_LOG

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from domain.claim_record import Claim
    from domain.context import Payee
    from domain.policy import Policy
    from domain.roster import Roster
    from domain.rules import Rules
    from runtime.effects import Effects, Wanted
    from runtime.entry import Batch, Entry
    from workers.adoption import Adoption
    from workers.claim_log import ClaimLog
    from workers.ports import ClaimViews, PayeeBook, PolicyBook
    from workers.ports import Roster as RosterPort
    from workers.timing import Timing
    from workers.work_lists import WorkLists


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

    async def handle(self, batch: Batch) -> Effects:
        """What follows from the claims of this batch, and the changes of the work lists."""
        facts = [entry for entry in batch.entries if not entry.is_request]
        wanted: list[Wanted] = []
        if len(facts) < len(batch.entries):
            wanted += await self._adoption.adopt([entry for entry in batch.entries if entry.is_request])
        wanted += self._lists.follow([fact_of(entry) for entry in facts])
        woken = {entry.entity: entry for entry in facts}  # once per claim: it acts on the state, not on the event
        wanted += await self._follow_ups(woken)
        return wanted

    async def _follow_ups(self, woken: Mapping[str, Entry]) -> list[Wanted]:
        """The appends that follow from the states of these claims."""
        found = await self._claims.read(list(woken))
        awake = [claim for claim in found if claim is not None and claim.state in ACTS_IN]
        if not awake:
            return []
        policies = await self._policies_of(awake)
        payees = await self._payees.find({claim.notice.claimant_id for claim in awake})
        roster = await self._roster.snapshot()
        wanted: list[Wanted] = []
        for claim in awake:
            context = self._context(claim, policies, payees, roster)
            accepted = advance(claim, context)
            if not accepted.facts:
                continue
            unit, _ = self._log.append(claim, accepted, cause_of(woken[claim.claim_id]))
            wanted.append(unit)
            effects, roster = self._lists.taken(accepted.facts, roster)
            wanted += effects
        return wanted

    def _context(
        self,
        claim: Claim,
        policies: Mapping[str, Policy],
        payees: Mapping[str, Payee],
        roster: Roster,
    ) -> Context:
        return Context(
            now=self._timing.after(claim.updated_at),
            policy=policies.get(claim.notice.policy_number),
            # The book is the record itself and was asked in this very batch: there is no view that could be stale.
            lookups=2,
            roster=roster,
            payee=payees.get(claim.notice.claimant_id),
            rules=self._rules,
        )

    async def _policies_of(self, claims: Sequence[Claim]) -> Mapping[str, Policy]:
        numbers = {claim.notice.policy_number for claim in claims if claim.state in NEEDS_POLICY}
        return await self._policies.find(sorted(numbers)) if numbers else {}
