"""The cache invalidator: stale views go, floors rise and never sink, hints are sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.commands import AddNote
from runtime.effects import Delete, Publish, Raise
from runtime.store.keys import Keyspace
from tests.support.claim_entries import batch_of, claim_actor, claimed_as
from tests.support.claims import ADJUSTER, Story
from tests.support.store import command
from tests.support.windows import window
from workers.cache_invalidator import FLOOR_TTL_MS, CacheInvalidator
from workers.keys import ClaimKeys, claim_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from domain.events import Fact
    from runtime.effects import Wanted
    from runtime.store.address import StoreAddress

KEYS = ClaimKeys(Keyspace(claim_log(1)), 0)
FIRST_MS = 1_700_000_000_000


async def test_a_batch_raises_one_floor_per_subject_to_its_newest_fact() -> None:
    facts = Story().submit().facts
    wanted = await CacheInvalidator(KEYS).handle(batch_of(facts))
    floors = {effect.key: effect.value for effect in wanted if isinstance(effect, Raise)}
    newest = FIRST_MS + len(facts)
    assert floors == {
        "view:floor:claim:CLM-TEST0001": facts[-1].sequence,
        "view:floor:policy:POL-1": newest,
        "view:floor:customer:CUST-1": newest,
        "view:floor:totals": newest,
    }
    assert all(effect.ttl_ms == FLOOR_TTL_MS for effect in wanted if isinstance(effect, Raise))
    gone = [effect.key for effect in wanted if isinstance(effect, Delete)]
    assert len(gone) == len(set(gone))
    assert {"claims:claim:CLM-TEST0001", "policy:POL-1", "customer:CUST-1_complete"} <= set(gone)


async def test_a_new_claim_has_no_view_of_its_own_that_could_be_stale() -> None:
    wanted = await CacheInvalidator(KEYS).handle(batch_of(Story().submit().facts[:1]))
    assert "claims:claim:CLM-TEST0001" not in {effect.key for effect in wanted if isinstance(effect, Delete)}
    assert "view:floor:totals" in {effect.key for effect in wanted if isinstance(effect, Raise)}


async def test_the_views_of_claim_policy_claimant_and_totals_go() -> None:
    wanted = await CacheInvalidator(KEYS).handle(batch_of(Story().submit().facts))
    assert _outcome(wanted).gone == {
        "claims:claim:CLM-TEST0001",
        "claims:policy:POL-1:claims:CLM-TEST0001",
        "claims:policy:POL-1:all_claims",
        "policy:POL-1",
        "customer:CUST-1",
        "customer:CUST-1_complete",
        "gateway:customer_profile:CUST-1",
        "claims:claims_stats",
        "gateway:dashboard_summary",
    }


async def test_a_note_makes_no_view_stale() -> None:
    noted = Story().submit().do(AddNote(kind="call"), ADJUSTER).facts[-1:]
    assert [fact.type for fact in noted] == ["claim.note.added"]
    assert await CacheInvalidator(KEYS).handle(batch_of(noted)) == []


@settings(max_examples=30, deadline=None)
@given(st.data())
async def test_a_batch_of_mixed_claims_wants_what_its_facts_want_one_by_one(data: st.DataObject) -> None:
    facts = _mixed(data)
    together = await CacheInvalidator(KEYS).handle(batch_of(facts))
    alone = [
        await CacheInvalidator(KEYS).handle(batch_of([fact], first_ms=FIRST_MS + n)) for n, fact in enumerate(facts)
    ]
    assert _outcome(together) == _outcome([effect for effects in alone for effect in effects])
    (hint,) = [effect for effect in together if isinstance(effect, Publish)]
    assert json.loads(hint.message)["keys"] == [effect.key for effect in together if isinstance(effect, Delete)]


class Outcome(NamedTuple):
    """What effects come to: the highest floor by key, the keys that go, the newest version of the hints."""

    floors: dict[str, int]
    gone: set[str]
    version: int


def _outcome(wanted: Sequence[Wanted]) -> Outcome:
    floors: dict[str, int] = {}
    for effect in wanted:
        if isinstance(effect, Raise):
            floors[effect.key] = max(effect.value, floors.get(effect.key, 0))
    gone = {effect.key for effect in wanted if isinstance(effect, Delete)}
    return Outcome(floors, gone, max(json.loads(one.message)["version"] for one in wanted if isinstance(one, Publish)))


def _mixed(data: st.DataObject) -> list[Fact]:
    """Facts of three claims, each claim's in order; two share policy and claimant, one names no policy."""
    notes = [Story().submit().facts for _ in range(3)]
    notes[2] = [replace(fact, body=replace(fact.body, policy_number="")) for fact in notes[2]]
    lines = [claimed_as(facts, f"CLM-MIXED00{n}") for n, facts in enumerate(notes)]
    turns = data.draw(st.permutations([n for n, line in enumerate(lines) for _ in line]))
    left = [iter(line) for line in lines]
    return [next(left[n]) for n in turns]


async def test_a_batch_of_new_claims_fits_into_one_settle() -> None:
    notice = Story().submit().facts[:1]
    facts = [fact for number in range(500) for fact in claimed_as(notice, f"CLM-TEST{number:04d}")]
    wanted = await CacheInvalidator(KEYS).handle(batch_of(facts))
    assert len(wanted) < 5000


async def test_the_hint_names_keys_count_version_and_time() -> None:
    wanted = await CacheInvalidator(KEYS).handle(batch_of(Story().submit().facts))
    (hint,) = [effect for effect in wanted if isinstance(effect, Publish)]
    assert hint.key == "cache:invalidation"
    said = json.loads(hint.message)
    assert said["operation"] == "DELETE"
    assert said["count"] == len(said["keys"])
    assert said["key"] == said["keys"][0]
    assert said["version"] == said["timestamp"] + 1


@window("W40")
async def test_a_view_that_is_filled_slowly_is_below_the_floor(store_address: StoreAddress, commands: Redis) -> None:
    async with claim_actor(store_address, lambda keys, _: CacheInvalidator(keys), "cache-invalidators") as one:
        began = int(str(await command(commands, "XADD", "clock", "*", "a", "b"), "ascii").partition("-")[0])
        await command(commands, "DEL", "clock")
        await command(commands, "SET", "policy:POL-1", "read before the facts")
        facts = Story().submit().facts
        await one.append(facts)
        await one.at_rest()
        assert await command(commands, "EXISTS", "policy:POL-1") == 0
        assert int(await command(commands, "GET", "view:floor:policy:POL-1")) > began
        assert int(await command(commands, "GET", "view:floor:claim:CLM-TEST0001")) == facts[-1].sequence
        assert 0 < await command(commands, "PTTL", "view:floor:policy:POL-1") <= FLOOR_TTL_MS
