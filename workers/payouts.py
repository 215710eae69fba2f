"""Payout orders on their way: as a fact asks for them, and what is kept about their sending."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import msgspec

from domain.bodies.paying import PaymentInitiated
from runtime.effects import HashDelete, HashSet, SortedSetAdd, SortedSetRemove
from workers.outbox import Mark
from workers.ports import PayoutOrder

if TYPE_CHECKING:
    from domain.claim_record import Claim
    from domain.events import Fact
    from runtime.effects import Effect
    from workers.keys import ClaimKeys

State = Literal["taken", "refused", "given_up", "unconfirmed", "held", "not_owed"]

FOR_PEOPLE: frozenset[State] = frozenset({"held", "unconfirmed", "given_up"})
"""Ends of an order after which a person has to look: each has an item on the reconciliation list."""

_PAYMENT_ID = re.compile(r"PAY-(CLM-[A-Z0-9]{4,60})-[0-9]{1,6}")


class Waiting(msgspec.Struct, frozen=True):
    """An order that will be sent again: how often it failed, and why it failed last."""

    order: PayoutOrder
    failed: int
    reason: str


class Ended(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the sending of an order ended.

    `taken`: the bank has it. `refused`: it will never be paid. `given_up`, `unconfirmed`, `held`: on the
    reconciliation list, with the order, which goes out again when a person finds that it never left. `not_owed`: the
    claim had moved on before it was sent.
    """

    state: State
    at: str
    attempts: int
    reference: str = ""
    reason: str = ""
    order: PayoutOrder | None = None


class Begun(msgspec.Struct, frozen=True):
    """An order with its durable mark. `retry`: it comes from the retry set; `failed`: tries that failed."""

    order: PayoutOrder
    mark: Mark
    retry: bool = False
    failed: int = 0


encode_record = msgspec.json.Encoder().encode
decode_mark = msgspec.json.Decoder(Mark).decode
decode_waiting = msgspec.json.Decoder(Waiting).decode
decode_ended = msgspec.json.Decoder(Ended).decode


def order_key(payment_id: str, attempt: int) -> str:
    """The idempotency key of an attempt. A new attempt is a new order: the one before it has definitely failed."""
    return payment_id if attempt == 1 else f"{payment_id}.{attempt}"


def attempt_of(key: str) -> int:
    """Which attempt a key belongs to."""
    _, dot, number = key.rpartition(".")
    return int(number) if dot and number.isdecimal() else 1


def claim_of_payment(payment_id: str) -> str:
    """The claim that a payment id belongs to; '' when it is none of ours."""
    match = _PAYMENT_ID.fullmatch(payment_id)
    return match[1] if match else ""


def order_of(fact: Fact) -> PayoutOrder | None:
    """The order that a fact asks for; None when it asks for none."""
    body = fact.body
    if not isinstance(body, PaymentInitiated):
        return None
    return PayoutOrder(
        key=order_key(body.payment_id, body.attempt),
        payment_id=body.payment_id,
        claim_id=fact.claim_id,
        payee_id=body.payee_id,
        amount=body.amount.minor,
        currency=body.amount.currency,
        method=body.method,
    )


def is_owed(order: PayoutOrder, claim: Claim | None) -> bool:
    """Does the claim still wait for exactly this attempt?"""
    pending = claim.pending if claim is not None else None
    return pending is not None and order.key == order_key(pending.id, pending.attempt)


class Records:
    """What becomes of the orders of one round, as few effects."""

    def __init__(self, keys: ClaimKeys, at: str) -> None:
        """`at`: ISO 8601, when it is recorded."""
        self._keys = keys
        self.at = at
        self._all: list[Begun] = []
        self._due: dict[str, int | str] = {}
        self._waiting: dict[str, bytes] = {}
        self._outcomes: dict[str, bytes] = {}

    def ended(self, one: Begun, state: State, *, reference: str = "", reason: str = "") -> None:
        """This order is done with."""
        self._all.append(one)
        order = one.order if state in FOR_PEOPLE else None
        self._outcomes[one.order.key] = encode_record(Ended(state, self.at, one.mark.attempt, reference, reason, order))

    def waits(self, one: Begun, due: int, failed: int, reason: str) -> None:
        """This order is sent again at `due`, milliseconds since 1970. Its mark stays: its answer is unknown."""
        self._due[one.order.key] = due
        self._waiting[one.order.key] = encode_record(Waiting(one.order, failed, reason))

    def effects(self) -> list[Effect]:
        """Outcomes, retries, and the marks that are known now."""
        keys = self._keys
        found: list[Effect] = []
        if self._outcomes:
            found.append(HashDelete(keys.payment_attempts, tuple(one.order.key for one in self._all)))
            found.append(HashSet(keys.payment_outcomes, self._outcomes))
        if self._due:
            found.append(SortedSetAdd(keys.payment_retries, self._due))
            found.append(HashSet(keys.payment_waiting, self._waiting))
        done = tuple(one.order.key for one in self._all if one.retry)
        if done:
            found.append(SortedSetRemove(keys.payment_retries, done))
            found.append(HashDelete(keys.payment_waiting, done))
        return found
