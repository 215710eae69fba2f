"""What the bank says becomes commands on claims; what does not fit goes to the reconciliation list. Nothing is dropped.

A message is taken in the settle that moves the place in the bank's list on: both or neither. Its id is the command id,
so a message that the bank sends again under the same id has one effect.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from domain.bodies.base import Actor
from domain.commands import ConfirmPayment, FailPayment, ReversePayment
from domain.context import Context
from domain.deciding import decide
from domain.identity import command_id
from domain.money import Money, UnknownCurrency, exponent
from domain.outcome import Refused
from domain.payment import find
from runtime.effects import HashSet
from workers import reconciliation
from workers.claim_log import Cause
from workers.payouts import attempt_of, claim_of_payment
from workers.zones import zone_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.claim_record import Claim
    from domain.commands import Command
    from domain.rules import Rules
    from runtime.effects import Wanted
    from runtime.store.keys import Keyspace
    from workers.claim_log import ClaimLog
    from workers.keys import ClaimKeys
    from workers.ports import BankMessage, ClaimViews
    from workers.timing import Timing

BANK = Actor(id="bank", role="bank")
"""Who confirms, fails and reverses payments."""


class BankAnswers:
    """Takes the bank's messages on the claims of one partition; those that name no claim belong to the first."""

    def __init__(
        self,
        keyspace: Keyspace,
        keys: ClaimKeys,
        partition: int,
        claims: ClaimViews[Claim],
        log: ClaimLog,
        timing: Timing,
        rules: Rules,
    ) -> None:
        """`keys` of the partition, `keyspace` of the claim log."""
        self._keyspace = keyspace
        self._keys = keys
        self._partition = partition
        self._claims = claims
        self._log = log
        self._timing = timing
        self._rules = rules

    async def taken(self, messages: Sequence[BankMessage]) -> list[Wanted]:
        """What follows from these messages, in order."""
        named = [(message, claim_of_payment(message.payment_id)) for message in messages]
        ours = [(message, claim_id) for message, claim_id in named if self._is_ours(claim_id)]
        ids = sorted({claim_id for _, claim_id in ours if claim_id})
        known = dict(zip(ids, await self._claims.read(ids), strict=True))
        return [wanted for message, claim_id in ours for wanted in self._one(message, claim_id, known)]

    def _is_ours(self, claim_id: str) -> bool:
        return (self._keyspace.partition_of(claim_id) if claim_id else 0) == self._partition

    def _one(self, message: BankMessage, claim_id: str, known: dict[str, Claim | None]) -> list[Wanted]:
        """One message; `known` moves on with it, so that two for one claim follow each other."""
        claim = known.get(claim_id)
        if claim is None:
            return self._unmatched(message, claim_id, f"there is no claim with a payment {message.payment_id[:80]!r}")
        mismatch = _mismatch(claim, message)
        if mismatch:
            return self._unmatched(message, claim_id, mismatch)
        command = _command(claim, message)
        if isinstance(command, str):
            return self._unmatched(message, claim_id, command)
        zone = zone_of(claim.notice.jurisdiction)
        context = Context(now=self._timing.after(claim.updated_at), actor=BANK, rules=self._rules, zone=zone)
        outcome = decide(claim, command, context)
        if isinstance(outcome, Refused):
            kind: reconciliation.Kind = "repeated" if outcome.code == "REPEATED" else "unmatched"
            if outcome.code in ("GUARD_FAILED", "NOT_ALLOWED", "INVALID"):
                kind = "refused"
            if kind == "repeated":
                item = reconciliation.of_message(message, claim_id, kind, outcome.message)
                return [reconciliation.put(self._keys, item)]
            return self._unmatched(message, claim_id, str(outcome), kind)
        identity = command_id("bank", message.id)
        unit, known[claim_id] = self._log.append(claim, outcome, Cause(identity, identity, command_id=identity))
        return [unit]

    def _unmatched(
        self, message: BankMessage, claim_id: str, reason: str, kind: reconciliation.Kind = "unmatched"
    ) -> list[Wanted]:
        """To the list; and a payment of which the bank says that it left is not sent again before somebody looked."""
        wanted: list[Wanted] = [
            reconciliation.put(self._keys, reconciliation.of_message(message, claim_id, kind, reason))
        ]
        if claim_id and message.kind == "confirmed":
            wanted.append(HashSet(self._keys.payment_doubts, {message.payment_id: message.id}))
        return wanted


def _mismatch(claim: Claim, message: BankMessage) -> str:
    """Why the message is about another attempt than the last one; '' when it is about that, or does not say."""
    payment = find(claim, message.payment_id)
    if payment is None or not message.key or attempt_of(message.key) == payment.attempt:
        return ""
    return (
        f"it answers attempt {attempt_of(message.key)} of payment {payment.id}, the last one is attempt"
        f" {payment.attempt} ({payment.status}): look before it is paid twice"
    )


def _command(claim: Claim, message: BankMessage) -> Command | str:
    """The command that a message asks for, or why it is none."""
    amount = _amount(message)
    if isinstance(amount, str):
        return amount
    if message.kind == "confirmed":
        if amount is None:
            return "a confirmation without an amount"
        return ConfirmPayment(
            payment_id=message.payment_id,
            amount=amount,
            provider_ref=message.reference,
            cleared_at=_time(message.at, claim),
        )
    if message.kind == "failed":
        return FailPayment(
            payment_id=message.payment_id, reason=message.reason or "UNKNOWN", retryable=message.retryable
        )
    if message.kind == "reversed":
        return ReversePayment(
            payment_id=message.payment_id,
            reason=message.reason or "UNKNOWN",
            amount=amount,
            provider_ref=message.reference,
        )
    return f"no such kind of message: {message.kind[:40]!r}"


def _amount(message: BankMessage) -> Money | str | None:
    if message.amount is None:
        return None
    try:
        exponent(message.currency)
    except UnknownCurrency:
        return f"no such currency: {message.currency[:10]!r}"
    return Money(message.amount, message.currency)


def _time(text: str, claim: Claim) -> datetime | None:
    """When the money left; what is no time with a zone, or lies before the claim, is left out."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo is not None and at >= claim.submitted_at else None
