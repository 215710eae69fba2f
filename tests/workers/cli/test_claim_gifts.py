"""What is given after a denial, as a person gives it on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain import commands as c
from tests.support.claims import MANAGER, SENIOR
from tests.support.commands import cli
from tests.support.notices import auto_row, claims_cluster
from workers.commanding import Commander, Issued
from workers.importing import Importer

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.store.address import StoreAddress

DENY = c.RejectClaim(reason_codes=("INSUFFICIENT_PROOF",), provisions=("Conditions",), appeal_text_id="appeal.denial.1")


@pytest.mark.timeout(600)  # several command lines, each opens the application anew
async def test_something_is_given_after_a_denial_by_a_manager_with_the_reason_and_explained(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    async with claims_cluster(store_address, tmp_path) as cluster:
        (claim_id,) = (await Importer(cluster.app).portfolio([auto_row("POL-521585")])).claim_ids
        await cluster.at_rest()
        commander = Commander(cluster.app)
        for wish, who in ((DENY, SENIOR), (c.ReopenClaim(reason_code="EX_GRATIA", reason="hardship"), MANAGER)):
            outcome = await commander.issue(claim_id, wish, who)
            assert isinstance(outcome, Issued), str(outcome)
            await cluster.at_rest()
        upload = c.UploadDocument(document_id="D", kind="medical_report")
        assert isinstance(await commander.issue(claim_id, upload, SENIOR), Issued)
        url = str(store_address.url)
        above = cli("claim", "give", claim_id, "5000.01", "--reason", "hardship", url=url)
        assert above.code == 2 and "G10" in above.one_line() and "committee may give it" in above.one_line()
        given = cli("claim", "give", claim_id, "5000", "--reason", "hardship", "--json", url=url)
        assert given.code == 0, given.err
        assert given.json["events"][-2:] == ["claim.override.recorded", "claim.approved"]
        await cluster.at_rest()
        explained = cli("claim", "explain", claim_id, url=url)
        (claim,) = await cluster.app.claims.read([claim_id])
        report = await cluster.verified()
    assert claim is not None and claim.pending is not None and claim.pending.amount == 500_000
    assert "EX_GRATIA" in explained.out and "5000.00" in explained.out.replace(",", "")
    assert "The policy does not owe this" in explained.out
    assert "covered by the policy" not in explained.out, "a gift is not said to be owed"
    assert report.ok, report.invariants
