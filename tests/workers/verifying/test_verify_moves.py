"""`verify` agrees with the actors on claims in every kind of state, on parked entries, and beside four partitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.bodies.base import Actor
from domain.commands import ApproveClaim, RejectClaim, ReopenClaim
from domain.reasons import PROVISIONS
from domain.transitions import State
from tests.support.rows import row
from tests.support.small_cluster import small_cluster, wrong
from tests.support.store import command

if TYPE_CHECKING:
    from pathlib import Path

    from redis.asyncio import Redis

    from runtime.store.address import StoreAddress

COMMITTEE = Actor(id="COMMITTEE", role="committee")
MANAGER = Actor(id="MGR-1", role="claims_manager")


@row("S31", "S45")
async def test_lists_and_loads_follow_claims_that_are_approved_denied_and_opened_again(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    async with small_cluster(store_address, tmp_path, simulation=False) as cluster:
        ids = await cluster.submit(8)
        await cluster.at_rest()
        claims = await cluster.app.claims.read(ids)
        assigned = [claim for claim in claims if claim is not None and claim.state is State.ASSIGNED]
        approved = next(claim.claim_id for claim in assigned if not claim.missing_documents)
        denied = next(claim.claim_id for claim in assigned if claim.claim_id != approved)
        await cluster.command(approved, ApproveClaim(), COMMITTEE)
        code, provision = next(iter(PROVISIONS.items()))
        reject = RejectClaim(reason_codes=(code,), provisions=(provision,), appeal_text_id="appeal.denial.1")
        await cluster.command(denied, reject, COMMITTEE)
        await cluster.at_rest()
        assert wrong(await cluster.verified()) == {}
        await cluster.command(denied, ReopenClaim(reason_code="NEW_FACTS", reason="a witness"), MANAGER)
        await cluster.at_rest()
        assert wrong(await cluster.verified()) == {}
        await cluster.command(denied, reject, COMMITTEE)
        await cluster.at_rest()
        assert wrong(await cluster.verified()) == {}


async def test_parked_entries_are_accounted_for_and_a_changed_one_is_named(
    store_address: StoreAddress, commands: Redis, tmp_path: Path
) -> None:
    async with small_cluster(store_address, tmp_path) as cluster:
        await cluster.submit(2)
        bad = ("eventType", "claim.submitted", "claimId", "CLM-BAD00001", "data", "{}", "version", "1.0")
        await command(commands, "XADD", "claims:events", "*", *bad)
        await cluster.at_rest()
        report = await cluster.verified()
        assert wrong(report) == {}
        assert report.invariants["dead_letters"].checked > 0
        rows = await command(commands, "XRANGE", "claims:events:parked:processors", "-", "+")
        await command(commands, "XDEL", "claims:events:parked:processors", rows[0][0])
        assert "dead_letters" in wrong(await cluster.verified())


@pytest.mark.parametrize("partitions", [1, 4])
async def test_nothing_differs_after_a_whole_run(store_address: StoreAddress, tmp_path: Path, partitions: int) -> None:
    async with small_cluster(store_address, tmp_path, partitions=partitions) as cluster:
        await cluster.submit(12)
        await cluster.to_the_end()
        report = await cluster.verified()
    assert wrong(report) == {}
    assert report.claims == 12
