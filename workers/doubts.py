"""What a person found out about a payment in doubt, carried out on the records of its sending: effects, as data.

| found | an order that waits for a person | the message that held the payment back |
|---|---|---|
| not sent | waits again, begun anew: the next tick sends it under its key, past the same guards | holds nothing back |
| sent | is taken, with the bank's reference: never sent again | goes on holding back every other attempt |

The finding is a fact on the claim (`claimstream reconciliation resolve`). Its effects are settled with its entry: once,
and a record that is no longer in doubt is left as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.bodies.deciding import OverrideRecorded
from runtime.effects import HashDelete, HashSet, SortedSetAdd
from workers.outbox import Mark
from workers.payouts import (
    FOR_PEOPLE,
    Ended,
    Waiting,
    attempt_of,
    claim_of_payment,
    decode_ended,
    encode_record,
    order_key,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from domain.bodies.deciding import FoundOut
    from domain.events import Fact
    from runtime.effects import Effect
    from runtime.store.reads import Reads
    from workers.keys import ClaimKeys

FOUND_NOT_SENT = "a person found that it was not sent"
FOUND_SENT = "a person found that it was sent"


def found_in(fact: Fact) -> FoundOut | None:
    """The finding that a fact states; None when it states none, or one about a payment or an order of others."""
    body = fact.body
    if not isinstance(body, OverrideRecorded) or body.found is None:
        return None
    found = body.found
    fits = not found.order_key or found.order_key == order_key(found.payment_id, attempt_of(found.order_key))
    return found if fits and claim_of_payment(found.payment_id) == fact.claim_id else None


async def carried_out(found: Sequence[FoundOut], reads: Reads, keys: ClaimKeys, now: datetime) -> list[Effect]:
    """What follows from these findings. `keys` of the partition."""
    if not found:
        return []
    doubts, outcomes = await reads.many(
        [
            ("HMGET", keys.payment_doubts, *(one.payment_id for one in found)),
            ("HMGET", keys.payment_outcomes, *(one.order_key for one in found)),
        ]
    )
    wanted: list[Effect] = []
    for one, doubt, outcome in zip(found, doubts, outcomes, strict=True):
        ended = decode_ended(outcome) if outcome is not None else None
        # A later message may have put the payment into doubt again: then it stays there, and is an item of its own.
        if one.outcome == "not_sent" and doubt is not None and doubt.decode() == one.message_id:
            wanted.append(HashDelete(keys.payment_doubts, (one.payment_id,)))
        if ended is not None and ended.state in FOR_PEOPLE:
            wanted += _taken(one, ended, keys, now) if one.outcome == "sent" else _waits(one, ended, keys, now)
    return wanted


def _taken(one: FoundOut, ended: Ended, keys: ClaimKeys, now: datetime) -> list[Effect]:
    at = now.isoformat(timespec="milliseconds")
    taken = Ended("taken", at, ended.attempts, one.reference, FOUND_SENT)
    return [HashSet(keys.payment_outcomes, {one.order_key: encode_record(taken)})]


def _waits(one: FoundOut, ended: Ended, keys: ClaimKeys, now: datetime) -> list[Effect]:
    """Due at once, its mark from now: the bank has not seen its key, so the time that it remembers it begins anew."""
    if ended.order is None:
        return []  # recorded before the order was kept with its end: `claim payment` finishes that one by hand
    due = int(now.timestamp() * 1000)
    key = one.order_key
    return [
        HashDelete(keys.payment_outcomes, (key,)),
        HashSet(keys.payment_attempts, {key: encode_record(Mark(ended.attempts + 1, due))}),
        HashSet(keys.payment_waiting, {key: encode_record(Waiting(ended.order, 0, FOUND_NOT_SENT))}),
        SortedSetAdd(keys.payment_retries, {key: due}),
    ]
