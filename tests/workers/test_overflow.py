"""Claims that nobody can take wait in the overflow queue, and go on when somebody's load falls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.bodies.base import Actor
from domain.commands import AddNote, WithdrawClaim
from tests.support.notices import auto_row, claims_cluster
from workers.importing import Importer

if TYPE_CHECKING:
    from pathlib import Path

    from domain.claim_record import Claim
    from runtime.store.address import StoreAddress
    from tests.support.small_cluster import SmallCluster

ONE_WHO_IS_SOON_FULL = """
version = 1
[[adjuster]]
id = "ADJ-ONLY"
jurisdictions = ["OH", "IN", "IL", "US"]
lines = ["motor"]
skill = "SPECIALIST"
role = "adjuster_ii"
capacity = 1
"""
POLICIES = ("POL-521585", "POL-921202", "POL-214618")


def one_adjuster(directory: Path) -> dict[str, object]:
    path = directory / "roster.toml"
    path.write_text(ONE_WHO_IS_SOON_FULL)
    return {"roster.file": str(path)}


async def three_claims(cluster: SmallCluster) -> list[str]:
    ids = []
    for policy in POLICIES:
        ids += (await Importer(cluster.app).portfolio([auto_row(policy)])).claim_ids
        await cluster.at_rest()
    return ids


async def claims_of(cluster: SmallCluster, ids: list[str]) -> list[Claim]:
    return [claim for claim in await cluster.app.claims.read(ids) if claim is not None]


async def queue(cluster: SmallCluster) -> list[str]:
    key = cluster.app.claim_keys(0).queue("overflow")
    return [name.decode() for name in await cluster.app.store.reads.one("LRANGE", key, 0, -1)]


async def test_claims_that_nobody_can_take_wait_in_the_order_in_which_they_came(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    async with claims_cluster(store_address, tmp_path, more=one_adjuster(tmp_path)) as cluster:
        ids = await three_claims(cluster)
        claims = await claims_of(cluster, ids)
        waiting = await queue(cluster)
        report = await cluster.verified()
    assert [claim.owner is not None for claim in claims] == [True, False, False]
    assert waiting == ids[1:]
    assert report.ok, report


async def test_a_claim_of_the_overflow_queue_goes_on_when_another_one_ends(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    async with claims_cluster(store_address, tmp_path, more=one_adjuster(tmp_path)) as cluster:
        ids = await three_claims(cluster)
        (first, *_) = await claims_of(cluster, ids)
        claimant = Actor(id=first.notice.claimant_id, role="claimant")
        await cluster.command(ids[0], WithdrawClaim(reason="found the car"), claimant)
        await cluster.at_rest()
        _, second, third = await claims_of(cluster, ids)
        waiting = await queue(cluster)
        report = await cluster.verified()
    assert second.owner is not None, "it waited longest"
    assert third.owner is None, "the adjuster is full again"
    assert waiting == ids[2:]
    assert report.ok, report


async def test_a_claim_that_goes_on_waiting_is_told_of_once(store_address: StoreAddress, tmp_path: Path) -> None:
    async with claims_cluster(store_address, tmp_path, more=one_adjuster(tmp_path)) as cluster:
        ids = await three_claims(cluster)
        (first, *_) = await claims_of(cluster, ids)
        claimant = Actor(id=first.notice.claimant_id, role="claimant")
        await cluster.command(ids[0], WithdrawClaim(reason="found the car"), claimant)
        await cluster.at_rest()
        note = AddNote(kind="contact", note="asked when it goes on")  # wakes it, on another roster
        await cluster.command(ids[2], note, Actor(id="SUP-1", role="supervisor"))
        await cluster.at_rest()
        log = cluster.app.claim_keyspace.log(0)
        types = [
            (fields[fields.index(b"eventType") + 1], fields[fields.index(b"claimId") + 1].decode())
            async for _, fields in cluster.app.store.reads.stream(log)
        ]
    deferred = [claim_id for kind, claim_id in types if kind == b"claim.assignment.deferred"]
    assert sorted(deferred) == sorted(ids[1:])


async def test_a_supervisor_is_told_when_a_claim_has_waited_four_business_hours(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    async with claims_cluster(store_address, tmp_path, more=one_adjuster(tmp_path)) as cluster:
        ids = await three_claims(cluster)
        await cluster.to_the_end()
        outbox = cluster.app.claim_keys(0).notifications
        told = [
            (fields[fields.index(b"claimId") + 1].decode(), fields[fields.index(b"data") + 1])
            async for _, fields in cluster.app.store.reads.stream(outbox)
        ]
    alerts = [claim_id for claim_id, data in told if b'"supervisor.overflow_waiting"' in data]
    assert sorted(alerts) == sorted(ids[1:])
