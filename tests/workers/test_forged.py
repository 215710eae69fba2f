"""An entry that was written past append is chained and named once; what append wrote is never suspected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from config.loading import load
from runtime.entry import Batch, EntryReader
from runtime.signals import EntryForged, Signal
from runtime.store.histories import LAST_SEQUENCE, Histories
from runtime.store.keys import Keyspace
from tests.support.claim_entries import CODEC, claim_actor, claimed_as, fields_of
from tests.support.claims import Story
from tests.support.store import command
from workers.auditor import Auditor
from workers.cli.diagnosis import diagnose
from workers.keys import CLAIM_LOG, claim_log

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from runtime.entry import Entry
    from runtime.store.address import StoreAddress
    from runtime.store.reads import Reads
    from workers.keys import ClaimKeys

KEYS = Keyspace(claim_log(1))


async def test_a_forged_fact_is_chained_and_raises_the_alarm_once_and_honest_ones_raise_none(
    store_address: StoreAddress, commands: Redis
) -> None:
    told: list[Signal] = []

    def auditor(keys: ClaimKeys, reads: Reads) -> Auditor:
        return Auditor(keys, reads, Histories(commands, KEYS, 0), tell=told.append)

    story = Story().submit()
    async with claim_actor(store_address, auditor, "auditors", batch=3) as one:
        await one.append(story.facts)
        await one.append(claimed_as(story.facts, "CLM-TEST0002"))
        await command(commands, "XADD", CLAIM_LOG, "*", "eventType", "claim.submitted", "claimId", "CLM-RAW")
        await one.at_rest()
        assert (told, await command(commands, "EXISTS", one.keys.forged)) == ([], 0)

        last = story.facts[-1]
        next_one = replace(last, sequence=last.sequence + 1)
        forged = [await command(commands, "XADD", CLAIM_LOG, "*", *fields_of(fact)) for fact in (next_one, last)]
        await one.append(claimed_as(story.facts, "CLM-TEST0003"))
        await one.at_rest()
        named = [signal.entry_id.encode() for signal in told if isinstance(signal, EntryForged)]
        assert named == forged
        rows = [fields async for _, fields in one.store.reads.stream(one.keys.forged)]
        assert [(row[1], int(row[5])) for row in rows] == [(forged[0], next_one.sequence), (forged[1], last.sequence)]
        chain = await one.hash(one.keys.chain)
        assert int(chain["count"]) == await command(commands, "XLEN", CLAIM_LOG), "it is chained like any other"
        assert await command(commands, "EXISTS", KEYS.parked("auditors")) == 0


async def test_a_batch_that_is_handled_again_is_named_again_and_told_once(
    store_address: StoreAddress, commands: Redis
) -> None:
    told: list[Signal] = []
    async with claim_actor(store_address, lambda keys, reads: Auditor(keys, reads, Histories(commands, KEYS, 0)),
                           "auditors") as one:  # fmt: skip
        actor = Auditor(one.keys, one.store.reads, Histories(commands, KEYS, 0), tell=told.append)
        batch = Batch(CLAIM_LOG, 0, [read(fields_of(Story().submit().facts[0]))])
        first = await actor.handle(batch)
        actor.forget()
        again = await actor.handle(batch)
    assert first == again
    assert len(told) == 1


async def test_entries_of_a_log_that_was_trimmed_and_replayed_are_not_suspected(
    store_address: StoreAddress, commands: Redis
) -> None:
    histories = Histories(commands, KEYS, 0)
    async with claim_actor(store_address, lambda keys, reads: Auditor(keys, reads, histories), "auditors") as one:
        await one.append(Story().submit().facts)
        await one.at_rest()
        reader = EntryReader("claimId", CODEC)
        archived = [reader.read(row) async for row in one.store.reads.stream(CLAIM_LOG)]
        await command(commands, "XTRIM", CLAIM_LOG, "MAXLEN", 1)
        assert await histories.forged(archived) == []
        assert await histories.forged([*archived[1:], read(fields_of(Story().submit().facts[0]))]) != []


async def test_a_sequence_without_a_place_and_a_key_that_is_no_history_are_forged(commands: Redis) -> None:
    facts = Story().submit().facts
    await command(commands, "SET", KEYS.history("CLM-TEST0009"), "no list")
    far = read(fields_of(replace(facts[0], sequence=LAST_SEQUENCE + 1)))
    no_list = read(fields_of(claimed_as(facts[:1], "CLM-TEST0009")[0]))
    two = Keyspace(claim_log(2))
    elsewhere = Histories(commands, two, 1 - two.partition_of(facts[0].claim_id))
    assert await Histories(commands, KEYS, 0).forged([far, no_list]) == [far, no_list]
    assert await elsewhere.forged([read(fields_of(facts[0]))]) != []


def read(fields: tuple[str, ...]) -> Entry:
    """An entry with these fields, as a reader would see it."""
    return EntryReader("claimId", CODEC).read((b"1800000000000-0", [part.encode() for part in fields]))


async def test_doctor_names_forged_entries_as_a_failure(store_address: StoreAddress, commands: Redis) -> None:
    async with claim_actor(store_address, lambda keys, reads: Auditor(keys, reads, Histories(commands, KEYS, 0)),
                           "auditors") as one:  # fmt: skip
        assert await doctor_says(commands, store_address) == ("ok", "nothing")
        await command(commands, "XADD", CLAIM_LOG, "*", *fields_of(Story().submit().facts[0]))
        await one.at_rest()
        level, seen = await doctor_says(commands, store_address)
    assert (level, seen[:9]) == ("fail", "1 entries")


async def doctor_says(commands: Redis, address: StoreAddress) -> tuple[str, str]:
    """Level and text of doctor's line about forged entries."""
    findings = await diagnose(commands, load("test", environment={}), address)
    (found,) = [one for one in findings if one.name == "forged"]
    return found.level, found.seen
