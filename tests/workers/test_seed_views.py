"""What people with `redis-cli` see after a few claims: the keys of the seeds, each of its kind and right."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.support.rows import row
from tests.support.store import command

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from tests.support.small_cluster import SmallStore

Facts = list[dict[str, str]]


@pytest.fixture
async def facts(small_stores: dict[str, SmallStore], commands: Redis) -> Facts:
    """A store in which every claim came to its end; the entries of its log."""
    await small_stores["ended"].dump.restore(commands)
    return await entries(commands)


async def entries(commands: Redis) -> Facts:
    rows = await command(commands, "XRANGE", "claims:events", "-", "+")
    return [{name.decode(): value.decode() for name, value in fields.items()} for _, fields in rows]


async def hash_of(commands: Redis, key: str) -> dict[str, str]:
    row_: dict[bytes, bytes] = await command(commands, "HGETALL", key)
    return {name.decode(): value.decode() for name, value in row_.items()}


@row("S24")
@pytest.mark.parametrize("key", ["claims:events", "claims:analytics", "claims:notifications"])
async def test_the_three_streams_are_plain_streams(facts: Facts, commands: Redis, key: str) -> None:
    assert await command(commands, "TYPE", key) in (b"stream", "stream")
    assert await command(commands, "XLEN", key) > 0


@row("S62")
async def test_entry_schema_of_the_seeds_with_ours_behind(facts: Facts) -> None:
    for fact in facts:
        assert list(fact) == [
            "eventId", "eventType", "claimId", "timestamp", "data", "version",
            "sequence", "correlationId", "causationId", "actor", "traceparent",
        ]  # fmt: skip
        assert str(uuid.UUID(fact["eventId"])) == fact["eventId"]
        assert fact["timestamp"].endswith("Z")
        assert datetime.fromisoformat(fact["timestamp"]).utcoffset() == timedelta(0)
        assert fact["version"] == "1.0"
        assert fact["claimId"].startswith("CLM-")


@row("S66")
async def test_the_snapshot_has_the_fields_of_the_lab_and_ours(facts: Facts, commands: Redis) -> None:
    for claim_id in {fact["claimId"] for fact in facts}:
        snapshot = await hash_of(commands, f"claim:{claim_id}")
        lab = "id policyId customerId amount description type status priority submittedAt assignedTo documents"
        ours = "estimatedDays submittedBy channel lastUpdated assignedAt slaDeadline processingStarted approvedAt"
        more = "processingTimeHours state sequence closedOutcome amountMinor currency"
        assert set(f"{lab} {ours} {more}".split()) <= set(snapshot)
        assert snapshot["sequence"] == str(sum(fact["claimId"] == claim_id for fact in facts))
        assert snapshot["description"] == "" or snapshot["description"].startswith("enc:v1:")
        assert await command(commands, "PTTL", f"claim:{claim_id}") == -1


@row("S67")
async def test_the_daily_hash_is_the_log(facts: Facts, commands: Redis) -> None:
    by_day: dict[str, Counter[str]] = {}
    for fact in facts:
        by_day.setdefault(fact["timestamp"][:10], Counter())[f"auto:{fact['eventType']}"] += 1
    for day, expected in by_day.items():
        stored = await hash_of(commands, f"analytics:daily:{day}")
        assert stored == {field: str(count) for field, count in expected.items()}


@row("S69", "C11")
async def test_processing_times_hold_hours_by_claim(facts: Facts, commands: Redis) -> None:
    decided = {fact["claimId"] for fact in facts if fact["eventType"] in {"claim.approved", "claim.rejected"}}
    found: dict[str, float] = {}
    for day in {fact["timestamp"][:10] for fact in facts}:
        key = f"analytics:processing_times:{day}"
        for member in await command(commands, "ZRANGE", key, 0, -1):
            found[member.decode()] = float(await command(commands, "ZSCORE", key, member))
    assert set(found) == decided
    assert all(hours >= 0 for hours in found.values())


@row("S31")
async def test_workload_released_when_claims_end(
    facts: Facts, commands: Redis, small_stores: dict[str, SmallStore]
) -> None:
    assert not [key async for key in commands.scan_iter(match="adjuster:*:workload")]
    loads = await hash_of(commands, "adjusters:load")
    assert loads
    assert {load for name, load in loads.items() if not name.startswith("#")} == {"0"}
    await commands.flushall()
    await small_stores["open"].dump.restore(commands)
    assert [key async for key in commands.scan_iter(match="adjuster:*:workload")], "nobody ever had work"


@row("S22")
async def test_every_claimant_was_told_of_the_receipt(facts: Facts, commands: Redis) -> None:
    rows = await command(commands, "XRANGE", "claims:notifications", "-", "+")
    told = {fields[b"claimId"].decode() for _, fields in rows if b"claimant.received" in fields[b"data"]}
    assert told == {fact["claimId"] for fact in facts}
