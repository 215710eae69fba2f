"""The reconciliation list: what the bank says and what we know that do not fit together. A person looks at each item.

| kind | what happened |
|---|---|
| `repeated` | the bank says again what was booked already: nothing to do |
| `unmatched` | no such payment, another amount, another attempt, or a payment that is in another state |
| `refused` | the rules refuse what the message asks for |
| `unconfirmed` | an order was begun, its answer is unknown, and the bank has forgotten its key by now |
| `given_up` | the bank could not take the order for too long |
| `held` | not sent: the bank said something about this payment that does not fit |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from runtime.effects import StreamAdd
from workers.payouts import FOR_PEOPLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.store.reads import Reads
    from workers.keys import ClaimKeys
    from workers.ports import BankMessage, PayoutOrder

Kind = Literal["repeated", "unmatched", "refused", "unconfirmed", "given_up", "held"]


class Item(msgspec.Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True):
    """One item; `message_id` is the bank's, empty when no message but an order of ours is in doubt: that with `key`."""

    kind: Kind
    reason: str
    payment_id: str
    claim_id: str = ""
    message_id: str = ""
    says: str = ""
    amount: int | None = None
    currency: str = ""
    reference: str = ""
    at: str = ""
    key: str = ""

    @property
    def is_doubt(self) -> bool:
        """Does a payment wait for a person to say whether its money left?"""
        return self.kind in FOR_PEOPLE or self.blames_message

    @property
    def blames_message(self) -> bool:
        """Did this message of the bank put a payment of ours into doubt (`payments:doubts`)?"""
        return bool(self.claim_id) and self.says == "confirmed" and self.kind in ("unmatched", "refused")


class Listed(msgspec.Struct, frozen=True, rename="camel"):
    """An item as it stands in the list."""

    id: str
    item: Item


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Item).decode


def of_message(message: BankMessage, claim_id: str, kind: Kind, reason: str) -> Item:
    """A message that does not fit."""
    return Item(
        kind=kind,
        reason=reason,
        payment_id=message.payment_id,
        claim_id=claim_id,
        message_id=message.id,
        says=message.kind,
        amount=message.amount,
        currency=message.currency,
        reference=message.reference,
        at=message.at,
    )


def of_order(order: PayoutOrder, kind: Kind, reason: str, at: str) -> Item:
    """An order of ours that is in doubt."""
    return Item(
        kind=kind,
        reason=reason,
        payment_id=order.payment_id,
        claim_id=order.claim_id,
        amount=order.amount,
        currency=order.currency,
        at=at,
        key=order.key,
    )


def put(keys: ClaimKeys, item: Item) -> StreamAdd:
    """Add an item to the list of its partition."""
    return StreamAdd(keys.reconciliation, ("kind", item.kind, "item", _encode(item)))


def read_item(fields: Sequence[bytes]) -> Item:
    """The item of an entry of the list. `ValueError`: it holds none."""
    named = dict(zip(fields[::2], fields[1::2], strict=False))
    if b"item" not in named:
        raise ValueError("it has no field 'item'")
    try:
        return _decode(named[b"item"])
    except msgspec.DecodeError as problem:
        raise ValueError(str(problem)) from problem


async def listed(reads: Reads, parts: Sequence[ClaimKeys]) -> list[Listed]:
    """Every item of every partition, in the order in which they came."""
    found: list[Listed] = []
    for keys in parts:
        async for entry_id, fields in reads.stream(keys.reconciliation):
            found.append(Listed(entry_id.decode(), read_item(fields)))
    return sorted(found, key=lambda one: tuple(map(int, one.id.split("-"))))
