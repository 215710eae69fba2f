"""What people decide sees the roster and the other losses too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain import commands as c
from domain.context import History
from domain.outcome import Accepted, Refused
from domain.portrait import trace
from tests.support.claims import SENIOR, SUPERVISOR, Story, notice
from tests.support.notices import auto_row, claims_cluster
from workers.commanding import Commander, Issued
from workers.importing import Importer

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.store.address import StoreAddress


async def test_a_supervisor_gives_a_claim_to_another_adjuster_and_both_loads_move(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    async with claims_cluster(store_address, tmp_path, partitions=2) as cluster:
        (claim_id,) = (await Importer(cluster.app).portfolio([auto_row("POL-521585")])).claim_ids
        await cluster.at_rest()
        commander = Commander(cluster.app)
        before = await cluster.app.roster.snapshot()
        (first,) = [one.adjuster_id for one in before.adjusters if one.load]
        other = next(
            one.adjuster_id
            for one in before.adjusters
            if one.skill == "SPECIALIST" and "OH" in one.jurisdictions and one.adjuster_id != first
        )
        wrong = c.ReassignClaim(adjuster_id="ADJ-NOBODY", reason="knows the garage")
        assert isinstance(await commander.issue(claim_id, wrong, SUPERVISOR), Refused)
        given = c.ReassignClaim(adjuster_id=other, reason="knows the garage")
        assert isinstance(await commander.issue(claim_id, given, SUPERVISOR), Issued)
        await cluster.at_rest()
        after = await cluster.app.roster.snapshot()
        report = await cluster.verified()
    assert {one.adjuster_id: one.load for one in after.adjusters if one.load} == {other: 5}
    assert report.ok, report


def test_a_duplicate_that_is_seen_only_at_approval_is_cleared_by_a_person_like_any_other() -> None:
    """Two notices at once in two partitions: neither saw the other when it was validated."""
    story = Story().do(notice())
    twin = Story().do(notice(claim_id="CLM-TWIN0001", source_ref="2", source="broker")).now_claim
    story.set(history=History(similar=(trace(twin),)))
    answer = story.try_(c.ApproveClaim(), SENIOR)
    assert isinstance(answer, Refused)
    clear = c.ClearDuplicate(reason="two cars")
    assert isinstance(story.try_(clear, SENIOR), Accepted)
    if answer.guard == "G05":
        after = story.try_(c.ApproveClaim(), SENIOR)
        assert isinstance(after, Accepted) or after.guard != "G05"
