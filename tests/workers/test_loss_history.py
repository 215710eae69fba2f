"""What other losses say to a decision: duplicates across channels, frequency, the adjuster of the household."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from domain.duplicates import LossTrace
from domain.loss_history import history_of, years_before
from domain.money import Money
from tests.support.notices import auto_row, claims_cluster, told_again
from workers.importing import Importer

if TYPE_CHECKING:
    from pathlib import Path

    from domain.claim_record import Claim
    from runtime.store.address import StoreAddress
    from tests.support.small_cluster import SmallCluster
    from workers.submissions import Submission

POLICY = "POL-521585"


async def submitted(cluster: SmallCluster, *submissions: Submission) -> list[Claim]:
    """These notices, one after the other to rest; the claims of all."""
    ids = []
    for submission in submissions:
        ids += (await Importer(cluster.app).submissions([submission])).claim_ids
        await cluster.at_rest()
    claims = await cluster.app.claims.read(ids)
    assert all(claims)
    return [claim for claim in claims if claim is not None]


async def first_claim(cluster: SmallCluster) -> Claim:
    imported = await Importer(cluster.app).portfolio([auto_row(POLICY)])
    await cluster.at_rest()
    (claim,) = await cluster.app.claims.read(imported.claim_ids)
    assert claim is not None
    return claim


@pytest.mark.parametrize("partitions", [1, 3])
async def test_a_second_notice_of_one_loss_through_another_channel_is_flagged_and_the_first_is_not(
    store_address: StoreAddress, tmp_path: Path, partitions: int
) -> None:
    async with claims_cluster(store_address, tmp_path, partitions=partitions) as cluster:
        first = await first_claim(cluster)
        (second,) = await submitted(cluster, told_again(auto_row(POLICY), "broker"))
        (first_now,) = await cluster.app.claims.read([first.claim_id])
        losses = await cluster.app.losses.about([first, second])
        looked_at_again = [[other.claim_id for other in losses.history(one).similar] for one in (first, second)]
    assert second.claim_id != first.claim_id
    assert second.duplicate.status == "suspected"
    assert second.duplicate.score >= 85
    assert first_now is not None
    assert first_now.duplicate.status == "none"
    assert looked_at_again == [[], [first.claim_id]], "also at approval only the later notice is in doubt"


async def test_two_notices_in_one_batch_are_ordered_by_the_log(store_address: StoreAddress, tmp_path: Path) -> None:
    async with claims_cluster(store_address, tmp_path) as cluster:
        row = auto_row(POLICY)
        await Importer(cluster.app).portfolio([])
        ids = (await Importer(cluster.app).submissions([told_again(row, "web"), told_again(row, "app")])).claim_ids
        await cluster.at_rest()
        web, app = await cluster.app.claims.read(ids)
    assert web is not None
    assert app is not None
    assert (web.duplicate.status, app.duplicate.status) == ("none", "suspected")


async def test_the_third_loss_in_24_months_raises_the_flag_frequency(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    async with claims_cluster(store_address, tmp_path) as cluster:
        await first_claim(cluster)
        row = auto_row(POLICY)
        later = [
            told_again(
                row, "portal", f"later-{days}",
                loss_date=row.submission.loss_date + timedelta(days=days),
                reported_at=row.submission.reported_at + timedelta(days=days),
            )
            for days in (40, 80)
        ]  # fmt: skip
        second, third = await submitted(cluster, *later)
        report = await cluster.verified()
    assert "FREQUENCY" not in second.red_flags.codes
    assert "FREQUENCY" in third.red_flags.codes
    assert report.ok, report


async def test_another_claim_of_the_household_goes_to_the_adjuster_who_has_the_first(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    async with claims_cluster(store_address, tmp_path) as cluster:
        first = await first_claim(cluster)
        row = auto_row(POLICY)
        again = told_again(
            row, "portal",
            loss_date=row.submission.loss_date + timedelta(days=30),
            reported_at=row.submission.reported_at + timedelta(days=30),
        )  # fmt: skip
        (second,) = await submitted(cluster, again)
    assert first.owner is not None
    assert second.owner is not None
    assert second.owner.adjuster_id == first.owner.adjuster_id


def trace(claim: str, day: date, minor: int = 100_000, peril: str = "glass") -> LossTrace:
    return LossTrace(claim, "POL-1", day, peril, Money(minor, "USD"), claimant="CUST-1")


def test_two_notices_of_one_loss_count_once_in_the_frequency() -> None:
    day = date(2025, 5, 1)
    history = history_of(trace("C", day), [trace("A", day), trace("B", day - timedelta(days=300))])
    assert [alike.claim_id for alike in history.similar] == ["A"]
    assert history.claims_in_24_months == 2


@pytest.mark.parametrize(("days", "counted"), [(1, 2), (730, 2), (731, 1), (-5, 1)])
def test_the_frequency_looks_back_24_months_and_never_ahead(days: int, counted: int) -> None:
    day = date(2025, 5, 1)
    other = trace("A", day - timedelta(days=days), peril="theft")
    assert history_of(trace("C", day), [other]).claims_in_24_months == counted


def test_24_months_before_a_leap_day_is_the_28th() -> None:
    assert years_before(date(2024, 2, 29), 2) == date(2022, 2, 28)
