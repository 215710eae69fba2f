"""What people found about items of the reconciliation list: an override on a claim, its subject the item. Reads only.

An item that names a claim of ours is resolved on that claim; one that names none, on the claim that the person names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from domain.bodies.deciding import FoundOut, OverrideRecorded
from domain.commands import RecordOverride
from domain.identity import command_id
from runtime.entry import EntryReader
from workers.claim_log import EventCodec
from workers.claim_reading import reason_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runtime.entry import Entry
    from runtime.store.keys import Keyspace
    from runtime.store.reads import Reads
    from workers.claim_reading import ClaimReader
    from workers.reconciliation import Item, Listed

SUBJECT = "reconciliation "
"""Begins the subject of such an override; the identity of the item follows."""

OVERRIDDEN = "claim.override.recorded"


class Resolution(msgspec.Struct, frozen=True, rename="camel"):
    """Who looked at an item, when, what they found (a mark where it is sealed), and on which claim it stands.

    `found`: of a payment in doubt, whether its money left.
    """

    by: str
    at: str
    reason: str
    claim_id: str
    found: FoundOut | None = None


def identity(one: Listed) -> str:
    """What names an item in every partition: its place in the list, and the payment that it is about."""
    return f"{one.id} {one.item.payment_id}"


def override(one: Listed, reason: str, found: FoundOut | None = None) -> tuple[RecordOverride, str]:
    """The command that resolves an item, and its id: the same item is resolved once."""
    subject = SUBJECT + identity(one)
    return RecordOverride(subject=subject, reason=reason, found=found), command_id("resolve", subject)


def finding(
    one: Listed, items: Sequence[Listed], outcome: Literal["sent", "not_sent"], reference: str = ""
) -> FoundOut:
    """What was found about a doubt. It names the message that held the payment back when this was an item.

    `items`: the list as the person saw it. Of a message that came later nobody has found anything yet.
    """
    blamed = [
        other.item.message_id
        for other in items
        if other.item.payment_id == one.item.payment_id
        and other.item.blames_message
        and order(other.id) <= order(one.id)
    ]
    return FoundOut(
        outcome=outcome,
        payment_id=one.item.payment_id,
        order_key=one.item.key,
        message_id=blamed[-1] if blamed else "",
        reference=reference,
    )


def open_before(one: Listed, items: Sequence[Listed], resolved: Mapping[str, Resolution]) -> Listed | None:
    """The first older doubt about the same payment that nobody looked at; None when there is none.

    Trap: only the last message is kept as the doubt, so resolving that one first would release the payment past the
    others.
    """
    older = (
        other
        for other in items
        if other.item.is_doubt
        and other.item.payment_id == one.item.payment_id
        and order(other.id) < order(one.id)
        and identity(other) not in resolved
    )
    return next(older, None)


async def resolutions(
    reads: Reads, keyspace: Keyspace, reader: ClaimReader, items: Sequence[Listed]
) -> dict[str, Resolution]:
    """Identity of an item -> its resolution. Items that name no claim of ours are looked for in the log after them."""
    claims = sorted({one.item.claim_id for one in items if one.item.claim_id})
    found: dict[str, Resolution] = {}
    for claim_id in claims:
        found |= _in(await reader.entries(claim_id))
    homeless = [one for one in items if identity(one) not in found and not await _is_known(reader, one.item)]
    if homeless:
        first = min((one.id for one in homeless), key=order)
        found |= await _later(reads, keyspace, first)
    return {name: one for name, one in found.items() if name in {identity(item) for item in items}}


async def _is_known(reader: ClaimReader, item: Item) -> bool:
    return bool(item.claim_id) and await reader.claim(item.claim_id) is not None


def _in(entries: Iterable[Entry]) -> dict[str, Resolution]:
    found: dict[str, Resolution] = {}
    for entry in entries:
        if entry.type != OVERRIDDEN or not isinstance(entry.body, OverrideRecorded):
            continue
        subject = entry.body.subject
        if subject.startswith(SUBJECT):
            reason, found_out = reason_of(entry.body), entry.body.found
            made = Resolution(entry.actor, entry.timestamp, reason, entry.entity, found_out)
            found.setdefault(subject.removeprefix(SUBJECT), made)
    return found


async def _later(reads: Reads, keyspace: Keyspace, first: str) -> dict[str, Resolution]:
    """Resolutions in the log since an item came: a person cannot have resolved it before."""
    from domain.events import EVENTS, decode_body
    from workers.verifying.places import pages

    reader = EntryReader(keyspace.spec.entity_field, EventCodec(tuple(EVENTS), decode_body))
    found: dict[str, Resolution] = {}
    for partition in range(keyspace.spec.partitions):
        async for rows in pages(reads, keyspace.log(partition), since=first):
            found |= _in(entry for row in rows if (entry := reader.read(row)).type == OVERRIDDEN and not entry.fault)
    return found


def order(entry_id: str) -> tuple[int, int]:
    """An entry id as two numbers that compare as a list does."""
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number or 0)
