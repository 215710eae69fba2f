"""Every fact has an id of its own, also when several actors answer to one event."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from runtime.store.reads import Reads
from workers.keys import CLAIM_LOG

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from tests.support.small_cluster import SmallStore


async def test_no_two_facts_have_one_id(small_stores: dict[str, SmallStore], commands: Redis) -> None:
    """The processor and the simulator both answer to an event: their first facts had the same id once."""
    await small_stores["ended"].dump.restore(commands)
    rows = [dict(zip(fields[::2], fields[1::2], strict=True)) async for _, fields in Reads(commands).stream(CLAIM_LOG)]
    counts = Counter(row[b"eventId"] for row in rows)
    causes = Counter((row[b"claimId"], row[b"causationId"], row[b"actor"]) for row in rows)
    assert len({(claim, cause) for claim, cause, _ in causes}) < len(causes), "no event was answered by two"
    assert {event: count for event, count in counts.items() if count > 1} == {}
