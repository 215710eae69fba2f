"""The notifier: who is told what, once, and what a claimant never hears."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from domain.commands import ApproveClaim
from domain.notices import CLAIMANT_SIDE, MATRIX, RESTRICTED
from domain.privacy import BODIES, Treatment
from runtime.effects import StreamAdd
from runtime.store.keys import Keyspace
from tests.support.claim_entries import batch_of, claim_actor
from tests.support.claims import ADJUSTER_II, Story
from tests.support.rows import row
from tests.support.store import command
from workers.keys import ClaimKeys, claim_log
from workers.notifier import Notifier
from workers.outbox import StoredIntent, intent_id

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from domain.events import Fact
    from runtime.store.address import StoreAddress

KEYS = ClaimKeys(Keyspace(claim_log(1)), 0)


async def intents_of(facts: list[Fact]) -> list[dict[str, str]]:
    wanted = await Notifier(KEYS).handle(batch_of(facts))
    assert all(isinstance(effect, StreamAdd) and effect.key == "claims:notifications" for effect in wanted)
    fields = [[str(part) for part in effect.fields] for effect in wanted if isinstance(effect, StreamAdd)]
    return [dict(zip(one[::2], one[1::2], strict=True)) for one in fields]


def approved() -> list[Fact]:
    return Story().submit().do(ApproveClaim(), ADJUSTER_II).facts


async def test_an_intent_names_its_cause_and_subjects_and_no_address() -> None:
    first = (await intents_of(Story().submit().facts))[0]
    batch = batch_of(Story().submit().facts)
    assert list(first)[:11] == [
        "eventId", "eventType", "claimId", "timestamp", "data", "version", "sequence", "correlationId",
        "causationId", "actor", "traceparent",
    ]  # fmt: skip
    assert first["eventType"] == "notification.requested"
    assert first["causationId"] == batch.entries[0].event_id
    assert first["lane"] == "normal"
    stored = msgspec.json.decode(first["data"], type=StoredIntent)
    assert (stored.recipient, stored.recipient_id, stored.template) == ("claimant", "CUST-1", "claimant.received")
    assert stored.fields == {"policyNumber": "POL-1", "lossDate": "2025-02-01"}


async def test_a_fact_that_is_read_again_gives_the_same_intents() -> None:
    assert await intents_of(approved()) == await intents_of(approved())


async def test_every_cut_into_batches_gives_the_same_intents() -> None:
    facts = approved()
    whole = await intents_of(facts)
    apart = [intent for fact in facts for intent in await intents_of([fact])]
    assert whole == apart


async def test_identities_differ_by_event_recipient_and_template() -> None:
    ids = {
        intent_id("e1", "claimant", "CUST-1", "t"),
        intent_id("e2", "claimant", "CUST-1", "t"),
        intent_id("e1", "claimant", "CUST-2", "t"),
        intent_id("e1", "claimant", "CUST-1", "u"),
        intent_id("e1", "broker", "CUST-1", "t"),
    }
    assert len(ids) == 5
    every = await intents_of(approved())
    assert len({intent["eventId"] for intent in every}) == len(every)


async def test_urgent_claims_speak_in_their_own_lane_first_by_sms() -> None:
    urgent = await intents_of(Story().submit(priority="urgent").facts)
    assert {intent["lane"] for intent in urgent} == {"urgent"}
    assert msgspec.json.decode(urgent[0]["data"])["channel"] == "sms"


@pytest.mark.parametrize("event_type", sorted(MATRIX))
def test_no_claimant_template_carries_a_restricted_field(event_type: str) -> None:
    for template in MATRIX[event_type]:
        if template.audience in CLAIMANT_SIDE:
            assert not RESTRICTED & set(template.fields), template.id
            assert not template.restricted, template.id


@pytest.mark.parametrize("event_type", sorted(MATRIX))
def test_no_template_to_the_claimants_side_carries_a_sealed_field_of_somebody_else(event_type: str) -> None:
    sealed = {field.path for field in BODIES[event_type] if field.treatment is not Treatment.CLEAR and field.owner}
    for template in MATRIX[event_type]:
        if template.audience in CLAIMANT_SIDE:
            assert not sealed & set(template.fields), template.id


async def test_a_referral_to_the_investigators_is_never_told_to_the_claimant() -> None:
    from datetime import date

    from tests.support.claims import policy, usd

    new = policy(effective=date(2015, 1, 9), deductible=usd(2000), limit=usd(100_000))
    story = Story(policy=new).submit(loss_date=date(2015, 1, 15), claimed=usd(100), injured_count=1, severity="trivial")
    assert "siu.referred" in story.types
    referral = [fact for fact in story.facts if fact.type == "claim.siu.referred"]
    told: list[dict[str, Any]] = [msgspec.json.decode(intent["data"]) for intent in await intents_of(referral)]
    assert {one["recipient"] for one in told} == {"siu", "legal"}


@row("S22", "S24")
async def test_the_outbox_grows_by_each_intent_once_through_a_group_that_was_set_back(
    store_address: StoreAddress, commands: Redis
) -> None:
    facts = approved()
    declared = len(await intents_of(facts))
    async with claim_actor(store_address, lambda keys, _: Notifier(keys), "notifications") as one:
        await one.append(facts)
        await one.at_rest()
        assert await command(commands, "XLEN", "claims:notifications") == declared
        assert await command(commands, "TYPE", "claims:notifications") in (b"stream", "stream")
        await command(commands, "XGROUP", "SETID", "claims:events", "notifications", "0")
        await one.at_rest()
        assert await command(commands, "XLEN", "claims:notifications") == declared
