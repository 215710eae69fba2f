"""The claims in SQL: equal to the snapshots, each fact once however often it is followed, and for reading only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.small_cluster import SmallStore, small_application
from workers.adapters.records import StoredClaims
from workers.claim_reading import ClaimReader
from workers.keys import CLAIM_LOG
from workers.sql_archive import Refused, SqlArchive

if TYPE_CHECKING:
    from pathlib import Path

    from redis.asyncio import Redis

    from runtime.store.address import StoreAddress


async def test_the_claims_in_sql_are_those_of_the_log_and_following_again_adds_nothing(
    small_stores: dict[str, SmallStore], commands: Redis, store_address: StoreAddress, tmp_path: Path
) -> None:
    ready = small_stores["ended"]
    await ready.dump.restore(commands)
    archive = SqlArchive(tmp_path / "sql" / "claims.sqlite")
    async with small_application(store_address, ready.directory, simulation=True) as app:
        keys = app.store.logs[CLAIM_LOG].keys
        reader = ClaimReader(app.store.reads, keys)
        taken = await reader.told_to(archive, lambda _: None)
        assert await reader.told_to(archive, lambda _: None) == 0, "what was taken in is not taken in again"
        asked = "SELECT claim_id, version, state, paid_minor FROM claims_service.claims ORDER BY claim_id"
        rows = archive.ask(asked, limit=1000, seconds=10).rows
        claims = await StoredClaims(app.store.reads, keys).read([row[0] for row in rows])
    assert rows == [[one.claim_id, one.version, one.state.value, one.paid_out] for one in claims if one is not None]
    counted = archive.ask("SELECT count(*), sum(version) FROM claims_service.claims", limit=1, seconds=10).rows[0]
    events = archive.ask("SELECT count(*) FROM claims_service.events", limit=1, seconds=10).rows[0]
    assert counted[1] == events[0] == taken > counted[0] > 0


async def test_another_log_is_not_mixed_with_what_was_taken_in(
    small_stores: dict[str, SmallStore], commands: Redis, store_address: StoreAddress, tmp_path: Path
) -> None:
    archive = SqlArchive(tmp_path / "claims.sqlite")
    counts = []
    for name in ("ended", "open"):
        await commands.flushall()
        await small_stores[name].dump.restore(commands)
        async with small_application(store_address, small_stores[name].directory) as app:
            await ClaimReader(app.store.reads, app.store.logs[CLAIM_LOG].keys).told_to(archive, lambda _: None)
            stored = int(await app.store.reads.one("XLEN", CLAIM_LOG))
        facts = archive.ask("SELECT count(*) FROM claims_service.events", limit=1, seconds=10).rows[0][0]
        counts.append((facts, stored))
    assert [facts for facts, _ in counts] == [stored for _, stored in counts]


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("CREATE TABLE claims_service.more (a)", "only SELECT"),
        ("ATTACH DATABASE 'other.sqlite' AS other", "only SELECT"),
        ("PRAGMA query_only = OFF", "only SELECT"),
        ("SELECT 1; SELECT 2", "one statement"),
        ("SELECT mood FROM claims_service.claims", "no such"),
        ("", "only SELECT"),
        ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n", "longer than"),
    ],
)
def test_whatever_is_no_answerable_select_is_refused_with_the_reason(query: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=why):
        SqlArchive(tmp_path / "claims.sqlite").ask(query, limit=10, seconds=0.2)
    assert not (tmp_path / "other.sqlite").exists()
