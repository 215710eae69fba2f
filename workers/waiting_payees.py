"""Claims that would be paid by themselves but for their payee (guards G16, G20), and when each is looked at again.

A view of the processor's group: written in its settles, emptied by its tick. Checks of payees stand in the log of
customers, which the processor does not read; a cool-off ends without any entry. So it looks.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from domain.guards_money import cool_off_ends
from domain.process import waits_for_payee
from runtime.effects import SortedSetAdd, SortedSetRemove

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from domain.claim_record import Claim
    from domain.context import Payee
    from runtime.effects import Effect
    from runtime.store.reads import Reads
    from workers.keys import ClaimKeys

LOOK_AGAIN = timedelta(seconds=60)
"""Time between two looks at the payee of a claim (D): a check or a call-back is followed about a minute later."""

MOST_DUE = 50
"""Claims that one tick looks at: who was due first comes first, so that a long list starves nobody."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER = datetime.min.replace(tzinfo=UTC)


def payable_at(payee: Payee | None, now: datetime) -> datetime:
    """Since when the payee may be paid, as far as the payee says so; `now` while the cool-off is not over.

    In a simulation decisions carry the moment of their cause, however late the tick was that made them.
    """
    if payee is None:
        return now
    since = max(cool_off_ends(payee) or _NEVER, payee.verified_at or _NEVER)
    return min(since, now)


class WaitingPayees:
    """The claims of one partition that wait for their payee."""

    def __init__(self, reads: Reads, keys: ClaimKeys) -> None:
        """`keys` of the partition."""
        self._reads = reads
        self._key = keys.waiting_payees

    async def due(self, now: datetime) -> list[str]:
        """The claims to look at, at most `MOST_DUE`."""
        rows = await self._reads.one("ZRANGEBYSCORE", self._key, "-inf", _score(now), "LIMIT", 0, MOST_DUE)
        return [name.decode() for name in rows]

    def stays(self, claim: Claim, payee: Payee | None, now: datetime) -> list[Effect]:
        """When to look again at a claim that waits: when the cool-off ends, and before, for a call-back may come."""
        if not waits_for_payee(claim):
            return []
        look = now + LOOK_AGAIN
        ends = cool_off_ends(payee) if payee is not None else None
        if ends is not None and ends > now:
            look = min(look, ends)
        return [SortedSetAdd(self._key, {claim.claim_id: _score(look)})]

    def left(self, claims: Iterable[Claim]) -> list[Effect]:
        """Take off what waits no more; a claim that was never approved cannot stand there."""
        return self.gone([one.claim_id for one in claims if one.approved_at is not None and not waits_for_payee(one)])

    def gone(self, names: Sequence[str]) -> list[Effect]:
        """Take these off."""
        return [SortedSetRemove(self._key, tuple(names))] if names else []


def _score(at: datetime) -> int:
    """Milliseconds since 1970, rounded up: a claim is not due before its time."""
    return -((EPOCH - at) // timedelta(milliseconds=1))
