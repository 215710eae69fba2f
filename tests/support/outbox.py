"""An outbox on a real store with a dispatcher at work, and a channel whose answers a test decides."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from domain.notices import Intent
from runtime.codec import OpenCodec
from runtime.plan import ActorPlan, ClusterPlan, LogPlan
from runtime.store.clients import open_commands
from runtime.store.keys import Keyspace
from runtime.store.position import look
from runtime.store.reads import Reads
from tests.support.hosts import QUICK, running_host
from tests.support.store import command
from tests.support.waiting import until
from workers.dispatcher import Dispatcher, DispatcherOptions
from workers.keys import NOTIFICATION_LOG, ClaimKeys, claim_log, notification_log
from workers.outbox import Ended, Source, decode_ended, intent_fields
from workers.ports import Delivered, OutboundMessage, Outcome

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from domain.notices import Lane
    from runtime.store.address import StoreAddress
    from tests.support.hosts import RunningHost


class HandClock:
    """A clock that goes on when a test says so."""

    def __init__(self) -> None:
        self._now = datetime(2025, 2, 10, 9, 0, tzinfo=UTC)
        self._monotonic = 0.0

    def now(self) -> datetime:
        """The time of the day."""
        return self._now

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds


class DecidedChannel:
    """Answers what `answer` says; writes down every call."""

    name = "decided"

    def __init__(self, answer: Callable[[OutboundMessage], Outcome] | None = None) -> None:
        self.answer = answer or (lambda message: Delivered(message.key, f"ref-{message.key[:4]}"))
        self.calls: list[list[OutboundMessage]] = []
        self.open = asyncio.Event()
        self.open.set()

    @property
    def keys(self) -> list[str]:
        """The keys of everything that it was asked to deliver, in order."""
        return [message.key for call in self.calls for message in call]

    async def deliver(self, messages: Sequence[OutboundMessage]) -> Sequence[Outcome]:
        """Note, wait while it is shut, answer."""
        self.calls.append(list(messages))
        await self.open.wait()
        return [self.answer(message) for message in messages]

    async def aclose(self) -> None:
        """Nothing is held."""


def intent(recipient: str, *, event: str = "e-1", lane: Lane = "normal", **fields: object) -> tuple[str, ...]:
    """The entry of an intent to somebody."""
    told = Intent("claimant", recipient, "claimant.received", lane, dict(fields))
    source = Source(event, "claim.submitted", "CLM-TEST0001", "2025-02-10T09:00:00.000Z", "c", "")
    return intent_fields(told, source)


class Outbox:
    """A dispatcher at work on an outbox of one partition."""

    def __init__(self, running: RunningHost, reads: Reads, keys: ClaimKeys, clock: HandClock) -> None:
        """Made by `outbox`."""
        self.running = running
        self.reads = reads
        self.keys = keys
        self.clock = clock

    async def add(self, *fields: str) -> str:
        """Write an entry as the notifier does; the id of the intent."""
        await command(self.running.store.commands, "XADD", NOTIFICATION_LOG, "*", *fields)
        return fields[1]

    async def at_rest(self) -> None:
        """Wait until every entry is settled; retries may wait for their time."""
        log = self.running.store.logs[NOTIFICATION_LOG].keys

        async def resting() -> bool:
            return (await look(self.running.store.commands, log, Dispatcher.group, 0)).at_rest

        await until(resting, what="the outbox at rest")

    async def outcome(self, identity: str) -> Ended | None:
        """How an intent ended; None when it has not."""
        record = await self.reads.one("HGET", self.keys.outbox_outcomes, identity)
        return decode_ended(record) if record else None

    async def ended(self, identity: str) -> Ended:
        """Wait until an intent has ended."""
        found = await until(lambda: self.outcome(identity), what=f"{identity} has ended")
        assert found is not None
        return found

    async def waiting(self) -> set[str]:
        """The intents that wait for another try."""
        return {name.decode() for name in await self.reads.one("HKEYS", self.keys.outbox_waiting)}

    async def marks(self) -> set[str]:
        """The intents that were begun and whose outcome is not known."""
        return {name.decode() for name in await self.reads.one("HKEYS", self.keys.outbox_attempts)}


@asynccontextmanager
async def outbox(
    address: StoreAddress,
    channel: DecidedChannel,
    options: DispatcherOptions | None = None,
    *,
    clock: HandClock | None = None,
    batch: int = 50,
) -> AsyncIterator[Outbox]:
    """A dispatcher at work in this process."""
    clock = clock or HandClock()
    client = open_commands(address, max_connections=4)
    keys, reads = ClaimKeys(Keyspace(claim_log(1)), 0), Reads(client)

    def build(_: int) -> Dispatcher:
        return Dispatcher(keys, channel, reads, clock, options)

    plan = ClusterPlan(
        [LogPlan(notification_log(1), OpenCodec())],
        [ActorPlan("dispatcher", "dispatchers", NOTIFICATION_LOG, build)],
    )
    serving = replace(QUICK.serving, read=replace(QUICK.serving.read, batch=batch))
    try:
        async with running_host(address, plan=plan, options=replace(QUICK, serving=serving)) as running:
            yield Outbox(running, reads, keys, clock)
    finally:
        await client.aclose()
