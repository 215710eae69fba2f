"""The cache invalidator: stale views go, floors rise and never sink, hints are sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from runtime.effects import Delete, Publish, Raise
from runtime.store.keys import Keyspace
from tests.support.claim_entries import batch_of, claim_actor, claimed_as
from tests.support.claims import Story
from tests.support.store import command
from tests.support.windows import window
from workers.cache_invalidator import FLOOR_TTL_MS, CacheInvalidator
from workers.keys import ClaimKeys, claim_log

if TYPE_CHECKING:
    from redis.asyncio import Redis

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
