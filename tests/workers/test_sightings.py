"""A document or a contact that is on another claim raises its flag: from what was really sent, over all partitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from domain import commands as c
from domain.bodies.handling import RedFlagsRaised, SiuReferred
from domain.context import History
from domain.transitions import State
from runtime.store.keys import Keyspace
from tests.support.claims import SENIOR, SIU, Story
from tests.support.notices import auto_row, claims_cluster, told_again
from workers.commanding import Commander, Issued
from workers.importing import Importer
from workers.keys import claim_log
from workers.sightings import Seen, Sighting

if TYPE_CHECKING:
    from pathlib import Path

    from domain.claim_record import Claim
    from runtime.store.address import StoreAddress
    from tests.support.small_cluster import SmallCluster

HASH = "sha256:" + "ab" * 32


async def claim_of(cluster: SmallCluster, claim_id: str) -> Claim:
    (claim,) = await cluster.app.claims.read([claim_id])
    assert claim is not None
    return claim


async def test_a_phone_or_account_on_an_unrelated_claim_raises_shared_contact_and_is_never_readable(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    async with claims_cluster(store_address, tmp_path, partitions=2) as cluster:
        importer = Importer(cluster.app)
        first, other, third = (auto_row(f"POL-{number}") for number in (521585, 921202, 463727))
        for row in (first, other, third):
            await importer.records([row])
        phone = "+1 (614) 555-0100"
        ids: list[str] = []
        for row, contact in (
            (first, {"phone": phone}),
            (first, {"phone": phone}),  # the same household once more
            (other, {"phone": "16145550100", "bank_account": "DE00 1"}),
            (third, {"bank_account": "DE00 2"}),
        ):
            one = replace(told_again(row, "phone"), source_ref=f"call-{len(ids)}", **contact)
            ids += (await importer.submissions([one])).claim_ids
            await cluster.at_rest()
        flags = [(await claim_of(cluster, name)).red_flags.codes for name in ids]
        stored = [name async for name in cluster.app.store.reads.keys("seen:*")]
        report = await cluster.verified()
    assert ["SHARED_CONTACT" in codes for codes in flags] == [False, False, True, False]
    assert stored and not any(b"555" in name or b"DE00" in name for name in stored)
    assert report.ok, report.invariants
    assert report.invariants["sightings"].checked >= 5


async def test_a_document_that_is_on_another_claim_is_referred_by_rule_over_partitions(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    async with claims_cluster(store_address, tmp_path, partitions=2) as cluster:
        importer, commander = Importer(cluster.app), Commander(cluster.app)
        rows = [auto_row(f"POL-{number}") for number in (521585, 463727)]
        ids = (await importer.portfolio(rows)).claim_ids
        await cluster.at_rest()
        for name in ids:
            upload = c.UploadDocument(document_id="DOC-1", kind="photos", hash=HASH)
            assert isinstance(await commander.issue(name, upload, SENIOR), Issued)
            await cluster.at_rest()
        one, two = [await claim_of(cluster, name) for name in ids]
        report = await cluster.verified()
    assert one.red_flags.codes == () and one.state is State.ASSIGNED
    assert "DOCUMENT_REUSED" in two.red_flags.codes and two.red_flags.score >= 50
    assert (two.state, two.siu.status, two.siu.by_rule) == (State.UNDER_INVESTIGATION, "referred", True)
    assert report.ok, report.invariants


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_claims_with_one_document_the_later_one_is_suspicious(order: tuple[int, int]) -> None:
    both = [Sighting("document", HASH, f"CLM-{number}", "1") for number in order]
    seen = Seen({})
    found = []
    for one in both:
        seen.note((one,))
        found.append(seen.elsewhere(one))
    assert found == [False, True]


def test_a_reused_document_refers_at_once_and_once_and_again_after_the_unit_had_cleared() -> None:
    story = Story().submit().set(history=History(document_reused=True)).follow()
    raised = next(fact.body for fact in story.facts if isinstance(fact.body, RedFlagsRaised))
    assert ([flag.code for flag in raised.red_flags], raised.flag_score) == (["DOCUMENT_REUSED"], 50)
    assert story.state() is State.UNDER_INVESTIGATION
    before = len(story.facts)
    story.follow()
    assert len(story.facts) == before
    cleared = Story().submit().do(c.ReferToSIU(reason="staged"), SENIOR)
    cleared.do(c.CloseSIU(outcome="cleared"), SIU).set(history=History(document_reused=True)).follow()
    assert cleared.now_claim.siu.status == "referred"
    assert sum(isinstance(fact.body, SiuReferred) for fact in cleared.facts) == 2


def test_a_flag_that_comes_while_information_is_awaited_refers_once_the_claim_goes_on() -> None:
    story = Story().submit().do(c.RequestInformation(items=("invoice",)), SENIOR)
    story.only(c.UploadDocument(document_id="D", kind="invoice", hash=HASH), SENIOR)
    story.set(history=History(document_reused=True)).follow()
    assert story.state() is State.UNDER_INVESTIGATION
    assert story.types[-3:] == ["red_flags.raised", "information.completed", "siu.referred"]


def test_a_hash_that_is_none_is_refused() -> None:
    refused = Story().submit().refused(c.UploadDocument(document_id="D", kind="photos", hash="x\n"), SENIOR)
    assert refused.code == "INVALID" and refused.message.startswith("hash:")


def test_the_names_of_the_index_carry_the_tag_of_their_partition() -> None:
    from workers.keys import ClaimKeys

    assert ClaimKeys(Keyspace(claim_log(2)), 1).seen("phone:x").endswith("{p1}")
