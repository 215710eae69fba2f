"""Performs intents through a channel: at least once, with the intent's id as idempotency key.

    mark (settled) -> deliver -> outcome (settled)

A crash between the mark and the outcome sends again with the same key. A temporary failure moves the intent
to the retry set with a due time, and the position goes on: a failing recipient blocks nobody. A retry is
marked in one tick and sent in the next one, so that it too is never begun without a durable mark.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import msgspec

from runtime import failpoints
from runtime.actor import Actor
from runtime.backoff import BackoffOptions, delay
from runtime.effects import HashSet, Park, SortedSetRemove
from runtime.errors import Unreadable
from workers.breaker import Breaker, BreakerOptions, Pass
from workers.keys import NOTIFICATION_LOG
from workers.outbox import Mark, Message, Waiting, decode_mark, decode_waiting, encode_record, message_of
from workers.ports import Delivered, PermanentFailure, TemporaryFailure
from workers.sending import Begun, Records

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runtime.clock import Clock
    from runtime.effects import Effect, Effects
    from runtime.entry import Batch
    from runtime.store.reads import Reads
    from workers.keys import ClaimKeys
    from workers.ports import Channel, Outcome


TOO_OLD = "begun, outcome unknown, and the key is too old by now"


class DispatcherOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How intents are sent."""

    attempts: int = 12
    """Tries of one intent before it is given up. Reason: with the backoff below that is about two hours."""
    backoff: BackoffOptions = BackoffOptions(first_seconds=4.0, factor=2.0, cap_seconds=1800.0)
    """Waits between the tries."""
    breaker: BreakerOptions = BreakerOptions()
    """When the channel is left alone."""
    call_seconds: float = 30.0
    """Seconds that one call of the channel may take; then all of it counts as failed for now."""
    key_hours: float = 24.0
    """Hours that the provider remembers a key. An unknown outcome older than that is left to a person."""
    at_once: int = 500
    """Retries that are looked at in one tick."""


class Dispatcher(Actor):
    """Reads `claims:notifications` as `dispatchers`; its entries carry no sequence, so it adopts them."""

    name: ClassVar[str] = "dispatcher"
    group: ClassVar[str] = "dispatchers"
    log: ClassVar[str] = NOTIFICATION_LOG
    adopts: ClassVar[bool] = True

    def __init__(
        self,
        keys: ClaimKeys,
        channel: Channel,
        reads: Reads,
        clock: Clock,
        options: DispatcherOptions | None = None,
    ) -> None:
        """`reads` is asked for the dispatcher's own records alone."""
        self._keys = keys
        self._channel = channel
        self._reads = reads
        self._clock = clock
        self._options = options or DispatcherOptions()
        self._breaker = Breaker(self._options.breaker)
        self._begun: list[Begun] = []
        self._reading: Reading | None = None

    async def handle(self, batch: Batch) -> Effects:
        """The mark: which intents are begun now. Settled before `perform` calls anybody."""
        messages = self._read(batch).messages
        await failpoints.reach("dispatch.before")
        ended, waiting, marks = await self._known(list(messages))
        now = self._now()
        self._begun = [
            Begun(message, _next_mark(marks.get(identity), now))
            for identity, message in messages.items()
            if identity not in ended and identity not in waiting
        ]
        return self._marking(self._begun)

    async def perform(self, batch: Batch) -> Effects:
        """The calls, and how they ended."""
        begun, self._begun = self._begun, []
        unreadable = self._read(batch).unreadable
        self._reading = None
        return [*unreadable, *await self._sent(begun)]

    async def tick(self, partition: int) -> Effects:
        """Send the retries that were marked before; mark those that are due."""
        del partition
        due = await self._reads.one(
            "ZRANGEBYSCORE", self._keys.outbox_retries, "-inf", self._now(), "LIMIT", 0, self._options.at_once
        )
        if not due:
            return []
        identities = [identity.decode() for identity in due]
        _, waiting, marks = await self._known(identities)
        lost = tuple(identity for identity in identities if identity not in waiting)
        marked = [
            Begun(one.message, decode_mark(marks[identity]), retry=True, failed=one.failed)
            for identity, one in waiting.items()
            if identity in marks
        ]
        unmarked = [
            Begun(one.message, Mark(one.failed + 1, self._now()), retry=True, failed=one.failed)
            for identity, one in waiting.items()
            if identity not in marks
        ]
        gone = [SortedSetRemove(self._keys.outbox_retries, lost)] if lost else []
        return [*gone, *self._marking(unmarked), *await self._sent(marked)]

    def forget(self) -> None:
        """What was marked is read from the marks again."""
        self._begun = []
        self._reading = None

    def _read(self, batch: Batch) -> Reading:
        """What a batch holds; read once for `handle` and `perform`."""
        if self._reading is None or self._reading.batch is not batch:
            self._reading = _read(batch)
        return self._reading

    async def _known(self, identities: list[str]) -> tuple[set[str], dict[str, Waiting], dict[str, bytes]]:
        """Of these intents: which have ended, which wait for another try, and the open marks."""
        if not identities:
            return set(), {}, {}
        keys = (self._keys.outbox_outcomes, self._keys.outbox_waiting, self._keys.outbox_attempts)
        rows = await self._reads.many([("HMGET", key, *identities) for key in keys])
        ended, waiting, marks = (
            {identity: value for identity, value in zip(identities, row, strict=True) if value is not None}
            for row in rows
        )
        return set(ended), {name: decode_waiting(value) for name, value in waiting.items()}, marks

    def _marking(self, begun: Sequence[Begun]) -> list[Effect]:
        if not begun:
            return []
        fields = {one.message.id: encode_record(one.mark) for one in begun}
        return [HashSet(self._keys.outbox_attempts, fields)]

    async def _sent(self, begun: Sequence[Begun]) -> list[Effect]:
        """Call the channel for what may be called now, urgent first. One record per intent, whatever
        happened.
        """
        if not begun:
            return []
        at = self._clock.now().isoformat(timespec="milliseconds")
        records = Records(self._keys, self._channel.name, at)
        oldest = self._now() - int(self._options.key_hours * 3_600_000)
        fresh: list[Begun] = []
        for one in sorted(begun, key=lambda one: not one.message.urgent):
            if one.mark.begun < oldest:
                records.ended(one, "unconfirmed", reason=TOO_OLD)
            else:
                fresh.append(one)
        passing = self._breaker.allows(self._monotonic())
        allowed = {Pass.ALL: len(fresh), Pass.ONE: 1, Pass.NONE: 0}[passing]
        outcomes = await self._delivered(fresh[:allowed])
        for one, outcome in zip(fresh[:allowed], outcomes, strict=True):
            self._record(records, one, outcome)
        for one in fresh[allowed:]:
            again = self._now() + int(self._breaker.seconds_left(self._monotonic()) * 1000)
            records.waits(one, again, one.failed, "the channel is left alone after failures in a row")
        return records.effects()

    def _record(self, records: Records, one: Begun, outcome: Outcome) -> None:
        if isinstance(outcome, Delivered):
            records.ended(one, "delivered", provider_ref=outcome.provider_ref)
        elif isinstance(outcome, PermanentFailure):
            records.ended(one, "refused", reason=outcome.reason)
        elif one.failed + 1 >= self._options.attempts:
            records.ended(one, "given_up", reason=outcome.reason)
        else:
            records.waits(one, self._again_at(one.failed + 1, outcome), one.failed + 1, outcome.reason)

    def _again_at(self, failed: int, outcome: TemporaryFailure) -> int:
        """When to try again: after the backoff, and never before the channel said that it makes sense."""
        pause = max(delay(self._options.backoff, failed, random.random()), outcome.retry_after or 0.0)
        return self._now() + int(pause * 1000)

    async def _delivered(self, begun: Sequence[Begun]) -> Sequence[Outcome]:
        """One call of the channel; the breaker takes note of it."""
        if not begun:
            return []
        messages = [one.message.outbound() for one in begun]
        await failpoints.reach("dispatch.marked")
        outcomes: Sequence[Outcome]
        try:
            async with asyncio.timeout(self._options.call_seconds):
                outcomes = await failpoints.sent("dispatch.sent", self._channel.deliver(messages))
        except TimeoutError:
            why = f"no answer within {self._options.call_seconds:g} s"
            outcomes = [TemporaryFailure(message.key, why) for message in messages]
        await failpoints.reach("dispatch.replied")
        if all(isinstance(outcome, TemporaryFailure) for outcome in outcomes):
            self._breaker.failed(self._monotonic())
        else:
            self._breaker.succeeded()
        return outcomes

    def _now(self) -> int:
        """Milliseconds since 1970."""
        return int(self._clock.now().timestamp() * 1000)

    def _monotonic(self) -> float:
        return self._clock.monotonic()


class Reading(NamedTuple):
    """The intents of a batch by id, each once, and the entries that are none."""

    batch: Batch
    messages: Mapping[str, Message]
    unreadable: Sequence[Park]


def _read(batch: Batch) -> Reading:
    messages: dict[str, Message] = {}
    unreadable: list[Park] = []
    for entry in batch.entries:
        try:
            message = message_of(entry)
        except Unreadable as problem:
            unreadable.append(Park(entry.id, str(problem)))
        else:
            messages.setdefault(message.id, message)
    return Reading(batch, messages, unreadable)


def _next_mark(before: bytes | None, now: int) -> Mark:
    """The mark of one more try; an open mark says that a try began and nobody knows how it ended."""
    if before is None:
        return Mark(1, now)
    open_mark = decode_mark(before)
    return Mark(open_mark.attempt + 1, open_mark.begun)
