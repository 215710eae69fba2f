"""The dispatcher: a durable mark before each call, one key for ever, and nobody is blocked by anybody."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from runtime.backoff import BackoffOptions
from runtime.codec import OpenCodec
from runtime.effects import Park
from runtime.entry import Batch, EntryReader
from runtime.store.parking import DeadLetters
from tests.support.outbox import DecidedChannel, HandClock, Outbox, intent, outbox
from tests.support.store import command
from tests.support.waiting import until
from tests.support.windows import window
from workers.breaker import Breaker, BreakerOptions, Pass
from workers.dispatcher import Dispatcher, DispatcherOptions
from workers.keys import NOTIFICATION_LOG
from workers.ports import Delivered, OutboundMessage, Outcome, PermanentFailure, TemporaryFailure
from workers.verifying.notices_check import check_dispatch
from workers.verifying.places import stand
from workers.verifying.report import Findings

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from runtime.store.address import StoreAddress

STEADY = BackoffOptions(first_seconds=10.0, factor=1.0, cap_seconds=10.0)


def away(message: OutboundMessage) -> Outcome:
    return TemporaryFailure(message.key, "mailbox away", retry_after=10.0)


def tried(channel: DecidedChannel, identity: str, times: int) -> bool:
    return channel.keys.count(identity) == times


async def unmarked(box: Outbox) -> bool:
    return not await box.marks()


async def surplus(box: Outbox) -> list[str]:
    """What `verify` says of the records of the outbox."""
    log, findings = box.running.store.logs[NOTIFICATION_LOG].keys, Findings()
    place = await stand(box.running.store.commands, box.reads, log, 0)
    await check_dispatch(box.reads, place, box.keys, findings)
    return findings["dispatch"].first


async def test_an_intent_is_marked_delivered_and_recorded(store_address: StoreAddress) -> None:
    channel = DecidedChannel()
    async with outbox(store_address, channel) as box:
        identity = await box.add(*intent("CUST-1", lossDate="2025-02-01"))
        ended = await box.ended(identity)
        await box.at_rest()
        assert (ended.state, ended.attempts, ended.channel) == ("delivered", 1, "decided")
        assert ended.provider_ref == f"ref-{identity[:4]}"
        assert channel.keys == [identity]
        assert dict(channel.calls[0][0].params) == {"lossDate": "2025-02-01"}
        assert await box.marks() == await box.waiting() == set()


@window("W36")
async def test_the_mark_is_in_the_store_before_anybody_is_called(store_address: StoreAddress) -> None:
    channel = DecidedChannel()
    channel.open.clear()
    async with outbox(store_address, channel) as box:
        identity = await box.add(*intent("CUST-1"))
        await until(lambda: bool(channel.calls), what="the channel is called")
        assert await box.marks() == {identity}
        assert await box.outcome(identity) is None
        channel.open.set()
        await box.ended(identity)
        await box.at_rest()
        assert await box.marks() == set()


async def test_a_mark_of_a_call_that_is_out_is_no_record_too_many(store_address: StoreAddress) -> None:
    channel = DecidedChannel()
    channel.open.clear()
    async with outbox(store_address, channel) as box:
        await box.add(*intent("CUST-1"))
        await until(lambda: bool(channel.calls), what="the channel is called")
        assert await surplus(box) == []
        await command(box.running.store.commands, "HSET", box.keys.outbox_attempts, "nobody", "{}")
        assert await surplus(box) == ["outbox:attempts: 1 records of intents that are not in the outbox"]
        channel.open.set()
        await box.at_rest()


@window("W35")
async def test_a_crash_between_mark_and_outcome_sends_again_with_the_same_key(
    store_address: StoreAddress,
) -> None:
    """The first process dies in the call: its mark stays, its outcome was never written."""
    channel = DecidedChannel()
    async with outbox(store_address, channel) as box:
        reader = EntryReader("claimId", OpenCodec(), sequenced=False)
        fields = [part.encode() for part in intent("CUST-1")]
        batch = Batch(NOTIFICATION_LOG, 0, [reader.read((b"1-0", fields))])
        first = Dispatcher(box.keys, channel, box.reads, box.clock)
        mark = (await first.handle(batch))[0]
        await box.running.store.commands.hset(mark.key, mapping=dict(mark.fields))  # type: ignore[union-attr]
        await first.perform(batch)  # it was sent, and nobody wrote it down
        identity = await box.add(*intent("CUST-1"))
        ended = await box.ended(identity)
        assert channel.keys == [identity, identity]
        assert (ended.state, ended.attempts) == ("delivered", 2)
        await box.at_rest()


async def test_an_intent_that_is_read_twice_is_sent_once(store_address: StoreAddress) -> None:
    channel = DecidedChannel()
    async with outbox(store_address, channel) as box:
        identity = await box.add(*intent("CUST-1"))
        await box.ended(identity)
        await box.add(*intent("CUST-1"))
        other = await box.add(*intent("CUST-2"))
        await box.ended(other)
        await box.at_rest()
        assert channel.keys == [identity, other]


@window("W38")
async def test_a_failing_recipient_blocks_nobody_and_is_tried_again_when_it_is_time(
    store_address: StoreAddress,
) -> None:
    channel = DecidedChannel(lambda m: away(m) if m.recipient == "CUST-BAD" else Delivered(m.key, "r"))
    async with outbox(store_address, channel, DispatcherOptions(backoff=STEADY), batch=1) as box:
        bad = await box.add(*intent("CUST-BAD"))
        good = await box.add(*intent("CUST-1"))
        await box.ended(good)
        await box.at_rest()
        assert await box.waiting() == {bad}
        assert await box.outcome(bad) is None
        channel.answer = lambda message: Delivered(message.key, "late")
        assert channel.keys.count(bad) == 1
        box.clock.advance(10.0)
        ended = await box.ended(bad)
        assert (ended.state, ended.attempts) == ("delivered", 2)
        assert channel.keys.count(bad) == 2
        assert await box.waiting() == await box.marks() == set()
        assert await box.reads.one("ZCARD", box.keys.outbox_retries) == 0


async def test_a_recipient_that_never_answers_is_given_up_after_so_many_tries(
    store_address: StoreAddress,
) -> None:
    channel = DecidedChannel(lambda m: away(m) if m.recipient == "CUST-BAD" else Delivered(m.key, "r"))
    options = DispatcherOptions(attempts=3, backoff=STEADY, breaker=BreakerOptions(failures=1000))
    async with outbox(store_address, channel, options) as box:
        bad = await box.add(*intent("CUST-BAD"))
        for tries in (1, 2, 3):
            await until(partial(tried, channel, bad, tries), what=f"try {tries}")
            await until(lambda: unmarked(box), what="the outcome of the try is written")
            box.clock.advance(10.0)
        ended = await box.ended(bad)
        assert (ended.state, ended.attempts, ended.reason) == ("given_up", 3, "mailbox away")


async def test_what_can_never_be_delivered_is_recorded_at_once(store_address: StoreAddress) -> None:
    channel = DecidedChannel(lambda message: PermanentFailure(message.key, "no such mailbox"))
    async with outbox(store_address, channel) as box:
        ended = await box.ended(await box.add(*intent("CUST-1")))
        assert (ended.state, ended.reason) == ("refused", "no such mailbox")
        assert await box.waiting() == set()
        await box.at_rest()


async def test_urgent_intents_go_first(store_address: StoreAddress) -> None:
    channel = DecidedChannel()
    async with outbox(store_address, channel) as box:
        await box.running.stop()
        reader = EntryReader("claimId", OpenCodec(), sequenced=False)
        rows = [intent("CUST-1"), intent("CUST-2", lane="urgent"), intent("CUST-3")]
        entries = [reader.read((f"{n}-0".encode(), [part.encode() for part in row])) for n, row in enumerate(rows, 1)]
        batch = Batch(NOTIFICATION_LOG, 0, entries)
        dispatcher = Dispatcher(box.keys, channel, box.reads, box.clock)
        await dispatcher.handle(batch)
        await dispatcher.perform(batch)
    assert [message.recipient for message in channel.calls[0]] == ["CUST-2", "CUST-1", "CUST-3"]


async def test_a_channel_that_fails_in_a_row_is_left_alone_then_probed_with_one_message(
    store_address: StoreAddress,
) -> None:
    channel = DecidedChannel(away)
    options = DispatcherOptions(breaker=BreakerOptions(failures=2, open_seconds=30.0), backoff=STEADY)
    async with outbox(store_address, channel, options, batch=1) as box:
        ids = [await box.add(*intent(f"CUST-{n}")) for n in range(6)]
        await box.at_rest()
        assert len(channel.calls) == 2, "it was called although it was open"
        assert await box.waiting() == set(ids)
        channel.answer = lambda message: Delivered(message.key, "back")
        box.clock.advance(30.0)
        for identity in ids:
            await box.ended(identity)
        assert len(channel.calls[2]) == 1, "more than a probe went first"


@window("W35")
async def test_an_outcome_that_nobody_knows_is_left_to_a_person_once_the_key_is_forgotten(
    store_address: StoreAddress,
) -> None:
    channel = DecidedChannel()
    async with outbox(store_address, channel) as box:
        fields = intent("CUST-1")
        old = b'{"attempt":1,"begun":0}'
        await box.running.store.commands.hset(box.keys.outbox_attempts, fields[1], old)
        ended = await box.ended(await box.add(*fields))
        assert ended.state == "unconfirmed"
        assert channel.calls == []
        await box.at_rest()


async def test_a_channel_that_hangs_is_a_failure_for_now(store_address: StoreAddress) -> None:
    channel = DecidedChannel()
    channel.open.clear()
    async with outbox(store_address, channel, DispatcherOptions(call_seconds=0.05)) as box:
        identity = await box.add(*intent("CUST-1"))
        await box.at_rest()
        assert await box.waiting() == {identity}


async def test_what_is_no_intent_is_parked_with_a_reason_and_the_rest_goes_on(
    store_address: StoreAddress, commands: Redis
) -> None:
    channel = DecidedChannel()
    async with outbox(store_address, channel) as box:
        await box.add(*intent("CUST-1", event="e-0")[:8], "data", "{}")
        strange = list(intent("CUST-1", event="e-1"))
        strange[9] = '{"recipient": 7}'
        await box.add(*strange)
        good = await box.add(*intent("CUST-2"))
        await box.ended(good)
        await box.at_rest()
        store = box.running.store
        dead = DeadLetters(store.commands, store.reads, store.logs[NOTIFICATION_LOG].keys)
        letters = await dead.listed("dispatchers")
        assert len(letters) == 2
        assert "does not fit" in letters[1].reason
        assert channel.keys == [good]


async def test_what_is_no_intent_is_parked_also_when_the_reading_of_its_batch_was_forgotten(
    store_address: StoreAddress,
) -> None:
    async with outbox(store_address, DecidedChannel()) as box:
        await box.running.stop()
        reader = EntryReader("claimId", OpenCodec(), sequenced=False)
        rows = [intent("CUST-1"), ("eventType", "something.else", "claimId", "C", "data", "{}", "version", "1.0")]
        good, bad = (reader.read((f"{n}-0".encode(), [part.encode() for part in row])) for n, row in enumerate(rows))
        dispatcher = Dispatcher(box.keys, DecidedChannel(), box.reads, box.clock)
        first, second = Batch(NOTIFICATION_LOG, 0, [bad, good]), Batch(NOTIFICATION_LOG, 0, [good])
        await dispatcher.handle(first)
        dispatcher.forget()
        assert [one for one in await dispatcher.perform(first) if isinstance(one, Park)][0].entry_id == bad.id
        await dispatcher.handle(first)
        await dispatcher.handle(second)
        assert not any(isinstance(one, Park) for one in await dispatcher.perform(second))


async def test_sealed_values_never_reach_a_channel(store_address: StoreAddress) -> None:
    channel = DecidedChannel()
    async with outbox(store_address, channel) as box:
        await box.ended(await box.add(*intent("CUST-1", reason="enc:v1:abc", deep={"a": ["enc:v1:x"]}, code="C1")))
        await box.at_rest()
    assert dict(channel.calls[0][0].params) == {"code": "C1"}


def test_a_breaker_opens_after_failures_in_a_row_and_closes_with_the_first_success() -> None:
    breaker = Breaker(BreakerOptions(failures=2, open_seconds=30.0))
    clock = HandClock()
    breaker.failed(clock.monotonic())
    breaker.succeeded()
    breaker.failed(clock.monotonic())
    assert breaker.allows(clock.monotonic()) is Pass.ALL
    breaker.failed(clock.monotonic())
    assert breaker.allows(clock.monotonic()) is Pass.NONE
    assert breaker.seconds_left(clock.monotonic()) == 30.0
    clock.advance(30.0)
    assert breaker.allows(clock.monotonic()) is Pass.ONE
    breaker.failed(clock.monotonic())
    assert breaker.allows(clock.monotonic()) is Pass.NONE
    clock.advance(30.0)
    breaker.succeeded()
    assert breaker.allows(clock.monotonic()) is Pass.ALL
