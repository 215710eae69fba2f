"""Pays out through a bank: each payment at most once by our doing, and what became of it is asked for, not waited for.

    claim.payment.initiated -> mark (settled) -> POST with the key -> outcome (settled)
    bank's list of messages -> command on the claim, or reconciliation list; its place moves on in the same settle

A crash between mark and outcome sends again under the same key. An order whose answer is unknown for longer than the
bank remembers keys is never sent again by itself: a person finds out what became of it, and says so in a fact
(`workers.doubts`). The bank's messages are polled: nothing of ours has to be reachable from outside, and what the bank
says while we are away waits in its list.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, ClassVar

import msgspec

from domain.commands import FailPayment
from domain.context import Context
from domain.deciding import decide
from domain.identity import command_id
from domain.outcome import Accepted
from runtime import failpoints
from runtime.actor import Actor
from runtime.backoff import BackoffOptions, delay
from runtime.effects import HashSet, Put
from workers import reconciliation
from workers.bank_answers import BANK
from workers.breaker import Breaker, BreakerOptions, Pass
from workers.claim_log import Cause, fact_of
from workers.doubts import carried_out, found_in
from workers.keys import CLAIM_LOG
from workers.outbox import Mark
from workers.payouts import Begun, Records, decode_mark, decode_waiting, encode_record, is_owed, order_of
from workers.ports import BankUnavailable, OrderRefused, OrderTaken
from workers.zones import zone_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from domain.claim_record import Claim
    from domain.rules import Rules
    from runtime.clock import Clock
    from runtime.effects import Effect, Effects, Wanted
    from runtime.entry import Batch
    from runtime.store.reads import Reads
    from workers.bank_answers import BankAnswers
    from workers.claim_log import ClaimLog
    from workers.keys import ClaimKeys
    from workers.ports import Bank, ClaimViews, OrderAnswer, PayoutOrder
    from workers.timing import Timing

TOO_OLD = "begun, answer unknown, and the bank has forgotten its key by now: it is not sent again by itself"


class PaymentOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How orders are sent."""

    attempts: int = 12
    """Tries of one order before a person must look. Reason: with the backoff below that is about two hours."""
    backoff: BackoffOptions = BackoffOptions(first_seconds=4.0, factor=2.0, cap_seconds=1800.0)
    """Waits between the tries."""
    breaker: BreakerOptions = BreakerOptions()
    """When the bank is left alone."""
    key_hours: float = 24.0
    """Hours that the bank remembers a key."""
    poll_seconds: float = 1.0
    """Seconds between two looks for messages."""
    at_once: int = 100
    """Orders that are sent again, and messages that are taken, in one tick."""
    in_flight: int = 8
    """Orders that are handed over at the same time."""


class Payments(Actor):
    """Reads `claims:events` as `payments`."""

    name: ClassVar[str] = "payments"
    group: ClassVar[str] = "payments"
    log: ClassVar[str] = CLAIM_LOG

    def __init__(
        self,
        keys: ClaimKeys,
        bank: Bank,
        reads: Reads,
        claims: ClaimViews[Claim],
        log: ClaimLog,
        answers: BankAnswers,
        timing: Timing,
        clock: Clock,
        rules: Rules,
        options: PaymentOptions | None = None,
    ) -> None:
        """`reads` is asked for its own records alone; `claims` say what is still owed."""
        self._keys = keys
        self._bank = bank
        self._reads = reads
        self._claims = claims
        self._log = log
        self._answers = answers
        self._timing = timing
        self._clock = clock
        self._rules = rules
        self._options = options or PaymentOptions()
        self._breaker = Breaker(self._options.breaker)
        self._begun: list[Begun] = []
        self._next_poll = 0.0

    async def handle(self, batch: Batch) -> Effects:
        """The mark: which orders are begun now. Settled before `perform` calls the bank."""
        orders = [order for order in (order_of(fact_of(entry)) for entry in batch.entries) if order is not None]
        self._begun = await self._to_begin(orders)
        marks = {one.order.key: encode_record(one.mark) for one in self._begun}
        return [HashSet(self._keys.payment_attempts, marks)] if marks else []

    async def perform(self, batch: Batch) -> Effects:
        """The calls, and how they ended; and what people found out about orders in doubt, settled with its entry."""
        begun, self._begun = self._begun, []
        found = [one for one in (found_in(fact_of(entry)) for entry in batch.entries) if one is not None]
        known = await carried_out(found, self._reads, self._keys, self._clock.now())
        return [*await self._sent(begun), *known]

    async def tick(self, partition: int) -> Effects:
        """Send again what is due (its mark is durable already); else take what the bank said meanwhile."""
        del partition
        again = await self._due()
        return await self._sent(again) if again else await self._messages()

    def forget(self) -> None:
        """What was marked is read from the marks again."""
        self._begun = []

    async def _to_begin(self, orders: Sequence[PayoutOrder]) -> list[Begun]:
        """Of these orders those that were not sent before: with the mark of an unanswered try, or a new one."""
        if not orders:
            return []
        await failpoints.reach("pay.before")
        keys = [order.key for order in orders]
        names = (self._keys.payment_outcomes, self._keys.payment_waiting, self._keys.payment_attempts)
        ended, waiting, marks = await self._reads.many([("HMGET", name, *keys) for name in names])
        return [
            Begun(order, decode_mark(mark) if mark is not None else Mark(1, self._now()))
            for order, done, waits, mark in zip(orders, ended, waiting, marks, strict=True)
            if done is None and waits is None
        ]

    async def _due(self) -> list[Begun]:
        """Orders whose time for another try has come."""
        limit = self._options.at_once
        due = await self._reads.one("ZRANGEBYSCORE", self._keys.payment_retries, "-inf", self._now(), "LIMIT", 0, limit)
        if not due:
            return []
        names = (self._keys.payment_waiting, self._keys.payment_attempts)
        waiting, marks = await self._reads.many([("HMGET", name, *due) for name in names])
        found = []
        for kept, mark in zip(waiting, marks, strict=True):
            if kept is not None and mark is not None:
                one = decode_waiting(kept)
                found.append(Begun(one.order, decode_mark(mark), retry=True, failed=one.failed))
        return found

    async def _sent(self, begun: Sequence[Begun]) -> list[Wanted]:
        """Hand over what is still owed and not in doubt. One record per order, whatever happened."""
        if not begun:
            return []
        records = Records(self._keys, self._clock.now().isoformat(timespec="milliseconds"))
        listed: list[Effect] = []
        ids = sorted({one.order.claim_id for one in begun})
        claims = dict(zip(ids, await self._claims.read(ids), strict=True))
        fresh = []
        for one, doubt in zip(begun, await self._doubts(begun), strict=True):
            if not is_owed(one.order, claims[one.order.claim_id]):
                records.ended(one, "not_owed")
            elif doubt is not None:
                why = f"not sent: message {doubt.decode()} of the bank says that this payment has left"
                listed.append(self._listed(records, one, "held", why))
            elif one.mark.begun < self._now() - int(self._options.key_hours * 3_600_000):
                listed.append(self._listed(records, one, "unconfirmed", TOO_OLD))
            else:
                fresh.append(one)
        wanted = await self._handed_over(fresh, records, listed, claims)
        return [*records.effects(), *listed, *wanted]

    async def _handed_over(
        self, fresh: Sequence[Begun], records: Records, listed: list[Effect], claims: Mapping[str, Claim | None]
    ) -> list[Wanted]:
        """The calls that the breaker lets pass; a final refusal fails the payment at once."""
        passing = self._breaker.allows(self._clock.monotonic())
        allowed = {Pass.ALL: len(fresh), Pass.ONE: 1, Pass.NONE: 0}[passing]
        wanted: list[Wanted] = []
        for one, answer in zip(fresh, await self._answered(fresh[:allowed]), strict=False):
            if isinstance(answer, OrderTaken):
                records.ended(one, "taken", reference=answer.reference)
            elif isinstance(answer, OrderRefused) and answer.doubtful:
                listed.append(self._listed(records, one, "held", answer.reason))
            elif isinstance(answer, OrderRefused):
                records.ended(one, "refused", reason=answer.reason)
                wanted += self._failed(one.order, answer.reason, claims[one.order.claim_id])
            elif one.failed + 1 >= self._options.attempts:
                listed.append(self._listed(records, one, "given_up", answer.reason))
            else:
                pause = delay(self._options.backoff, one.failed + 1, random.random())
                due = self._now() + int(max(pause, answer.retry_after or 0.0) * 1000)
                records.waits(one, due, one.failed + 1, answer.reason)
        for one in fresh[allowed:]:
            due = self._now() + int(self._breaker.seconds_left(self._clock.monotonic()) * 1000) + 1
            records.waits(one, due, one.failed, "the bank is left alone after failures in a row")
        return wanted

    async def _answered(self, begun: Sequence[Begun]) -> Sequence[OrderAnswer]:
        """A call per order, some at a time; the breaker takes note."""
        if not begun:
            return []
        await failpoints.reach("pay.marked")
        lines = asyncio.Semaphore(self._options.in_flight)

        async def call(order: PayoutOrder) -> OrderAnswer:
            async with lines:
                return await failpoints.sent("pay.sent", self._bank.pay(order))

        async with asyncio.TaskGroup() as calls:
            tasks = [calls.create_task(call(one.order), name=f"payout {one.order.key}") for one in begun]
        answers = [task.result() for task in tasks]
        await failpoints.reach("pay.replied")
        if any(isinstance(answer, OrderTaken | OrderRefused) for answer in answers):
            self._breaker.succeeded()
        else:
            self._breaker.failed(self._clock.monotonic())
        return answers

    async def _doubts(self, begun: Sequence[Begun]) -> list[bytes | None]:
        names = [one.order.payment_id for one in begun]
        found: list[bytes | None] = await self._reads.one("HMGET", self._keys.payment_doubts, *names)
        return found

    def _listed(self, records: Records, one: Begun, kind: reconciliation.Kind, reason: str) -> Effect:
        """An order that a person has to look at; the claim goes on waiting for its payment."""
        assert kind in ("held", "unconfirmed", "given_up")
        records.ended(one, kind, reason=reason)
        return reconciliation.put(self._keys, reconciliation.of_order(one.order, kind, reason, records.at))

    def _failed(self, order: PayoutOrder, reason: str, claim: Claim | None) -> list[Wanted]:
        """The payment failed for good with these details: people are told, and verify the payee again."""
        assert claim is not None, "it was found to be owed"
        zone = zone_of(claim.notice.jurisdiction)
        context = Context(now=self._timing.after(claim.updated_at), actor=BANK, rules=self._rules, zone=zone)
        outcome = decide(claim, FailPayment(payment_id=order.payment_id, reason=reason, retryable=False), context)
        if not isinstance(outcome, Accepted):
            return []
        identity = command_id("bank refused", order.key)
        unit, _ = self._log.append(claim, outcome, Cause(identity, identity, command_id=identity))
        return [unit]

    async def _messages(self) -> list[Wanted]:
        """What the bank said since the last look; the place moves on with what it brings."""
        now = self._clock.monotonic()
        if now < self._next_poll or self._breaker.allows(now) is Pass.NONE:
            return []
        self._next_poll = now + self._options.poll_seconds
        place = (await self._reads.one("GET", self._keys.bank_place) or b"").decode()
        try:
            messages, behind = await self._bank.messages(place, self._options.at_once)
        except BankUnavailable:
            self._breaker.failed(self._clock.monotonic())
            return []
        self._breaker.succeeded()
        if behind == place:
            return []
        if len(messages) >= self._options.at_once:
            self._next_poll = 0.0  # there is more
        return [*await self._answers.taken(messages), Put(self._keys.bank_place, behind)]

    def _now(self) -> int:
        """Milliseconds since 1970."""
        return int(self._clock.now().timestamp() * 1000)
