"""Plays adjusters, claimants and the bank, with a seed: for the demo only. Its people and timings are invented.

Acts on the state of a claim, at simulated times: what it does with a claim depends on the seed, the claim and its facts
alone, never on how fast or in which order claims are processed. So every run with one seed ends in the same facts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from domain.context import Context
from domain.deciding import decide
from domain.outcome import Accepted
from runtime.actor import Actor
from workers.claim_log import cause_of
from workers.keys import CLAIM_LOG
from workers.record_log import policy_append
from workers.zones import zone_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from domain.claim_record import Claim
    from domain.policy import Policy
    from domain.rules import Rules
    from runtime.effects import Append, Effects
    from runtime.entry import Batch, Entry
    from workers.claim_log import ClaimLog
    from workers.playbook import Playbook
    from workers.ports import ClaimViews, PolicyBook


class Simulator(Actor):
    """Reads `claims:events` as `simulator`."""

    name: ClassVar[str] = "simulator"
    group: ClassVar[str] = "simulator"
    log: ClassVar[str] = CLAIM_LOG

    def __init__(
        self,
        playbook: Playbook,
        claims: ClaimViews[Claim],
        policies: PolicyBook[Policy],
        log: ClaimLog,
        rules: Rules,
    ) -> None:
        """`playbook` says who does what next with a claim."""
        self._playbook = playbook
        self._claims = claims
        self._policies = policies
        self._log = log
        self._rules = rules

    async def handle(self, batch: Batch) -> Effects:
        """The next move of whoever is to move, once per claim of the batch."""
        woken = {entry.entity: entry for entry in batch.entries}
        claims = await self._claims.read(list(woken))
        moving = [claim for claim in claims if claim is not None and self._playbook.may_move(claim)]
        if not moving:
            return []
        policies = await self._policies.find({claim.notice.policy_number for claim in moving})
        return [unit for claim in moving for unit in self._moved(claim, woken[claim.claim_id], policies)]

    def _moved(self, claim: Claim, entry: Entry, policies: Mapping[str, Policy]) -> list[Append]:
        policy = policies.get(claim.notice.policy_number)
        move = self._playbook.next_move(claim, policy)
        if move is None:
            return []
        zone = zone_of(claim.notice.jurisdiction)
        context = Context(now=move.at, actor=move.actor, policy=policy, lookups=2, rules=self._rules, zone=zone)
        outcome = decide(claim, move.command, context)
        if not isinstance(outcome, Accepted) or not outcome.facts:
            raise RuntimeError(f"the simulator made an illegal move: {outcome}")
        unit, _ = self._log.append(claim, outcome, cause_of(entry, self.name))
        if move.policy_event is None or policy is None:
            return [unit]
        who = move.actor.to_wire()
        return [policy_append(policy, policy.revision, move.policy_event, move.at, who), unit]
