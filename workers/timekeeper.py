"""Turns due timers into events: a timer fires once, because its command id is its identity.

Timers live in the claim's partition, written by the appends of their claim alone. A timer that is stale (its claim has
moved on in a way that the rules settle otherwise) is taken off by an append of no event.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from domain.bodies.base import TIMEKEEPER
from domain.commands import FireTimer
from domain.context import Context
from domain.deciding import decide
from domain.decisions.timers import parse_timer
from domain.identity import timer_command_id
from domain.outcome import Accepted
from domain.process import advance
from runtime.effects import Append, SortedSetRemove
from runtime.serving.ticker import TimedActor
from workers.claim_log import Cause
from workers.keys import CLAIM_LOG
from workers.zones import zone_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.claim_record import Claim
    from domain.rules import Rules
    from runtime.store.reads import Reads
    from workers.claim_log import ClaimLog
    from workers.keys import ClaimKeys
    from workers.ports import ClaimViews, PayeeBook
    from workers.timing import Timing

ONE_TICK = timedelta(milliseconds=1)
"""The smallest step of the times in the log."""

AT_ONCE = 200
"""Timers that are looked at in one go."""


class Timekeeper(TimedActor):
    """Looks after the timers of one partition."""

    name: ClassVar[str] = "timekeeper"
    log: ClassVar[str] = CLAIM_LOG

    def __init__(
        self,
        reads: Reads,
        claims: ClaimViews[Claim],
        payees: PayeeBook,
        log: ClaimLog,
        keys: ClaimKeys,
        timing: Timing,
        rules: Rules,
    ) -> None:
        """Everything that it may read comes as a port."""
        self._reads = reads
        self._claims = claims
        self._payees = payees
        self._log = log
        self._keys = keys
        self._timing = timing
        self._rules = rules

    async def due(self, partition: int) -> Sequence[Append]:
        """What follows from the timers that are due now, one append per claim."""
        del partition
        until = int(self._timing.now().timestamp() * 1000)
        rows = await self._reads.scored("ZRANGEBYSCORE", self._keys.timers, "-inf", until, "LIMIT", 0, AT_ONCE)
        first: dict[str, tuple[str, datetime]] = {}
        for member, due in rows:
            claim_id, _, timer = member.decode().partition("|")
            # The earliest of a claim; the next one is due at the next look.
            first.setdefault(claim_id, (timer, datetime.fromtimestamp(due / 1000, UTC)))
        claims = await self._claims.read(list(first))
        payees = await self._payees.find({claim.notice.claimant_id for claim in claims if claim is not None})
        appends: list[Append] = []
        for (claim_id, (timer, due_at)), claim in zip(first.items(), claims, strict=True):
            if claim is not None:
                context = Context(
                    now=self._timing.after(due_at + past_due(timer)),
                    actor=TIMEKEEPER,
                    payee=payees.get(claim.notice.claimant_id),
                    rules=self._rules,
                    zone=zone_of(claim.notice.jurisdiction),
                )
                appends.append(self._fired(claim_id, timer, claim, context))
        return appends

    def _fired(self, claim_id: str, timer: str, claim: Claim, context: Context) -> Append:
        clock, cycle, mark = parse_timer(timer)
        outcome = decide(claim, FireTimer(clock=clock, cycle=cycle, mark=mark), context)
        if isinstance(outcome, Accepted) and not outcome.facts and clock == "retry":
            outcome = advance(claim, context)
        cause = timer_command_id(claim_id, timer)
        if isinstance(outcome, Accepted) and outcome.facts:
            unit, _ = self._log.append(claim, outcome, Cause(cause, cause, command_id=cause))
            return unit
        stale = SortedSetRemove(self._keys.timers, (f"{claim_id}|{timer}",))
        return Append(CLAIM_LOG, claim_id, claim.version, (), {}, (stale,))


def past_due(timer: str) -> timedelta:
    """How long after its time a timer may ring: what is done at the very end of a deadline is still in time."""
    clock, _, mark = parse_timer(timer)
    return ONE_TICK if "." in clock and mark is None else timedelta(0)
